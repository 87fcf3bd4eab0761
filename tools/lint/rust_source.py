"""Reads as much of Rust sources as the checks need: modules, imports, paths. No full parser: comments, strings and the
bodies of tests are blanked out, and what is left is matched."""

import pathlib
import re

OPENING = {"{": "}", "(": ")", "[": "]"}


def blank(text):
    """The text with comments and literals replaced by spaces, line for line."""
    out = []
    place, end = 0, len(text)

    def put(upto):
        out.append(re.sub(r"[^\n]", " ", text[place:upto]))

    while place < end:
        two = text[place:place + 2]
        if two == "//":
            stop = text.find("\n", place)
            stop = end if stop < 0 else stop
            put(stop)
            place = stop
        elif two == "/*":
            depth, stop = 1, place + 2
            while depth and stop < end:
                if text.startswith("/*", stop):
                    depth, stop = depth + 1, stop + 2
                elif text.startswith("*/", stop):
                    depth, stop = depth - 1, stop + 2
                else:
                    stop += 1
            put(stop)
            place = stop
        else:
            raw = re.compile(r'\b(?:b|c)?r(#*)"').match(text, place)
            quote = re.compile(r'(?:\b[bc])?"').match(text, place)
            char = re.compile(r"(?:\bb)?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^\\'\n])'").match(text, place)
            if raw:
                stop = text.find('"' + raw[1], raw.end())
                stop = end if stop < 0 else stop + 1 + len(raw[1])
            elif quote:
                stop = quote.end()
                while stop < end and text[stop] != '"':
                    stop += 2 if text[stop] == "\\" else 1
                stop += 1
            elif char:
                stop = char.end()
            else:
                out.append(text[place])
                place += 1
                continue
            # The quotes stay, so that `#[path = ""]` is still one.
            out.append('"' + re.sub(r"[^\n]", " ", text[place + 1:stop - 1]) + '"' if stop - place > 1 else text[place:stop])
            place = stop
    return "".join(out)


def closing(text, start):
    """The place behind the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(text)):
        if text[place] in "{([":
            depth += 1
        elif text[place] in "})]":
            depth -= 1
            if depth == 0:
                return place + 1
    return len(text)


def without_tests(text):
    """Blanks what is compiled for tests only: `#[cfg(test)]` and the item behind it. Declarations of test files go, too."""
    pattern = re.compile(r"#\[cfg\((?:test|all\(test[^\]]*)\)\]")
    while True:
        found = pattern.search(text)
        if not found:
            return text
        place = found.end()
        while True:
            more = re.compile(r"\s*#\[").match(text, place)
            if not more:
                break
            place = closing(text, more.end() - 1)
        brace, semicolon = text.find("{", place), text.find(";", place)
        if semicolon >= 0 and (brace < 0 or semicolon < brace):
            stop = semicolon + 1
        elif re.match(r"\s*(?:pub(?:\([^)]*\))? )?use\b", text[place:]):
            stop = semicolon + 1
        else:
            stop = closing(text, brace) if brace >= 0 else len(text)
        text = text[:found.start()] + re.sub(r"[^\n]", " ", text[found.start():stop]) + text[stop:]


def split_outside(text):
    """Splits at commas that are in no brackets."""
    parts, depth, begin = [], 0, 0
    for place, char in enumerate(text):
        if char in "{([<":
            depth += 1
        elif char in "})]>":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(text[begin:place])
            begin = place + 1
    parts.append(text[begin:])
    return [part.strip() for part in parts if part.strip()]


def use_tree(text, prefix=()):
    """Each import of a `use`: its path and the name it gets. The name of a glob is `*`."""
    text = text.strip()
    brace = text.find("{")
    if brace < 0:
        path, _, name = re.sub(r"\s+", " ", text).partition(" as ")
        segments = prefix + tuple(segment.strip() for segment in path.split("::") if segment.strip())
        if segments[-1] == "self" and len(segments) > 1:
            segments = segments[:-1]
        yield segments, name.strip() or segments[-1]
        return
    head = prefix + tuple(segment.strip() for segment in text[:brace].split("::") if segment.strip())
    for part in split_outside(text[brace + 1:closing(text, brace) - 1]):
        yield from use_tree(part, head)


class Module:
    """One file of a crate."""

    ITEM = re.compile(
        r"\b(?:fn|struct|enum|trait|type|const|static|union|macro_rules!)\s+(?:mut\s+)?(?:r#)?([A-Za-z_]\w*)")
    USE = re.compile(r"(?<![\w:])(?P<visible>pub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]*);")
    MOD = re.compile(r"(?P<attributes>(?:#\[[^\]]*\]\s*)*)(?:\bpub(?:\([^)]*\))?\s+)?\bmod\s+(?P<name>\w+)\s*;")
    PATH = re.compile(r"(?<![\w:$])((?:crate|super|self|[a-z_]\w*)(?:\s*::\s*(?:super\b|[A-Za-z_]\w*))+)")

    def __init__(self, file, path, root):
        self.file, self.path = file, path
        original = (root / file).read_text(encoding="utf-8")
        blanked = blank(original)
        self.code = without_tests(blanked)
        self.children = {}
        self.items = set(self.ITEM.findall(self.code))
        self.imports = []  # path, name, visible, line
        for found in self.USE.finditer(self.code):
            line = self.code.count("\n", 0, found.start("tree")) + 1
            for segments, name in use_tree(found["tree"]):
                self.imports.append((segments, name, bool(found["visible"]), line))
        self.declared = []
        for found in self.MOD.finditer(self.code):
            given = None
            if "path" in found["attributes"]:
                written = re.search(r'path\s*=\s*"([^"]*)"', original[found.start():found.end()])
                given = written and written[1]
            self.declared.append((found["name"], given))
        rest = self.USE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), self.code)
        self.paths = [
            (tuple(re.split(r"\s*::\s*", found[1])), rest.count("\n", 0, found.start()) + 1)
            for found in self.PATH.finditer(rest)
        ]


class Crate:
    """The modules of a crate's library or program, from its root file on."""

    def __init__(self, name, root_file, root):
        self.name = name
        self.modules = {}
        self._read(pathlib.PurePosixPath(root_file), (), root)

    def _read(self, file, path, root):
        module = Module(file, path, root)
        self.modules[path] = module
        own = file.parent if not path or file.name == "mod.rs" else file.parent / file.stem
        for name, given in module.declared:
            places = [file.parent / given] if given else [own / f"{name}.rs", own / name / "mod.rs"]
            for place in places:
                if (root / place).is_file():
                    module.children[name] = path + (name,)
                    self._read(pathlib.PurePosixPath(str(place)), path + (name,), root)
                    break

    def home(self, start, segments, seen=frozenset()):
        """The module where what `segments` names, seen from module `start`, is defined. None outside this crate."""
        if (start, segments) in seen:
            return None
        seen = seen | {(start, segments)}
        here, rest = start, list(segments)
        if rest and rest[0] == "crate":
            here, rest = (), rest[1:]
        elif rest and rest[0] in ("self", "super"):
            while rest and rest[0] in ("self", "super"):
                if rest[0] == "super":
                    here = here[:-1]
                rest = rest[1:]
        elif rest and not self._names(here, rest[0]):
            return None
        while rest:
            module = self.modules[here]
            name = rest[0]
            if name == "*":
                return here
            if name in module.children:
                here, rest = module.children[name], rest[1:]
                continue
            if name in module.items:
                return here
            for path, known, _, _ in module.imports:
                if known == name:
                    return self.home(here, path + tuple(rest[1:]), seen)
            for path, known, _, _ in module.imports:
                if known == "*":
                    source = self.home(here, path[:-1], seen)
                    if source is not None and source != here:
                        found = self.home(source, ("self",) + tuple(rest), seen)
                        if found is not None and (found != source or name in self.modules[source].items):
                            return found
            return here
        return here

    def _names(self, here, name):
        module = self.modules[here]
        return name in module.children or any(known == name for _, known, _, _ in module.imports)

    def edges(self):
        """Who uses what: (from, to) -> an example. A re-export is no use, its users' uses count."""
        found = {}
        for here, module in self.modules.items():
            uses = [(path, line) for path, _, visible, line in module.imports if not visible] + module.paths
            for path, line in uses:
                there = self.home(here, path)
                if there is not None and there != here:
                    found.setdefault((here, there), f"{module.file}:{line}: {'::'.join(path)}")
        return found


def crates(root):
    """All libraries and programs of the workspace, by their Cargo.toml."""
    for manifest in sorted(root.glob("**/Cargo.toml")):
        folder = manifest.parent.relative_to(root)
        if {"target", "build", "output"} & set(folder.parts) or not (manifest.parent / "src").is_dir():
            continue
        for name in ("lib.rs", "main.rs"):
            if (manifest.parent / "src" / name).is_file():
                yield Crate(f"{folder}/{name}", str(folder / "src" / name), root)
        for program in sorted((manifest.parent / "src" / "bin").glob("*.rs")):
            yield Crate(f"{folder}/{program.name}", str(program.relative_to(root)), root)
