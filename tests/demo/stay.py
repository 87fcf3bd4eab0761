#!/usr/bin/env python3
"""./demo.sh --stay as a person uses it: after the demo's upgrade the console answers and knows of it; another upgrade, ordered
there, reaches the device; ctrl-C ends everything with exit code 0.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# A hang is a failure; the demo may have to build everything first.
PATIENCE_S = 3600


def ask(url, data=None, kind="application/octet-stream"):
    request = urllib.request.Request(url, data=data, headers={"Content-Type": kind} if data is not None else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def wait_for(demo, pattern):
    """The match in the first line that has one. What the demo prints is passed on."""
    for line in demo.stdout:
        print("  " + line, end="", flush=True)
        match = re.search(pattern, line)
        if match:
            return match
    raise AssertionError(f"the demo ended with {demo.wait()} before a line with {pattern!r}")


def running(group):
    """The group's processes. One that ended does not count, even where nobody fetches its exit code: in many containers
    process 1 does not do that for orphans."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = stat.read_text().split(" ", 1)
        except OSError:
            continue  # ended meanwhile
        name, fields = rest.rsplit(")", 1)
        state, _parent, its_group = fields.split()[:3]
        if int(its_group) == group and state not in "ZX":
            found.append(f"{pid} {name[1:]}")
    return found


def main():
    demo = subprocess.Popen(["./demo.sh", "--stay"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True)
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(demo.pid, signal.SIGKILL))
    signal.alarm(PATIENCE_S)
    try:
        console = wait_for(demo, r"The console: (http://\S+)").group(1).rstrip("/")
        with urllib.request.urlopen(console + "/", timeout=30) as page:
            check(b"<html" in page.read(), "the console is no page")
        [device] = ask(console + "/api/devices")["devices"]
        job = device["job"]
        check((job["version"], job["state"]) == ("2.0.0", "done"), f"the demo's upgrade is not in the console: {device}")

        product = device["product_id"]
        firmware = ask(f"{console}/api/firmware?product_id={product}&version=3.0.0", os.urandom(200_000))
        order = {"firmware_id": firmware["id"], "scope": "chosen", "devices": [device["client_id"]]}
        order = ask(console + "/api/upgrades", json.dumps(order).encode(), "application/json")
        wait_for(demo, r"\[device\] runs version 3\.0\.0 now")
        counts = ask(f"{console}/api/upgrades/{order['id']}")["upgrade"]["counts"]
        check(counts["done"] == 1, f"the second upgrade is not done: {counts}")

        # As a terminal does it: to every process of the demo.
        os.killpg(demo.pid, signal.SIGINT)
        code = demo.wait()
        end = time.monotonic() + 10
        while left := running(demo.pid):
            check(time.monotonic() < end, f"processes of the demo are left: {left}")
        rest = demo.stdout.read()
        check(code == 0, f"the demo ended with {code}: {rest}")
        try:
            ask(console + "/api/devices")
        except urllib.error.URLError:
            pass
        else:
            raise AssertionError("the console is still there")
    finally:
        try:
            os.killpg(demo.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


if __name__ == "__main__":
    try:
        main()
    except (AssertionError, urllib.error.URLError, ValueError) as error:
        sys.exit(f"stay.py: {error}")
    print("stay.py: passed")
