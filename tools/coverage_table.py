#!/usr/bin/env python3
"""Turns what tools/coverage.sh has measured into a table.

usage: coverage_table.py FOLDER LLVM_COV [--missing]

FOLDER holds built.json, the messages of the build, merged.profdata, and further programs in */bin. Code of tests does
not count.
"""

import collections
import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Percent of lines that must be run through.
ENGINE_GOAL = 95
# Everything that takes bytes from outside apart: of these, all lines. A folder stands for all that is in it.
PARSERS = [f"engine/src/{name}" for name in (
    "coap/", "download/answer.rs", "endpoint.rs", "helpers/base64.rs", "helpers/date.rs", "helpers/getopt.rs", "helpers/hex.rs",
    "helpers/json/", "helpers/number.rs", "helpers/pem.rs", "helpers/redact.rs", "http/", "mqtt/frame.rs", "mqtt/packet.rs",
    "services/gateway/message.rs", "services/gateway/notice.rs", "services/log_upload/answer.rs", "services/log_upload/form.rs", "services/log_upload/level.rs",
    "services/fields.rs", "services/ota/command.rs", "services/ota/message.rs", "services/registration/credentials.rs",
    "services/registration/payload.rs", "services/registration/reply.rs", "services/remote_config/message.rs",
    "services/resource/command.rs", "services/resource/message.rs", "services/rrpc.rs", "services/shadow/delta.rs",
    "services/shadow/message.rs", "services/ssh/frame.rs", "services/ssh/message.rs", "services/system_time/message.rs", "topic.rs", "upgrade/keys.rs", "upgrade/record.rs",
    "upgrade/signed.rs", "upgrade/version.rs", "websocket/",
)]
GROUPS = [
    ("engine", "engine/src/"),
    ("src/ffi", "src/ffi/"),
    ("src/drive", "src/drive/"),
    ("src/hal", "src/hal/"),
    ("platform/posix", "platform/posix/src/"),
    ("platform/tls", "platform/tls/src/"),
]
TEST_FILE = re.compile(r"(^|/)([a-z_]*tests/|[a-z_]*tests\.rs$|testing/|simulation\.rs$|log_double\.rs$)")
TEST_MODULE = re.compile(r"^#\[cfg\(test\)\]\nmod tests \{", re.MULTILINE)


class File:
    """What is known of one source file: how often each line ran, and whether each way of each branch was taken."""

    def __init__(self):
        self.lines = {}
        self.branches = {}

    def counts(self):
        taken = sum(count > 0 for count in self.branches.values())
        return Counts(sum(count > 0 for count in self.lines.values()), len(self.lines), taken, len(self.branches))

    def missing(self):
        return sorted(line for line, count in self.lines.items() if count == 0)


class Counts(collections.namedtuple("Counts", "run lines taken branches")):
    def __add__(self, other):
        return Counts(*map(sum, zip(self, other)))

    def row(self, name):
        return f"{name:32}{share(self.run, self.lines)}{share(self.taken, self.branches)}"


def share(part, whole):
    percent = f"{100 * part / whole:.1f} %" if whole else "-"
    return f"{f'{part} of {whole}':>16}{percent:>9}"


def programs(folder):
    with open(os.path.join(folder, "built.json"), encoding="utf-8") as messages:
        built = [json.loads(message) for message in messages]
    tests = {message["executable"] for message in built if message.get("executable")}
    return sorted(tests) + sorted(glob.glob(os.path.join(folder, "*", "bin", "*")))


def first_test_line(path):
    with open(path, encoding="utf-8") as source:
        text = source.read()
    found = TEST_MODULE.search(text)
    return text.count("\n", 0, found.start()) + 1 if found else float("inf")


def measured(folder, llvm_cov):
    first, *others = programs(folder)
    command = [llvm_cov, "export", "-format=lcov", "-instr-profile", os.path.join(folder, "merged.profdata"), first]
    for program in others:
        command += ["-object", program]
    lcov = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    files = {}
    file, end = None, 0
    for record in lcov.splitlines():
        kind, _, value = record.partition(":")
        if kind == "SF":
            name = os.path.relpath(value, ROOT)
            wanted = any(name.startswith(folder) for _, folder in GROUPS) and not TEST_FILE.search(name)
            file = files.setdefault(name, File()) if wanted else None
            end = first_test_line(value) if wanted else 0
        elif file is None:
            continue
        elif kind == "DA":
            line, count = map(int, value.split(",")[:2])
            if line < end:
                file.lines[line] = file.lines.get(line, 0) + count
        elif kind == "BRDA":
            line, block, way, count = value.split(",")
            if int(line) < end:
                key = (int(line), block, way)
                file.branches[key] = file.branches.get(key, 0) + (0 if count == "-" else int(count))
    return files


def total(files, names):
    return sum((files[name].counts() for name in names), Counts(0, 0, 0, 0))


def main():
    folder, llvm_cov, *options = sys.argv[1:]
    files = measured(folder, llvm_cov)
    print(f"{'':32}{'lines':>25}{'branches':>25}")
    for group, place in GROUPS:
        names = sorted(name for name in files if name.startswith(place))
        print(total(files, names).row(group))
        for name in names:
            print(files[name].counts().row("  " + name.removeprefix(place)))
            missing = files[name].missing()
            if missing and "--missing" in options:
                with open(os.path.join(ROOT, name), encoding="utf-8") as source:
                    text = source.read().splitlines()
                for line in missing:
                    print(f"    {line:5}: {text[line - 1].strip()}")
    engine = total(files, [name for name in files if name.startswith("engine/src/")])
    parsers = total(files, [name for name in files if name.startswith(tuple(PARSERS))])
    print(parsers.row("engine's parsers"))
    problems = [f"{name} has no lines" for name in PARSERS if not any(file.startswith(name) for file in files)]
    if engine.run * 100 < engine.lines * ENGINE_GOAL:
        problems.append(f"less than {ENGINE_GOAL} % of the lines in engine/ are tested")
    if parsers.run < parsers.lines:
        problems.append("not all lines of the engine's parsers are tested")
    for problem in problems:
        print(f"coverage: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
