#!/usr/bin/env python3
"""Writes docs/compatibility.md: every function and variable of the C SDK, and whether this library provides it.

    compatibility.py                        writes the page
    compatibility.py --check                exit code 1 where the page differs from what would be written
    compatibility.py --lib DIR --config C [--abi 3.3]
                                            exit code 1 where built archives contradict the page (C: key-tls, ...)

What the C SDK has comes from the data of each interface (symbols.json), what is provided from the definitions in the
sources.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs/compatibility.md"

# The interfaces (IOT_ABI), the release of the C SDK behind each, and its data.
INTERFACES = {"3.2": ("3.2.3", HERE / "data"), "3.3": ("3.3.0", ROOT / "docs/contract/abi-3.3")}

# Where C names are defined, and the archive they end up in.
SOURCES = {
    "libiot_sdk": ["src/ffi/*.rs", "src/ffi/*.c"],
    "libiot_platform": ["platform/*/weak/*.c"],
}
RUST_DEFINITION = re.compile(
    r'(?:^    pub (?:unsafe )?fn|#\[no_mangle\]\s+pub static(?: mut)?) (\w+)', re.M
)
# What of the platform is Rust: each HAL_* that calls it, and the Rust function with the name that it has in the log.
C_CALLER = re.compile(r"^HAL_WEAK [^;{]*?\b(HAL_\w+)\([^;{]*\)\s*\{(.*?)^\}", re.M | re.S)
# One that is a second name of a function of its file.
C_ALIAS = re.compile(r"^(HAL_WEAK [^;{]*?\))\s*HAL_IS\((\w+)\);", re.M)
C_STATIC = re.compile(r"^static [^;{]*?\b(\w+)\([^;{]*\)\s*\{(.*?)^\}", re.M | re.S)
PLATFORM_CALL = re.compile(r"\b(iot_platform_\w+)\(")
PLATFORM_EXPORT = re.compile(r'\bexport! \{\s+"(\w+)"(?: or [^;]+)?;.*?\bfn (iot_platform_\w+)\(', re.S)
C_DEFINITION = re.compile(r"^(?!static\b|extern\b|#|typedef\b)\w[\w\s*]*?\b(\w+)\([^;{]*\)\s*\{", re.M)

# The option behind each switch of config.h.
OPTIONS = {
    "COAP_COMM_ENABLED": "FEATURE_COAP_COMM_ENABLED",
    "BROADCAST_ENABLED": "FEATURE_BROADCAST_ENABLED",
    "RRPC_ENABLED": "FEATURE_RRPC_ENABLED",
    "LOG_UPLOAD": "FEATURE_LOG_UPLOAD_ENABLED",
    "MULTITHREAD_ENABLED": "FEATURE_MULTITHREAD_ENABLED",
    "GATEWAY_ENABLED": "FEATURE_GATEWAY_ENABLED",
    "AUTH_WITH_NOTLS": "FEATURE_AUTH_WITH_NOTLS",
    "AUTH_MODE_CERT": "FEATURE_AUTH_MODE",
}

# The option behind all of a header that the C SDK leaves out as a whole, without a switch in config.h.
WHOLE_HEADERS = {
    "qcloud_iot_export_coap.h": "FEATURE_COAP_COMM_ENABLED",
    "qcloud_iot_export_dynreg.h": "FEATURE_DEV_DYN_REG_ENABLED",
    "qcloud_iot_export_resource.h": "FEATURE_RESOURCE_COMM_ENABLED",
    "qcloud_iot_export_shadow.h": "FEATURE_MQTT_DEVICE_SHADOW",
}

# What else a reader has to know.
NO_UPLOAD = "does nothing with `FEATURE_LOG_UPLOAD_ENABLED` OFF, the default"
REMOTE_CONFIG = "links with `FEATURE_REMOTE_CONFIG_MQTT_ENABLED` ON"
REMARKS = {
    "IOT_Log_Init_Uploader": NO_UPLOAD,
    "IOT_Log_Fini_Uploader": NO_UPLOAD,
    "IOT_Log_Upload": NO_UPLOAD,
    "IOT_Ssh_enable": "fails with `FEATURE_REMOTE_LOGIN_WEBSOCKET_SSH` OFF",
    "IOT_Subscribe_Config": REMOTE_CONFIG,
    "IOT_Get_Config": REMOTE_CONFIG,
}

# Groups of the page, in this order: title, and the headers in each.
GROUPS = [
    ("Firmware upgrades", ["qcloud_iot_export_ota.h"]),
    ("MQTT", ["qcloud_iot_export_mqtt.h"]),
    ("Log", ["qcloud_iot_export_log.h"]),
    ("System time", ["qcloud_iot_export_system.h"]),
    ("Helpers", ["lite-utils.h", "lite-list.h", "utils_getopt.h", "utils_timer.h"]),
    ("Platform", ["qcloud_iot_import.h"]),
    ("Gateway", ["qcloud_iot_export_gateway.h"]),
    ("Device shadow", ["qcloud_iot_export_shadow.h"]),
    ("CoAP", ["qcloud_iot_export_coap.h"]),
    ("Dynamic registration", ["qcloud_iot_export_dynreg.h"]),
    ("Broadcast", ["qcloud_iot_export_broadcast.h"]),
    ("RRPC", ["qcloud_iot_export_rrpc.h"]),
    ("Remote configuration", ["qcloud_iot_export_remote_config.h"]),
    ("Resources", ["qcloud_iot_export_resource.h"]),
]

# Internal headers of the C SDK's AT modem driver: no program includes them, ours doesn't have them.
NOT_OFFERED = {"at_client.h", "at_socket_inf.h", "at_utils.h", "utils_list.h", "utils_ringbuff.h"}


def c_source(path):
    """A file of C, with the function's body in place of its second name."""
    text = path.read_text()
    bodies = dict(C_STATIC.findall(text))
    return C_ALIAS.sub(lambda alias: f"{alias[1]}\n{{{bodies.get(alias[2], '')}}}", text)


def definitions():
    """C name: the archive whose sources define it."""
    found = {}
    for archive, patterns in SOURCES.items():
        for path in (p for pattern in patterns for p in sorted(ROOT.glob(pattern))):
            text = c_source(path) if path.suffix == ".c" else path.read_text()
            text = re.sub(r"//.*|/\*.*?\*/", "", text, flags=re.S if path.suffix == ".c" else 0)
            pattern = RUST_DEFINITION if path.suffix == ".rs" else C_DEFINITION
            found.update((name, archive) for name in pattern.findall(text))
    return found


def symbols(interface):
    """Every function and variable of an interface's public headers as (header, name, is_variable, facts)."""
    data = json.loads((INTERFACES[interface][1] / "symbols.json").read_text())
    known = {header for _, headers in GROUPS for header in headers}
    for kind in ("functions", "globals"):
        for name, facts in data[kind].items():
            header = PurePosixPath(facts["header"]).name
            if header in NOT_OFFERED:
                continue
            if header not in known:
                sys.exit(f"compatibility.py: {name} is in {header}, which belongs to no group of the page")
            yield header, name, kind == "globals", facts


def conditions(facts):
    """(switch, on) for each switch of config.h that a name depends on."""
    found = [(c.split("(")[1].rstrip(")"), not c.startswith("!")) for c in facts.get("declared_when", [])]
    # Declared in KEY mode, too, and defined nowhere there.
    return found + [("AUTH_MODE_CERT", True)] if facts.get("defined_in") == ["cert-tls"] else found


def provider(name, facts, defined):
    return "header" if facts["provider"] == "inline" else defined.get(name)


def remarks(name, facts):
    needs = [f"with `{OPTIONS.get(switch, switch)}` {'CERT' if switch == 'AUTH_MODE_CERT' else 'ON' if on else 'OFF'}"
             for switch, on in conditions(facts)]
    if option := WHOLE_HEADERS.get(PurePosixPath(facts["header"]).name):
        needs.append(f"with `{option}` ON")
    return ", ".join(needs + ([REMARKS[name]] if name in REMARKS else []))


def page():
    defined = definitions()
    # Name: header, whether it is a variable, facts of the first interface that has it, and all that have it.
    rows = {}
    for interface in INTERFACES:
        for header, name, variable, facts in symbols(interface):
            rows.setdefault(name, (header, name, variable, facts, []))[4].append(interface)
    rows = sorted(rows.values(), key=lambda row: row[1].lower())
    places = {"header": "inline in the header", "libiot_sdk": "`libiot_sdk`", "libiot_platform": "`libiot_platform`"}

    def counted(of, interface):
        """How many of them the interface has, and how many of these are provided."""
        declared = [row for row in of if interface in row[4]]
        return len(declared), sum(provider(row[1], row[3], defined) is not None for row in declared)

    def verdict(of, interface):
        declared, done = counted(of, interface)
        return "none there" if not declared else "all" if done == declared else f"{done} of {declared}"

    for interface in INTERFACES:
        for row in (row for row in rows if interface in row[4] and not provider(row[1], row[3], defined)):
            if ("AT_TCP_ENABLED", True) not in conditions(row[3]):
                sys.exit(f"compatibility.py: {row[1]} is not provided, and not the AT modem's")

    total = [f"{counted(rows, interface)[1]} of the {counted(rows, interface)[0]} of {release}"
             for interface, (release, _) in INTERFACES.items()]
    lines = [
        "# Compatibility",
        "<!-- Made by tests/abi/compatibility.py. Don't edit: ./test.sh compares. -->",
        "Every function and variable that the public headers of the C SDK 3.2.3 and 3.3.0 declare, and where this library has",
        "it when it is built with `IOT_ABI=3.2`, the default, and with `IOT_ABI=3.3`. [switching.md](switching.md) tells how to",
        "switch, which releases need which, and what behaves differently.",
        "",
        f"Provided: {', and '.join(total)}. The others are what the C SDK's driver for AT modems needs of a",
        "platform. This library has no such driver, so nothing would call them; the C SDK's default options leave them out, too.",
        "The last column names the option of this library, or the C SDK's switch, that a name needs.",
        "",
        "| group | header | 3.2 | 3.3 |",
        "|---|---|---|---|",
    ]
    for title, headers in GROUPS:
        group = [row for row in rows if row[0] in headers]
        link = f"[{title}](#{title.lower().replace(' ', '-')})"
        counts = " | ".join(verdict(group, interface) for interface in INTERFACES)
        lines.append(f"| {link} | {', '.join(f'`{h}`' for h in headers)} | {counts} |")
    for title, headers in GROUPS:
        lines += ["", f"## {title}"]
        for header in headers:
            lines += ["", f"`{header}`", "", "| name | in 3.2 | in 3.3 | remarks |", "|---|---|---|---|"]
            for _, name, variable, facts, has in (row for row in rows if row[0] == header):
                where = places.get(provider(name, facts, defined), "not provided")
                label = f"`{name}`" + (" (variable)" if variable else "")
                cells = [label, *(where if interface in has else "-" for interface in INTERFACES), remarks(name, facts)]
                cells = " | ".join(cells)
                lines.append(f"| {cells} |".replace("|  |", "| |"))
    return "\n".join(lines) + "\n"


def misnamed():
    """Where the platform's Rust functions and the HAL_* that call them differ."""
    callers, exports = {}, {}
    for path in sorted(ROOT.glob("platform/*/weak/*.c")):
        for name, body in C_CALLER.findall(c_source(path)):
            for callee in PLATFORM_CALL.findall(body):
                callers.setdefault(callee, set()).add(name)
    for path in sorted(ROOT.glob("platform/*/src/*.rs")):
        text = path.read_text()
        if path.name != "edge.rs":
            exports.update((name, told) for told, name in PLATFORM_EXPORT.findall(text))
            # These are called by c/gcm.c and c/curves.c alone, and guard each function themselves.
            own = path.name in ("curves.rs", "gcm.rs") and path.parent == ROOT / "platform/mbedtls/src"
            if "#[no_mangle]" in text and not own:
                yield f"{path.relative_to(ROOT)} exports a function without export!"
    for name in sorted(callers.keys() - exports.keys()):
        yield f"no export! defines {name}, which C code calls"
    for name, told in sorted(exports.items()):
        known_as = callers.get(name, {name})
        if told not in known_as:
            yield f"{name} calls itself {told} in the log, and is {' or '.join(sorted(known_as))}"


def contradictions(lib, config, interface):
    """Where the archives differ from the page."""
    yield from misnamed()
    switches = json.loads((INTERFACES[interface][1] / f"{config}.json").read_text())["config_macros"]
    defined = definitions()
    for archive in SOURCES:
        path = lib / f"{archive}.a"
        if not path.exists():
            yield f"{path} is missing"
            continue
        nm = subprocess.run(["nm", "--defined-only", "--extern-only", path], capture_output=True, text=True)
        names = {line.split()[2] for line in nm.stdout.splitlines() if len(line.split()) == 3}
        # What the sources define is what export! and the C files say; the archive must have no name besides.
        for name in sorted(names - defined.keys()):
            if not name.startswith("qcloud_iot."):
                yield f"{path.name} defines {name}, which no export! and no C file of {archive} does"
        for _, name, _, facts in symbols(interface):
            where = provider(name, facts, defined)
            active = all((switch in switches) == on for switch, on in conditions(facts))
            if where == archive and active and name not in names:
                yield f"{path.name} lacks {name}, which the page calls provided"
            if where is None and name in names:
                yield f"{path.name} defines {name}, which the page calls not provided"


def main():
    parser = argparse.ArgumentParser(description="Writes docs/compatibility.md.")
    parser.add_argument("--check", action="store_true", help="compare with the page instead of writing it")
    parser.add_argument("--lib", type=Path, metavar="DIR", help="folder with libiot_sdk.a and libiot_platform.a")
    parser.add_argument("--config", default="key-tls", help="configuration the archives were built in")
    parser.add_argument("--abi", default="3.2", choices=INTERFACES, help="interface that the archives were built with")
    args = parser.parse_args()
    if args.lib:
        found = list(contradictions(args.lib, args.config, args.abi))
        print("\n".join(found) if found else f"{args.lib}: as docs/compatibility.md says ({args.config})")
        sys.exit(1 if found else 0)
    if not args.check:
        PAGE.write_text(page())
    elif found := list(misnamed()):
        sys.exit("\n".join(found))
    elif not PAGE.exists() or PAGE.read_text() != page():
        sys.exit("docs/compatibility.md is out of date: run tests/abi/compatibility.py")


if __name__ == "__main__":
    main()
