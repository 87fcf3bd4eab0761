#!/usr/bin/env python3
"""Follows every reference to a page and a section: in comments, in texts, in links between pages.

    references.py          fails on the dead ones, and on a case that no test names

What counts as a reference:
    behaviour.md section 3, wire.md sections 1 and 2, section 5 of behaviour.md, `gateway.md` 4
    wire contract, section 2                                     (the same as wire.md section 2)
    architecture.md decision 3
    versions.md case 4                                           (of the list under "Cases a test must have")
    case reconnect_storm, docs/contract/cases/reconnect_storm.md
    src/drive/download.rs, download/transfer.rs in Markdown: a file's path, or the end of one, with at least one folder
    [text](page.md#heading) in Markdown
"""

import pathlib
import re
import sys

import files

CONTRACT = pathlib.PurePosixPath("docs/contract")
# Pages that are not in the repository, and are not meant to be: written by the tests or by their reader.
ELSEWHERE = {"table.md"}
# Not looked at: data, and lists of names that come from outside.
SKIPPED = ("fuzz/seeds/", "fuzz/dictionaries/", "tests/abi/data/", "docs/contract/abi/extra/", "docs/contract/abi-3.3/",
           "tools/lint/")

PAGE = r"(?P<page>[\w./-]*[\w-]\.md)\b`?"
NUMBERS = r"(?P<numbers>\d+(?:\.\d+)*(?:(?:, | and | to |, and )\d+(?:\.\d+)*)*)"
KINDS = r"(?P<kind>sections?|decisions?|cases?) "
AFTER = re.compile(PAGE + r"(?:,? \(?" + KINDS + r"|(?<=`) )" + NUMBERS)
BEFORE = re.compile(r"\b" + KINDS + NUMBERS + r" of `?" + PAGE)
SPOKEN = re.compile(r"\b(?P<page>[a-z]+) contract,? (?P<kind>sections?) " + NUMBERS, re.IGNORECASE)
ANY_PAGE = re.compile(r"(?<![\w$*%/{}.:-])(?P<page>[\w./-]*[\w-]\.md)\b(?![\w$*{-])")
CASE = re.compile(r"\bcases? `?(?P<case>[a-z0-9]+(?:_[a-z0-9]+)+)\b")
# The path of a source. Not in a command's options or a URL, and not one that a build makes.
SOURCE = re.compile(r"(?<![\w$*%/{}<>.:~=@+-])((?!output/|build/|target/|lib/|bin/|include/|exports/|sys/|/)"
                    r"(?:[\w-]+/)+[\w-]+\.(?:rs|c|cpp|h|py|sh|cmake|mjs|js|toml|json))\b(?![\w$*{/-])")
LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
# What a comment begins with in one of our languages.
MARK = re.compile(r"^\s*(?:///?!?|\*|#|--|;)\s?")


class Pages:
    """The pages of the repository: their numbered headings, decisions, cases and anchors."""

    def __init__(self, root):
        self.root = root
        self.paths = [path for path in files.tracked(root) if path.suffix == ".md"]
        self.known = {}
        # Every end of a path that begins with a folder or a file.
        self.ends = {
            "/".join(path.parts[first:]) for path in files.tracked(root) for first in range(len(path.parts))
        }

    def find(self, name, user):
        """The page that `user` means by `name`: beside it, from the root, or of the contract."""
        name = name[0].lower() + name[1:] if name[0].isupper() and name[1:2].islower() else name
        for place in (user.parent / name, pathlib.PurePosixPath(name), CONTRACT / name, CONTRACT / "cases" / name,
                      pathlib.PurePosixPath("docs") / name):
            parts = []
            for part in place.parts:
                if part == ".." and parts:
                    parts.pop()
                else:
                    parts.append(part)
            place = pathlib.PurePosixPath(*parts)
            if place in self.paths:
                return place
        return None

    def cases(self):
        """What went wrong in the field: the names of the pages that tell it."""
        return {page.stem for page in self.paths if page.parent == CONTRACT / "cases"} - {"README"}

    def facts(self, path):
        """What is numbered on a page, by its kind, and the page's anchors."""
        if path not in self.known:
            numbered, anchors = {"section": set(), "decision": set(), "case": set()}, set()
            heading, in_code = "", False
            for line in (self.root / path).read_text(encoding="utf-8").splitlines():
                if line.startswith("```"):
                    in_code = not in_code
                if in_code:
                    continue
                found = re.match(r"#+ (.*)", line)
                if found:
                    heading = found[1]
                    section = re.match(r"(\d+(?:\.\d+)*)", heading)
                    if section:
                        numbered["section"].add(section[1])
                    anchors.add(anchor(heading))
                elif re.match(r"\d+\. ", line):
                    for kind in ("decision", "case"):
                        if heading.startswith(f"{kind.capitalize()}s"):
                            numbered[kind].add(line.split(".")[0])
            self.known[path] = numbered, anchors
        return self.known[path]


def anchor(heading):
    """The name that GitHub gives to a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def paragraphs(path, text):
    """Pieces of text that belong together, without the marks of comments, each with its first line's number.

    A reference may be wrapped, so lines that follow each other are read as one.
    """
    piece, first, marked_before = [], 1, False
    for number, line in enumerate(text.splitlines(), 1):
        mark = None if path.suffix in {".md", ".txt"} else MARK.match(line)
        marked = bool(mark)
        content = line[mark.end():] if mark else line
        content = content.strip()
        if piece and (not content or marked != marked_before or path.suffix == ".json"):
            yield first, " ".join(piece), marked_before
            piece = []
        if content:
            if not piece:
                first = number
            piece.append(content)
        marked_before = marked
    if piece:
        yield first, " ".join(piece), marked_before


def numbers(text):
    return re.findall(r"\d+(?:\.\d+)*", text)


def dead(pages, path, text):
    """What `text`, the content of `path`, refers to and is not there."""
    problems = []
    cases = pages.cases()
    for line, piece, is_comment in paragraphs(path, text):
        def missing(what):
            problems.append(f"{path}:{line}: {what}")

        def look_up(found, page):
            if page is None:
                return
            kind = (found.groupdict().get("kind") or "section").rstrip("s")
            for number in numbers(found["numbers"]):
                if number not in pages.facts(page)[0][kind]:
                    missing(f"{page.name} has no {kind} {number}")

        for found in ANY_PAGE.finditer(piece):
            name = found["page"]
            if pages.find(name, path) is None and name not in ELSEWHERE:
                missing(f"there is no page {name}")
        for pattern in (AFTER, BEFORE):
            for found in pattern.finditer(piece):
                look_up(found, pages.find(found["page"], path))
        for found in SPOKEN.finditer(piece):
            page = pages.find(found["page"].lower() + ".md", path)
            if page is None:
                missing(f"there is no page {found['page'].lower()}.md")
            look_up(found, page)
        for found in CASE.finditer(piece if is_comment or path.suffix == ".md" else ""):
            if found["case"] not in cases:
                missing(f"there is no case {found['case']}")
        if path.parent == CONTRACT:
            for found in re.finditer(r"\((?P<kind>section) " + NUMBERS + r"\)", piece):
                look_up(found, path)
        if path.suffix == ".md":
            for found in SOURCE.finditer("" if CONTRACT in path.parents else piece):
                # Of the system's headers and the like we know nothing; the service "echo" is made up.
                ours = any(end.startswith(found[1].split("/")[0] + "/") for end in pages.ends)
                if ours and found[1] not in pages.ends and not re.search(r"/echo[./]", found[1]):
                    missing(f"there is no file {found[1]}")
            for found in LINK.finditer(piece):
                follow(pages, path, found["target"], missing)
    return problems


def follow(pages, path, target, missing):
    """A link of a Markdown page."""
    if re.match(r"[a-z]+:", target):
        return
    name, _, heading = target.partition("#")
    place = path
    if name:
        place = pathlib.PurePosixPath((pages.root / path.parent / name).resolve().relative_to(pages.root.resolve()))
        if not (pages.root / place).exists():
            missing(f"the link {target} leads nowhere")
            return
    if heading and place.suffix == ".md" and heading not in pages.facts(place)[1]:
        missing(f"{place.name} has no heading #{heading}")


def check(root=files.ROOT):
    pages = Pages(root)
    problems = []
    untested = pages.cases()
    for path in files.tracked(root):
        if str(path).startswith(SKIPPED) or not (path.suffix in files.TEXTS or files.is_script(path, root)):
            continue
        text = (root / path).read_text(encoding="utf-8", errors="replace")
        problems += dead(pages, path, text)
        if path.parts[0] == "tests" and path.suffix != ".md":
            untested = {case for case in untested if not re.search(rf"\b{case}\b", text)}
    return problems + [f"no test names the case {case}" for case in sorted(untested)]


if __name__ == "__main__":
    sys.exit(files.report("references", check()))
