#!/usr/bin/env python3
"""Turns a configuration of the contract's data into C and C++ that only compiles where the headers agree with it.

    generate.py data/key-tls.json OUT_DIR            writes the units below and prints what they cover
    generate.py data/key-tls.json OUT_DIR --spoil    the same with every expectation changed: none may hold
    generate.py --unnoticed OUT_DIR < MESSAGES       which changed expectations compilers and programs let pass

The units:
    together.c        all headers: layouts, values, types, prototypes; for `gcc -std=gnu11 -fsyntax-only`
    together.cpp      all headers: the exact types of functions, variables, fields and typedefs, for C takes an enum and
                      its integer for the same and C++ doesn't; for `g++ -std=c++17 -fsyntax-only`
    defaults.c        a program that compares initialiser macros and strings at run time
    alone_<name>.c    one header, and everything it promises to show, its own names and those of its includes

Each expectation is one line with nothing else on it, so that a message's line number names what failed. What the units
check is counted in facts (an offset, a value, a prototype) and compared with the facts in the data, which are counted
on their own; exit code 1 unless all are checked.
"""

import argparse
import json
import re
import sys
from pathlib import Path, PurePosixPath

SCOPE = {
    "config.h", "platform.h", "qcloud_iot_import.h", "qcloud_iot_export.h", "qcloud_iot_export_variables.h",
    "qcloud_iot_export_error.h", "qcloud_iot_export_log.h", "qcloud_iot_export_mqtt.h", "qcloud_iot_export_ota.h",
    "qcloud_iot_export_system.h", "qcloud_iot_common.h", "lite-utils.h", "lite-list.h", "utils_timer.h",
    "utils_param_check.h", "utils_getopt.h",
}

# The C SDK's AT modem driver and its helpers are not offered.
NOT_OFFERED = re.compile(r"/(at_\w+|utils_ringbuff|utils_list)\.h$")

# What shows that a system header is visible: an operand of sizeof or, after '#', the name of a macro.
WITNESSES = {
    "<assert.h>": "#assert", "<fcntl.h>": "&open", "<inttypes.h>": "imaxdiv_t", "<limits.h>": "#CHAR_BIT",
    "<pthread.h>": "pthread_mutex_t", "<signal.h>": "sig_atomic_t", "<stdarg.h>": "va_list",
    "<stdbool.h>": "#true", "<stddef.h>": "ptrdiff_t", "<stdint.h>": "uint_least64_t", "<stdio.h>": "FILE",
    "<stdlib.h>": "&strtoul", "<string.h>": "&memcpy", "<sys/time.h>": "&gettimeofday",
    "<sys/types.h>": "ssize_t", "<unistd.h>": "&getcwd",
}

# What the data may say. A key that is not here stops the script, so that nothing new goes unchecked.
HEADER_REMARKS = {
    "scope", "include_guard", "extern_c", "compiles_alone", "requires", "compiles_as_cxx", "missing_when_alone",
    "includes_when_first", "inactive_macros", "inactive_includes",
}
KNOWN_KEYS = {
    "functions": "name return params variadic linkage provider defined used_by_lib when",
    "globals": "name type linkage provider defined",
    "enums": "name typedef members size signed when",
    "structs": "name typedef kind size align fields when",
    "typedefs": "name type params unprototyped when",
    "constants": "name value kind ctype usable_in_if alias_of only_if_not_defined_before when",
    "initializer_macros": "name applies_to values when",
    "function_macros": "name params effect examples when",
    "other_macros": "name kind effect expands_to when",
    "members": "name value",
    "fields": "name type offset size when",
    "values": "field type value",
    "examples": "expr value",
}


class DataError(Exception):
    """The data says something that nothing here checks."""


def items(owner, key):
    """The entries of one list of the data, each with known keys only."""
    for item in owner.get(key, []):
        unknown = set(item) - set(KNOWN_KEYS[key].split())
        if unknown:
            raise DataError(f"{key}: {item.get('name')} has {', '.join(sorted(unknown))}")
        yield item


def own_name(record):
    """What a struct, union or enum is called in a program; None where it only lists enumerators."""
    if record["typedef"] or not record["name"]:
        return record["typedef"]
    return f"{record.get('kind', 'enum')} {record['name']}"


def facts_of(config, path):
    """Every fact of one header as (name, aspect). Shares nothing with the code that writes the checks."""
    header = config["headers"][path]
    unknown = set(header) - HEADER_REMARKS - set(KNOWN_KEYS) - {"includes"}
    if unknown:
        raise DataError(f"{path} has {', '.join(sorted(unknown))}")
    facts = [(name, "visible") for name in header.get("includes", [])]
    if path.endswith("/config.h"):
        facts += [(name, "switch") for name in config["config_macros"] + config["config_macros_off"]]
    facts += [(f["name"], "prototype") for f in items(header, "functions")]
    facts += [(v["name"], "type") for v in items(header, "globals")]
    facts += [(t["name"], "type") for t in items(header, "typedefs")]
    for enum in items(header, "enums"):
        facts += [(own_name(enum), aspect) for aspect in ("size", "signed") if own_name(enum)]
        facts += [(member["name"], "value") for member in items(enum, "members")]
    for struct in items(header, "structs"):
        facts += [(own_name(struct), aspect) for aspect in ("size", "align")]
        for field in items(struct, "fields"):
            facts += [(f"{own_name(struct)}.{field['name']}", aspect) for aspect in ("type", "offset", "size")]
    for record in [*items(header, "enums"), *items(header, "structs")]:
        if record["name"] and record["typedef"]:
            facts.append((record["typedef"], "tag"))
    for constant in items(header, "constants"):
        known = [aspect for aspect in ("value", "ctype", "usable_in_if") if constant.get(aspect) is not None]
        facts += [(constant["name"], aspect) for aspect in known]
    for macro in items(header, "initializer_macros"):
        facts.append((macro["name"], "initialises"))
        facts += [(f"{macro['name']}.{value['field']}", "value") for value in items(macro, "values")]
    for macro in items(header, "function_macros"):
        facts += [(macro["name"], "arguments"), (macro["name"], "effect")]
        facts += [(example["expr"], "value") for example in items(macro, "examples")]
    facts += [(macro["name"], macro["kind"]) for macro in items(header, "other_macros")]
    return {(path, *fact) for fact in facts}


# ---- C spelling ----

def c_type(text):
    """A type that needs no <stdbool.h>."""
    return re.sub(r"\bbool\b", "_Bool", text)


def c_string(text):
    return '"' + "".join(c if c.isalnum() or c in " _.,;:-+=<>()[]/*&#" else f"\\{ord(c):03o}" for c in text) + '"'


def c_number(value):
    if isinstance(value, bool):
        return str(int(value))
    return f"({value})" if isinstance(value, float) or value >= -(2**31) else f"({value + 1}LL - 1)"


def parameters(function, spell):
    types = [spell(p["type"]) for p in function["params"]] + (["..."] if function["variadic"] else [])
    return ", ".join(types) or "void"


# ---- Units ----

class Unit:
    """A source file, and which of its lines check what."""

    def __init__(self, config, spoil, covered):
        self.config = config
        self.spoil = spoil
        self.covered = covered
        self.lines = []
        self.marks = {}  # line number: what it checks
        self.path = None  # the header the checks belong to
        self.number = 0

    def text(self, *lines):
        self.lines += "\n".join(lines).split("\n")

    def expect(self, name, aspect, line):
        """A line that fails where the fact does not hold."""
        self.lines.append(line)
        self.marks[len(self.lines)] = f"{PurePosixPath(self.path).name}: {name}, {aspect}"
        self.covered.add((self.path, name, aspect))

    def holds(self, name, aspect, condition):
        self.expect(name, aspect, f"_Static_assert({condition}, {c_string(f'{name}: {aspect}')});")

    def unique(self):
        self.number += 1
        return f"abi_{self.number}"

    # What is expected, and with --spoil something else.

    def value(self, number):
        return c_number(number + 1 if self.spoil else number)

    def flag(self, on):
        return int(bool(on) != self.spoil)

    def name(self, name):
        return f"{name}_{self.unique()}" if self.spoil else name

    def type(self, text):
        return "struct abi_other *" if self.spoil else text

    def defined(self, name, aspect, macro=None):
        """A macro is there."""
        self.text(f"#ifndef {self.name(macro or name)}")
        self.expect(name, aspect, f"#error {name} is missing")
        self.text("#endif")


class CUnit(Unit):
    """Everything a C compiler can say about a header."""

    def same(self, name, aspect, left, right):
        self.holds(name, aspect, f"__builtin_types_compatible_p({left}, {right})")

    def header(self, path):
        self.path = path
        header = self.config["headers"][path]
        if path.endswith("/config.h"):
            self.switches()
        for key in KNOWN_KEYS:
            if key in header:
                for item in items(header, key):
                    getattr(self, key)(item)

    def switches(self):
        for names, on in ((self.config["config_macros"], True), (self.config["config_macros_off"], False)):
            for name in names:
                self.text(f"#if{'n' if self.flag(on) else ''}def {name}")
                self.expect(name, "switch", f"#error {name} must be {'on' if on else 'off'}")
                self.text("#endif")

    def visible(self, name):
        witness = WITNESSES.get(name)
        if name.startswith('"'):  # the alone units check the interface of these
            self.covered.add((self.path, name, "visible"))
        elif witness is None:
            raise DataError(f"{self.path} includes {name}, which has no witness here")
        elif witness.startswith("#"):
            self.defined(name, "visible", witness[1:])
        else:
            self.holds(name, "visible", f"sizeof({self.name(witness)}) > 0")

    def functions(self, function):
        name, returned, params = function["name"], c_type(function["return"]), parameters(function, c_type)
        linkage = "static inline" if function["linkage"] == "static inline" else "extern"
        # As a value of the exact pointer type, and declared once more with the exact type. --spoil changes the
        # parameters of one and what the other returns.
        other = f"struct abi_other *, {params}" if params != "void" else "struct abi_other *"
        pointer = f"__typeof__({returned}) (*{self.unique()})({other if self.spoil else params})"
        self.expect(name, "prototype", f"static __attribute__((unused)) {pointer} = {name};")
        self.expect(name, "prototype", f"{linkage} __typeof__({self.type(returned)}) {name}({params});")

    def globals(self, variable):
        spelt = self.type(c_type(variable["type"]))
        self.expect(variable["name"], "type", f"extern __typeof__({spelt}) {variable['name']};")

    def typedefs(self, typedef):
        name = typedef["name"]
        # C11 lets a typedef stand twice where both say the same.
        self.expect(name, "type", f"typedef __typeof__({self.type(c_type(typedef['type']))}) {name};")
        if typedef.get("unprototyped"):
            arguments = "nothing, at, all" if self.spoil else "1, (void *)0"
            self.holds(name, "type", f"sizeof((({name})0)({arguments})) > 0")

    def record(self, record, keyword):
        name = own_name(record)
        self.holds(name, "size", f"sizeof({name}) == {self.value(record['size'])}")
        if record["name"] and record["typedef"]:
            tag = "struct abi_other" if self.spoil else f"{keyword} {record['name']}"
            self.same(name, "tag", f"{name} *", f"{tag} *")

    def enums(self, enum):
        name = own_name(enum)
        if name:
            self.record(enum, "enum")
            self.holds(name, "signed", f"((({name})-1) < ({name})1) == {self.flag(enum['signed'])}")
        for member in items(enum, "members"):
            self.holds(member["name"], "value", f"{member['name']} == {self.value(member['value'])}")

    def structs(self, struct):
        name = own_name(struct)
        self.record(struct, struct["kind"])
        self.holds(name, "align", f"_Alignof({name}) == {self.value(struct['align'])}")
        for field in items(struct, "fields"):
            label, member = f"{name}.{field['name']}", f"(({name} *)0)->{field['name']}"
            self.holds(label, "offset", f"__builtin_offsetof({name}, {field['name']}) == {self.value(field['offset'])}")
            self.holds(label, "size", f"sizeof({member}) == {self.value(field['size'])}")
            # Pointers, for the qualifiers of what they point to count.
            self.same(label, "type", f"__typeof__(&{member})", f"__typeof__({self.type(c_type(field['type']))}) *")

    def constants(self, constant):
        name, value = constant["name"], constant["value"]
        self.defined(name, "value")
        if constant["kind"] == "string":
            self.holds(name, "value", f"sizeof(\"\" {name}) == {self.value(len(value.encode()) + 1)}")
            return
        self.holds(name, "value", f"({name}) == {self.value(value)}")
        self.same(name, "ctype", f"__typeof__({name})", self.type(constant["ctype"]))
        if constant["usable_in_if"]:
            self.text(f"#if ({name}) != {self.value(value)}")
            self.expect(name, "usable_in_if", f"#error {name} has another value in #if")
            self.text("#endif")
        else:
            self.covered.add((self.path, name, "usable_in_if"))  # nobody can count on it

    def initializer_macros(self, macro):
        initialiser = self.name(macro["name"])
        variable = f"static const {macro['applies_to']} {self.unique()} __attribute__((unused))"
        self.expect(macro["name"], "initialises", f"{variable} = {initialiser};")

    def function_macros(self, macro):
        name, named = macro["name"], [p for p in macro["params"] if p != "..."]
        self.defined(name, "arguments")
        # A call turned into text shows the number of arguments without compiling what it expands to.
        if len(named) == len(macro["params"]):
            counts = [len(named) + 9 if self.spoil else len(named)]
        else:  # variadic: whatever --spoil passes would do
            counts = [] if self.spoil else [len(named), len(named) + 2]
        for count in counts:
            arguments = ", ".join(f"abi_arg{n}" for n in range(count))
            self.holds(name, "arguments", f"sizeof(ABI_TEXT({name}({arguments}))) > 0")
        for example in items(macro, "examples"):
            self.covered.add((self.path, name, "effect"))
            self.holds(example["expr"], "value", f"({example['expr']}) == {self.value(example['value'])}")

    def other_macros(self, macro):
        name, kind = macro["name"], macro["kind"]
        if kind == "empty":
            self.defined(name, kind)
            self.holds(name, kind, f"sizeof(ABI_TEXT({name})) == {self.value(1)}")
        elif kind == "statement":
            self.defined(name, kind)
        elif kind == "alias" and name == "inline":
            # What counts is that the keyword keeps its meaning.
            body = "nothing" if self.spoil else "return 1;"
            self.expect(name, kind, f"static inline int {self.unique()}(void) {{ {body} }}")
        else:
            raise DataError(f"{self.path}: {name} is of kind {kind}")


class CppUnit(Unit):
    """Exact types. The facts are those of the C unit, so nothing is counted twice."""

    def same(self, name, aspect, actual, expected):
        condition = f"std::is_same<{actual}, {self.type(expected)}>::value"
        self.expect(name, aspect, f"static_assert({condition}, {c_string(name)});")

    def header(self, path):
        self.path = path
        header = self.config["headers"][path]
        for function in items(header, "functions"):
            signature = f"{function['return']}({parameters(function, str)})"
            self.same(function["name"], "prototype", f"decltype({function['name']})", signature)
        for variable in items(header, "globals"):
            self.same(variable["name"], "type", f"decltype({variable['name']})", variable["type"])
        for typedef in items(header, "typedefs"):
            self.same(typedef["name"], "type", typedef["name"], typedef["type"])
        for struct in items(header, "structs"):
            for field in items(struct, "fields"):
                name, member = own_name(struct), field["name"]
                self.same(f"{name}.{member}", "type", f"decltype({name}::{member})", field["type"])


class DefaultsUnit(Unit):
    """What only a running program sees. A difference is printed like a compiler's message."""

    def run_time(self, name, aspect, condition):
        self.expect(name, aspect, f"    if (!({condition})) differs(__LINE__, {c_string(f'{name}: {aspect}')});")

    def header(self, path):
        self.path = path
        header = self.config["headers"][path]
        for constant in items(header, "constants"):
            if constant["kind"] == "string":
                condition = f"strcmp({constant['name']}, {self.string(constant['value'])}) == 0"
                self.run_time(constant["name"], "value", condition)
        for macro in items(header, "initializer_macros"):
            self.text("    {", f"    {macro['applies_to']} v = {macro['name']};")
            for item in items(macro, "values"):
                field, value = f"v.{item['field']}", item["value"]
                if isinstance(value, str):
                    size = f"sizeof({field}), {self.string(value)}, sizeof({self.string(value)})"
                    condition = f"is_text({field}, {size})"
                elif value is None:
                    condition = f"{field} {'!=' if self.spoil else '=='} NULL"
                elif isinstance(value, bool):
                    condition = f"{field} == {self.flag(value)}"
                else:
                    condition = f"{field} == {self.value(value)}"
                self.run_time(f"{macro['name']}.{item['field']}", "value", condition)
            self.text("    }")

    def string(self, text):
        return c_string(text + "?" if self.spoil else text)


PRELUDE = """\
#pragma GCC diagnostic error "-Wincompatible-pointer-types"
#define ABI_TEXT_(...) #__VA_ARGS__
#define ABI_TEXT(...)  ABI_TEXT_(__VA_ARGS__)
struct abi_other;"""

DEFAULTS_START = """\
#include <stdio.h>
#include <string.h>
static int differences;
static __attribute__((unused)) void differs(int line, const char *what)
{
    differences++;
    printf("defaults.c:%d: error: %s\\n", line, what);
}
static __attribute__((unused)) int is_text(const char *field, size_t size, const char *text, size_t length)
{
    for (; length < size && field[size - 1] == 0; size--) {
    }
    return size == length && memcmp(field, text, length) == 0;
}
int main(void)
{"""


def include(path):
    return f'#include "{PurePosixPath(path).name}"'


def closure(config, path):
    """The header and those of the data it includes, directly or not."""
    paths = {f'"{PurePosixPath(p).name}"': p for p in config["headers"]}
    found = [path]
    for current in found:  # grows
        inner = [paths[name] for name in config["headers"][current].get("includes", []) if name in paths]
        found += [p for p in inner if p not in found]
    return found


def write_units(config, out, spoil):
    """Writes the units; returns the headers in order and the facts that are checked."""
    order = [p for p in config["include_order"] if not NOT_OFFERED.search(p)]
    covered, marks = set(), {}

    def begin(kind, first):
        unit = kind(config, spoil, covered)
        unit.text(f"/* Made by generate.py from {config['config']}. */", *first)
        return unit

    def end(unit, name):
        (out / name).write_text("\n".join(unit.lines) + "\n")
        marks[name] = unit.marks

    includes = [include(p) for p in order]
    together = begin(CUnit, [*includes, PRELUDE])
    for path in order:
        together.header(path)
    end(together, "together.c")

    exact = begin(CppUnit, [*includes, "#include <type_traits>", "struct abi_other;"])
    for path in order:
        exact.header(path)
    end(exact, "together.cpp")

    defaults = begin(DefaultsUnit, [*includes, DEFAULTS_START])
    for path in order:
        defaults.header(path)
    defaults.text("    return differences != 0;", "}")
    end(defaults, "defaults.c")

    for path in order:
        # What the C SDK itself shows only after another header is no promise.
        if config["headers"][path].get("missing_when_alone"):
            continue
        alone = begin(CUnit, [include(path), PRELUDE])
        for member in closure(config, path):
            alone.path = member
            for name in config["headers"][member].get("includes", []):
                alone.visible(name)
            alone.header(member)
        end(alone, f"alone_{PurePosixPath(path).stem}.c")

    # What the macros do is data in prose only; macros.c puts them to work.
    at_work = set(re.findall(r"\w+", (Path(__file__).parent / "macros.c").read_text()))
    for path in order:
        names = {macro["name"] for macro in items(config["headers"][path], "function_macros")}
        covered |= {(path, name, "effect") for name in names & at_work}

    (out / "marks.json").write_text(json.dumps(marks))
    return order, covered


def report(config, order, covered):
    """Prints the coverage; true when nothing is missing."""
    complete = True
    for title, paths in (
        ("in scope", [p for p in order if PurePosixPath(p).name in SCOPE]),
        ("other headers", [p for p in order if PurePosixPath(p).name not in SCOPE]),
    ):
        facts = set().union(*(facts_of(config, p) for p in paths))
        checked = facts & covered
        names = {fact[:2] for fact in facts}
        done = names - {fact[:2] for fact in facts - checked}
        print(f"{config['config']}, {title}: {len(paths)} headers, {len(done)} of {len(names)} declarations, "
              f"{len(checked)} of {len(facts)} facts checked ({len(checked) * 100 // len(facts)} %)")
        for path, name, aspect in sorted(facts - checked):
            print(f"    not checked: {path}: {name}, {aspect}")
        complete = complete and facts == checked
    absent = SCOPE - {PurePosixPath(p).name for p in order}
    for name in sorted(absent):
        print(f"    not in the data: {name}")
    return complete and not absent


def unnoticed(out, messages):
    """What a spoiled run let pass."""
    failed = {(PurePosixPath(m[1]).name, m[2]) for m in re.finditer(r"^(\S+?):(\d+):(?:\d+:)? error:", messages, re.M)}
    marks = json.loads((out / "marks.json").read_text())
    missed = [f"{unit}:{line}: {what}" for unit, lines in marks.items() for line, what in lines.items()
              if (unit, line) not in failed]
    total = sum(len(lines) for lines in marks.values())
    print(f"{total - len(missed)} of {total} changed expectations were noticed")
    for line in missed:
        print(f"    not noticed: {line}")
    return total > 0 and not missed


def main():
    parser = argparse.ArgumentParser(description="Writes C and C++ checks for one configuration of the data.")
    parser.add_argument("config", nargs="?", help="data/<configuration>.json")
    parser.add_argument("out", type=Path, help="folder for the units")
    parser.add_argument("--spoil", action="store_true", help="change every expectation")
    parser.add_argument("--unnoticed", action="store_true", help="read messages, name the spoiled checks they miss")
    args = parser.parse_args()
    if args.unnoticed:
        sys.exit(0 if unnoticed(args.out, sys.stdin.read()) else 1)
    config = json.loads(Path(args.config).read_text())
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        order, covered = write_units(config, args.out, args.spoil)
        sys.exit(0 if report(config, order, covered) else 1)
    except DataError as error:
        sys.exit(f"{args.config}: {error}")


if __name__ == "__main__":
    main()
