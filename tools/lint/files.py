"""What the checks of this folder look at: the files that git knows or would add, without those that hold data."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Sources: written by hand, so that the limits of this house hold for them.
SOURCES = {".rs", ".c", ".cpp", ".h", ".py", ".sh", ".cmake", ".js", ".mjs", ".html", ".css"}
TEXTS = SOURCES | {".md", ".toml", ".txt", ".in", ".yml", ".json"}


def tracked(root=ROOT):
    """Paths relative to `root`, sorted, of what is in git or not yet added to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root, check=True, capture_output=True, text=True,
    ).stdout.split("\0")
    return sorted(pathlib.PurePosixPath(name) for name in listed if name and (root / name).is_file())


def is_script(path, root=ROOT):
    """Whether it is a shell script, by its name or by its first line."""
    if path.suffix == ".sh":
        return True
    if path.suffix:
        return False
    with open(root / path, "rb") as file:
        first = file.readline(80)
    return first.startswith(b"#!") and b"sh" in first.split(b"/")[-1]


def report(name, problems):
    """Prints what was found. Returns the exit code."""
    for problem in problems:
        print(f"{name}: {problem}")
    print(f"{name}: {len(problems)} found" if problems else f"{name}: ok")
    return 1 if problems else 0
