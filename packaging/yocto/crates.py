#!/usr/bin/env python3
"""Writes the crates that a build needs as bitbake fetches them: crates.py > libiot-sdk-crates.inc

All that Cargo.lock names, since cargo asks for the hub's and the tests', too, and of platform/mbedtls/sources the crate
that carries mbedTLS.
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CARRIER = "mbedtls-rs-sys"


def crates(lock):
    """Name, version and hash of each crate from the registry."""
    entry = r'name = "(.*)"\nversion = "(.*)"\nsource = "registry.*"\nchecksum = "(.*)"'
    return re.findall(entry, (ROOT / lock).read_text(encoding="utf-8"))


def main():
    """Writes the file to standard output."""
    found = crates("Cargo.lock") + [crate for crate in crates("platform/mbedtls/sources/Cargo.lock") if crate[0] == CARRIER]
    print("# Made by packaging/yocto/crates.py.")
    print('SRC_URI += " \\')
    for name, version, _ in found:
        print(f"    crate://crates.io/{name}/{version} \\")
    print('"')
    for name, version, checksum in found:
        print(f'SRC_URI[{name}-{version}.sha256sum] = "{checksum}"')


main()
