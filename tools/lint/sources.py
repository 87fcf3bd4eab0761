#!/usr/bin/env python3
"""Rules about single files:

- No source file has more than 600 lines.
- Only src/hal names a `HAL_*` of the platform; the rest of the library goes through it.
- The contract's numbers (`iot_abi::error`) are named at the edge only: src/ffi, src/hal.
- `unsafe` is in src/ffi, src/hal, platform/ and the tests' helpers only.
- The documentation of every library of the workspace has an example.
"""

import re
import sys

import files
import rust_source

MOST_LINES = 600
# Generated, each with a check that it is what its generator makes.
GENERATED = ("include/", "tests/console/node_modules/")

# Known, and to be split. A name that stands here without need is a finding, too.
TOO_LONG = {"c_examples/ota_mqtt_sample.c"}

HAL = re.compile(r"\bHAL_[A-Z]\w*")
CODES = re.compile(r"\b(?:iot_abi|crate)::error\b|\bQCLOUD_(?:ERR|RET)_\w+|\bIOT_OTA_ERR_\w+")
UNSAFE = re.compile(r"\bunsafe\b")
# Engine, library: where nothing but the edge may know C.
LIBRARY = ("src/", "engine/src/")
C_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)


def code_of(path, text):
    """What of a file is code of the library: no comments, no texts, no tests."""
    if path.suffix == ".rs":
        return rust_source.without_tests(rust_source.blank(text))
    return C_COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def is_test(path):
    return path.stem in {"tests", "simulation", "testing"} or "_tests" in str(path) or "/tests/" in f"/{path}" \
        or "/testing/" in f"/{path}"


def lines_with(pattern, path, code, what):
    for number, line in enumerate(code.splitlines(), 1):
        found = pattern.search(line)
        if found:
            yield f"{path}:{number}: {what.format(found[0])}"


def look(path, text):
    name = str(path)
    count = text.count("\n")
    if path.suffix in files.SOURCES and not name.startswith(GENERATED):
        if count > MOST_LINES and name not in TOO_LONG:
            yield f"{path}: {count} lines, more than {MOST_LINES}"
        if count <= MOST_LINES and name in TOO_LONG:
            yield f"{path}: {count} lines, so it can be taken out of TOO_LONG"
    if path.suffix not in {".rs", ".c"} or is_test(path):
        return
    if name.startswith(LIBRARY):
        code = code_of(path, text)
        if not name.startswith("src/hal/"):
            yield from lines_with(HAL, path, code, "{} is named outside src/hal")
        if not name.startswith(("src/hal/", "src/ffi/")):
            yield from lines_with(CODES, path, code, "{} is named outside the edge (src/ffi, src/hal)")
            yield from lines_with(UNSAFE, path, code, "unsafe outside src/ffi, src/hal and platform")


def without_example(root):
    """Libraries in whose documentation no example stands."""
    for crate in rust_source.crates(root):
        # Fuzz targets and the second Rust library of a link test are no libraries for anybody.
        if not crate.name.endswith("/lib.rs") or crate.name.startswith(("fuzz/", "tests/link/")):
            continue
        texts = ((root / module.file).read_text(encoding="utf-8") for module in crate.modules.values())
        if not any(re.search(r"(?m)^\s*//[/!] ```", text) for text in texts):
            yield f"{crate.name}: no example in its documentation"


def check(root=files.ROOT):
    problems = list(without_example(root))
    for path in files.tracked(root):
        if path.suffix in files.SOURCES or files.is_script(path, root):
            problems += look(path, (root / path).read_text(encoding="utf-8", errors="replace"))
    return problems


if __name__ == "__main__":
    sys.exit(files.report("sources", check()))
