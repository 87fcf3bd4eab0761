#!/usr/bin/env python3
"""Each check of this folder, once on a small repository that keeps its rule and on such that break it."""

import pathlib
import subprocess
import tempfile
import unittest

import modules
import references
import rust_source
import sources

MANIFEST = '[package]\nname = "x"\n'


class Repository:
    """A repository that is gone when the test is over."""

    def __init__(self, test, contents):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        subprocess.run(["git", "init", "-q"], cwd=self.root, check=True)
        for name, text in contents.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


class References(unittest.TestCase):
    PAGES = {
        "docs/contract/wire.md": "# Wire\n## 1. Where\n## 2. Who\nAs in section 1 (section 2).\n",
        "docs/contract/hal.md": "# HAL\nNo numbers.\n",
        "docs/contract/versions.md": "# Versions\n## Cases a test must have\n1. One.\n2. Two.\n",
        "docs/contract/cases/README.md": "# Cases\n",
        "docs/contract/cases/out_of_memory.md": "# No memory\n",
        "tests/memory.c": "/* Case out_of_memory. */\n",
        "docs/architecture.md": "# A\n## Decisions\n1. One.\n2. Two.\n",
    }

    def found(self, name, text):
        return references.check(Repository(self, {**self.PAGES, name: text}).root)

    def test_references_that_lead_somewhere(self):
        for text in (
            "//! wire.md section 2, hal.md\n",
            "// wire.md sections 1 and 2 (`docs/contract/wire.md`)\n",
            "// The wire contract,\n// section 2, and section 1 of wire.md; architecture.md decision 2\n",
            "/// Wire.md section 1. MQTT 3.1.1 section 4.7. RFC 9112 section 7.1.\n",
            "// case out_of_memory, the case `out_of_memory`\n",
            "// versions.md case 2, cases 1 and 2 of versions.md\n",
        ):
            self.assertEqual(self.found("src/a.rs", text), [], text)
        self.assertEqual(self.found("README.md", "[a](docs/contract/wire.md#2-who) `wire.md` 2 https://x.y/z.md mbedtls/ssl.h\n"), [])

    def test_references_that_lead_nowhere(self):
        for text in (
            "//! wire.md section 3\n",
            "// wire.md sections 1 and 3\n",
            "// the wire\n// contract, section 9\n",
            "// section 7 of wire.md\n",
            "// hal.md section 1\n",
            "// nothing.md\n",
            "// spoken contract, section 1\n",
            "// architecture.md decision 3\n",
            "// case out_of_luck\n",
            "// versions.md case 3\n",
            "// see wire.md\n// section 4\n",
        ):
            self.assertEqual(len(self.found("src/a.rs", text)), 1, text)
        for text in ("`docs/contract/sent.rs`", "contract/none.py", "[a](docs/none)", "[a](docs/contract/wire.md#3-what)", "`wire.md` 3"):
            self.assertEqual(len(self.found("README.md", text + "\n")), 1, text)

    def test_a_case_that_no_test_names(self):
        for test in ("/* Case out_of_memory_at_all. */\n", "int main(void);\n"):
            self.assertEqual(self.found("tests/memory.c", test), ["no test names the case out_of_memory"], test)
        self.assertEqual(self.found("tests/memory.c", "void out_of_memory(void);\n"), [])


class Modules(unittest.TestCase):
    def found(self, **contents):
        names = {"Cargo.toml": MANIFEST}
        names.update({f"src/{name.replace('__', '/')}.rs": text for name, text in contents.items()})
        return modules.check(Repository(self, names).root)

    def test_a_line_is_no_circle(self):
        self.assertEqual(self.found(lib="mod a; mod b;", a="use crate::b::B;", b="pub struct B;"), [])

    def test_two_that_need_each_other(self):
        for b in ("use crate::a::A;", "use super::a::{self, A};", "fn f() { crate::a::g() }", "use super::a as x;"):
            found = self.found(lib="mod a; mod b;", a="use crate::b::B; pub struct A;", b=b + " pub struct B;")
            self.assertEqual(len(found), 1, b)

    def test_around_a_corner_and_through_parts(self):
        found = self.found(
            lib="mod a; mod b; mod c;", a="mod part;", a__part="use crate::b::B;", b="pub use crate::c::C as B;",
            c="use crate::a; pub struct C;")
        self.assertEqual(len(found), 1)
        self.assertIn("a, c need each other", found[0])

    def test_tests_comments_and_texts_do_not_count(self):
        self.assertEqual(self.found(
            lib="mod a; mod b;", a="use crate::b::B;",
            b='// crate::a::A\nconst X: &str = "crate::a::A";\n#[cfg(test)]\nmod tests { use crate::a::A; }\n'
              "#[cfg(test)]\nuse crate::a::A;\npub struct B;"), [])

    def test_a_part_may_use_its_whole(self):
        self.assertEqual(self.found(lib="mod a;", a="mod b; use b::B; pub struct A;", a__b="use super::A; pub struct B;"), [])


class Sources(unittest.TestCase):
    def found(self, name, text):
        return sources.check(Repository(self, {name: text}).root)

    def test_length(self):
        self.assertEqual(self.found("src/a.rs", "\n" * 600), [])
        self.assertEqual(len(self.found("src/a.rs", "\n" * 601)), 1)
        self.assertEqual(len(self.found("tests/a.c", "\n" * 601)), 1)

    def test_who_names_the_platform(self):
        self.assertEqual(self.found("src/hal/a.rs", "use iot_abi::import::HAL_Malloc;\n"), [])
        self.assertEqual(self.found("src/ffi/a.rs", "// HAL_Malloc\n#[cfg(test)]\nmod tests { fn f() { HAL_Free() } }\n"), [])
        self.assertEqual(len(self.found("src/ffi/a.rs", "use iot_abi::import::HAL_Malloc;\n")), 1)
        self.assertEqual(len(self.found("src/ffi/a.c", "/* HAL_Free */ void *HAL_Malloc(unsigned);\n")), 1)

    def test_who_makes_codes(self):
        self.assertEqual(self.found("src/ffi/a.rs", "use iot_abi::error::X;\n"), [])
        self.assertEqual(len(self.found("src/drive/a.rs", "use iot_abi::error::X;\n")), 1)
        self.assertEqual(len(self.found("engine/src/a.rs", "const X: i32 = QCLOUD_ERR_FAILURE;\n")), 1)

    def test_examples(self):
        for text, count in (("//! ```\n//! 1;\n//! ```\n", 0), ("//! No example.\n", 1)):
            contents = {"Cargo.toml": MANIFEST, "src/lib.rs": text}
            self.assertEqual(len(sources.check(Repository(self, contents).root)), count)

    def test_unsafe(self):
        self.assertEqual(self.found("src/hal/a.rs", "unsafe {}\n"), [])
        self.assertEqual(len(self.found("src/drive/a.rs", "fn f() { unsafe { g() } }\n")), 1)


class Blank(unittest.TestCase):
    def test_literals(self):
        text = "a /* x /* y */ z */ 'q' \"s\\\"t\" r#\"u\"v\"# b'\\'' c 'life d // e\nf"
        self.assertEqual(rust_source.blank(text).split(), ["a", '"', '"', '"', '"', '"', '"', '"', '"', "c", "'life", "d", "f"])


if __name__ == "__main__":
    unittest.main()
