#!/usr/bin/env python3
"""Writes a C header from the contract's data alone: what code compiled against the C SDK has built into its objects.

    freestanding.py data/key-tls.json > abi.h

It holds the enums, structs, typedefs, constants, initialisers and prototypes of the public headers (and of
qcloud_iot_common.h and utils_timer.h), asserts the layouts of the data, and includes nothing but the compiler's headers.
"""

import json
import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # no __pycache__ among the sources
from generate import NOT_OFFERED, c_number, c_string, items, own_name, parameters

WORDS = re.compile(r"\b(?:(?:struct|enum|union) )?[A-Za-z_]\w*\b")


class Header:
    def __init__(self, config):
        self.headers = [config["headers"][p] for p in config["include_order"] if not NOT_OFFERED.search(p)]
        self.lines = [
            f"/* Made by freestanding.py from {config['config']}. */",
            "#include <stdarg.h>", "#include <stdbool.h>", "#include <stddef.h>", "#include <stdint.h>",
        ]

    def all(self, kind):
        seen = set()
        for header in self.headers:
            for item in items(header, kind):
                key = own_name(item) or id(item) if kind in ("structs", "enums") else item["name"]
                if key not in seen:
                    seen.add(key)
                    yield item

    def put(self, *lines):
        self.lines += lines

    def check(self, condition):
        self.put(f"_Static_assert({condition}, {c_string(condition)});")

    def enums(self):
        for enum in self.all("enums"):
            members = ", ".join(f"{m['name']} = {c_number(m['value'])}" for m in items(enum, "members"))
            tag, typedef = enum["name"] or "", enum["typedef"]
            self.put(f"{'typedef ' if typedef else ''}enum {tag} {{ {members} }} {typedef or ''};")
            if own_name(enum):
                name = own_name(enum)
                self.check(f"sizeof({name}) == {enum['size']} && (({name})-1 < ({name})1) == {int(enum['signed'])}")

    def foreign(self, field):
        """A struct of the C library inside one of ours: so many bytes."""
        return f"struct abi_foreign_{field['type'].split()[1]}"

    def types(self):
        """Structs and typedefs, each after what it needs whole."""
        structs, typedefs = list(self.all("structs")), list(self.all("typedefs"))
        tags = {f"{s['kind']} {s['name']}" for s in structs if s["name"]}
        known_names = {own_name(s) for s in structs} | {t["name"] for t in typedefs}
        complete = set()
        for struct in structs:
            if struct["typedef"]:
                self.put(f"typedef {struct['kind']} {self.tag(struct)} {struct['typedef']};")
        waiting = [(t["name"], t) for t in typedefs] + [(own_name(s), s) for s in structs]
        while waiting:
            later = []
            for name, item in waiting:
                needs = self.needs(item, known_names | tags)
                if needs - complete:
                    later.append((name, item))
                    continue
                complete |= {name} | ({f"{item['kind']} {item['name']}"} if item.get("fields") and item["name"] else set())
                self.struct(item, tags) if "fields" in item else self.typedef(item, name, structs)
            if len(later) == len(waiting):
                sys.exit(f"freestanding.py: these need each other: {', '.join(name for name, _ in later)}")
            waiting = later

    def needs(self, item, known):
        if "fields" in item:
            whole = [f["type"] for f in item["fields"] if "*" not in f["type"]]
            return {word for text in whole for word in WORDS.findall(text)} & known
        # A pointer to a struct can do with its name, another typedef can't.
        structs = {own_name(s) for s in self.all("structs")}
        return {word for word in WORDS.findall(item["type"]) if word in known and word not in structs} - {item["name"]}

    def tag(self, struct):
        return struct["name"] or f"abi_{struct['typedef']}"

    def typedef(self, typedef, name, structs):
        if any(s["typedef"] == name for s in structs):
            return  # said with the struct
        self.put(f"typedef __typeof__({typedef['type']}) {name};")

    def struct(self, struct, tags):
        name = own_name(struct)
        for field in items(struct, "fields"):
            if re.match(r"struct \w+$", field["type"]) and field["type"] not in tags:
                self.put(f"{self.foreign(field)} {{ _Alignas({struct['align']}) unsigned char bytes[{field['size']}]; }};")
        self.put(f"{struct['kind']} {self.tag(struct)} {{")
        for field in items(struct, "fields"):
            is_foreign = re.match(r"struct \w+$", field["type"]) and field["type"] not in tags
            self.put(f"    __typeof__({self.foreign(field) if is_foreign else field['type']}) {field['name']};")
        self.put("};")
        self.check(f"sizeof({name}) == {struct['size']} && _Alignof({name}) == {struct['align']}")
        for field in items(struct, "fields"):
            self.check(f"offsetof({name}, {field['name']}) == {field['offset']}")

    def constants(self):
        for constant in self.all("constants"):
            value = constant["value"]
            spelt = c_string(value) if constant["kind"] == "string" else c_number(value)
            self.put(f"#ifndef {constant['name']}", f"#define {constant['name']} {spelt}", "#endif")
        for macro in self.all("initializer_macros"):
            values = ", ".join(f".{v['field']} = {self.initial(v['value'])}" for v in items(macro, "values"))
            self.put(f"#define {macro['name']} {{ {values} }}")

    def initial(self, value):
        if value is None:
            return "NULL"
        return c_string(value) if isinstance(value, str) else c_number(value)

    def declarations(self):
        for variable in self.all("globals"):
            self.put(f"extern __typeof__({variable['type']}) {variable['name']};")
        for function in self.all("functions"):
            if function["linkage"] == "extern":
                self.put(f"extern __typeof__({function['return']}) {function['name']}({parameters(function, str)});")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: freestanding.py data/<configuration>.json > abi.h")
    header = Header(json.loads(Path(sys.argv[1]).read_text()))
    header.enums()
    header.types()
    header.constants()
    header.declarations()
    print("\n".join(header.lines))


if __name__ == "__main__":
    main()
