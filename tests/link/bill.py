#!/usr/bin/env python3
"""Whether the bill of materials names what is linked.

    bill.py BILL COPYRIGHT MEMBERS BUILT SYSROOT LOCK

MEMBERS lists the archive as cargo made it; BUILT is cargo's folder of it; SYSROOT the folder of the standard library's
rlibs, whose crates the bill names together; LOCK the Cargo.lock.
"""

import json
import pathlib
import re
import sys

# Crates whose library has another name.
LIBRARIES = {"md-5": "md5", "rustls-webpki": "webpki"}


def fail(message):
    sys.exit(f"FAILED: {message}")


def main():
    bill, copyright_file, members, built, sysroot, lock = map(pathlib.Path, sys.argv[1:])
    document = json.loads(bill.read_text(encoding="utf-8"))
    if (document["bomFormat"], document["specVersion"]) != ("CycloneDX", "1.5"):
        fail("this is no bill of CycloneDX 1.5")
    components = {entry["name"]: entry for entry in document["components"]}
    if len(components) != len(document["components"]):
        fail("a component is there twice")

    names = members.read_text(encoding="utf-8")
    objects = set(re.findall(r"(?m)(?:^|\.)([A-Za-z0-9_]+-[0-9a-f]{16})(?=\.)", names))
    # A crate of the standard library may have the name of one of ours.
    standard = {path.stem[len("lib"):] for path in sysroot.glob("*.rlib")}
    if not any(name.startswith("std-") for name in objects & standard):
        fail(f"the standard library in {members} is not that of {sysroot}")
    crates = {name[:-17] for name in objects - standard}
    named = {LIBRARIES.get(name, name.replace("-", "_")) for name in components} - {"mbedtls", "rust_std"}
    if crates != named:
        fail(f"only linked: {sorted(crates - named)}, only in the bill: {sorted(named - crates)}")

    locked = lock.read_text(encoding="utf-8")
    for name, entry in components.items():
        if name in ("mbedtls", "rust-std"):
            continue
        block = f'name = "{name}"\nversion = "{entry["version"]}"\n'
        if block not in locked:
            fail(f"{name} {entry['version']} is not in Cargo.lock")
        for its in entry.get("hashes", []):
            if not re.search(re.escape(block) + f'source = ".*"\nchecksum = "{its["content"]}"', locked):
                fail(f"the hash of {name} is not that of Cargo.lock")

    # What the build script said when it compiled mbedTLS, and an object of that.
    said = "".join(path.read_text(encoding="utf-8") for path in built.glob("build/iot-mbedtls-*/output"))
    compiled = set(re.findall("IOT_MBEDTLS_VERSION=(.*)", said)) if re.search(r"(?m)-ssl_tls\.o$", names) else set()
    # The system's is linked beside the archive.
    own = {name: entry for name, entry in components.items() if not entry.get("properties")}
    told = {own["mbedtls"]["version"]} if "mbedtls" in own else set()
    if bool(compiled) != bool(told) or not told <= compiled:
        fail(f"compiled is mbedTLS {sorted(compiled)}, the bill says {sorted(told)}")

    references = {entry["bom-ref"] for entry in document["components"]}
    for entry in document["dependencies"]:
        for reference in (entry["ref"], *entry["dependsOn"]):
            if reference not in references:
                fail(f"{reference} is no component")

    text = copyright_file.read_text(encoding="utf-8")
    bare = [entry["bom-ref"] for entry in own.values()
            if not re.search(rf"(?m)^Of .*\b{re.escape(entry['name'])} {re.escape(entry['version'])}\b", text)]
    if bare:
        fail(f"no licence text of {bare}")
    for path in ("/registry/src", str(lock.parent.resolve())):
        if path in text or path in bill.read_text(encoding="utf-8"):
            fail(f"{path} shows where it was built")
    print(f"{len(components)} components, {len(crates)} crates of them in objects")


main()
