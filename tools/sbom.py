#!/usr/bin/env python3
"""Says what a build linked: a bill of materials (CycloneDX, JSON) and the licence texts that go with it.

    sbom.py --name NAME --output FOLDER [--cargo CARGO] [--archive FILE] -- ARGUMENTS OF CARGO...

Writes NAME.cdx.json and NAME.copyright into FOLDER. The arguments are those of the build (`build --release ...`), which
has been run before. Without an archive, what the program's crates depend on counts as linked; with one, what has objects
in it: rustc leaves crates out that no code names. Needs Python's standard library and no network. Two runs on the same
sources write the same bytes.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXTS = re.compile(r"(?i)^(licen[cs]e|copying|copyright|notice|unlicense)([-_.].*)?$")
# Options of the build that choose what is linked.
VALUES = ("-p", "--features", "--target")
FLAGS = ("--no-default-features", "--all-features")


def ask(*command):
    """What a command writes."""
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"sbom.py: {' '.join(map(str, command))} failed: {done.stderr.strip()}")
    return done.stdout


def packages(cargo, arguments):
    """The packages of the build by name and version, each with its folder and the names of its rlibs' objects, and the
    version of mbedTLS."""
    found, mbedtls = {}, None
    for line in ask(cargo, *arguments, "--message-format=json").splitlines():
        message = json.loads(line)
        if message["reason"] == "compiler-artifact":
            # `path+file:///a/b#0.1.0`, `registry+https://...#name@1.0.0`
            version = re.split("[#@]", message["package_id"])[-1]
            folder = pathlib.Path(message["manifest_path"]).parent
            rlibs = [re.search(r"/lib([^/]*)\.rlib$", name) for name in message["filenames"]]
            found.setdefault((field(folder, "name"), version), (folder, set()))[1].update(rlib[1] for rlib in rlibs if rlib)
        elif message["reason"] == "build-script-executed":
            mbedtls = dict(message["env"]).get("IOT_MBEDTLS_VERSION", mbedtls)
    return found, mbedtls


def members(archive):
    """The crates that have objects in an archive, each with its hash: `ring-0123456789abcdef`."""
    names = ask(os.environ.get("AR", "ar"), "t", archive)
    return set(re.findall(r"(?m)(?:^|\.)([A-Za-z0-9_]+-[0-9a-f]{16})(?=\.)", names))


def field(folder, key):
    """A field of the manifest's section `package`; the workspace's where it is inherited."""
    for manifest, section in ((folder / "Cargo.toml", "package"), (ROOT / "Cargo.toml", "workspace.package")):
        text = manifest.read_text(encoding="utf-8")
        part = re.search(rf"(?ms)^\[{re.escape(section)}\]$(.*?)(?=^\[|\Z)", text)
        value = part and re.search(rf'(?m)^{key} = "(.*)"', part[1])
        if value:
            return value[1]
        if not part or not re.search(rf"(?m)^{key}\.workspace = true", part[1]):
            break
    return None


def tree(cargo, arguments):
    """Who needs whom in what is linked: (name, version) to a set of the same; and the packages that are built."""
    chosen, rest = [], iter(arguments)
    for argument in rest:
        if argument in VALUES:
            chosen += [argument, next(rest)]
        elif argument in FLAGS:
            chosen.append(argument)
    lines = ask(cargo, "tree", "--locked", "--offline", "-e", "normal,no-proc-macro", "--prefix", "depth", *chosen)
    needs, way, roots = {}, [], set()
    for line in filter(None, lines.splitlines()):
        depth, name, version = re.match(r"(\d+)(\S+) v(\S+)", line).groups()
        del way[int(depth):]
        needs.setdefault((name, version), set())
        (needs[way[-1]] if way else roots).add((name, version))
        way.append((name, version))
    return needs, roots


def checksums():
    """The hashes of the crates from the registry."""
    text = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    entry = r'name = "(.*)"\nversion = "(.*)"\nsource = "registry.*"\nchecksum = "(.*)"'
    return {(name, version): checksum for name, version, checksum in re.findall(entry, text)}


def mbedtls_folder(cargo):
    """Where the sources of mbedTLS are: as platform/mbedtls/build.rs finds them."""
    folder = os.environ.get("IOT_MBEDTLS_DIR")
    if folder:
        return pathlib.Path(folder)
    host = re.search(r"(?m)^host: (.*)", ask(cargo, "-vV"))[1]
    metadata = json.loads(ask(cargo, "metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", host,
                              "--manifest-path", "platform/mbedtls/sources/Cargo.toml"))
    carrier = next(package for package in metadata["packages"] if package["name"] == "mbedtls-rs-sys")
    return pathlib.Path(carrier["manifest_path"]).parent / "mbedtls"


def rust():
    """The compiler's version, and the folder of its licence texts; of ours, which are the same, where it has none."""
    rustc = os.environ.get("RUSTC", "rustc")
    folder = pathlib.Path(ask(rustc, "--print", "sysroot").strip()) / "share/doc/rust"
    return ask(rustc, "--version").split()[1], folder if texts(folder) else ROOT


def sqlite(folder):
    """The version of the SQLite that crate libsqlite3-sys compiles."""
    header = (folder / "sqlite3.h").read_text(encoding="utf-8")
    return re.search(r'(?m)^#define SQLITE_VERSION\s+"(.*)"', header)[1]


def component(name, version, licence, **more):
    """A component of the bill."""
    return {"type": "library", "bom-ref": f"{name}@{version}", "name": name, "version": version,
            "licenses": [{"expression": licence.replace("/", " OR ")}], **more}


def texts(folder):
    """The licence texts in a folder, but for pages of a browser."""
    if not folder.is_dir():
        return []
    return [path.read_text(encoding="utf-8", errors="replace").strip()
            for path in sorted(folder.iterdir()) if path.is_file() and TEXTS.match(path.name) and path.suffix != ".html"]


def linked(cargo, arguments, archive):
    """The components, with the folders of their texts beside them, and who needs whom by reference."""
    found, mbedtls = packages(cargo, arguments)
    (needs, roots), sums = tree(cargo, arguments), checksums()
    if archive:
        there = members(archive)
        # The names of what is built for others have no hash.
        needs = {package: needed for package, needed in needs.items() if package in roots or found[package][1] & there}
    components, edges = [], {}

    def add(name, version, licence, folder, needed_by=None, **more):
        components.append((component(name, version, licence, **more), folder))
        edges.setdefault(f"{name}@{version}", set())
        if needed_by:
            edges[needed_by].add(f"{name}@{version}")

    for name, version in sorted(needs):
        folder = found[name, version][0]
        more = {}
        if (name, version) in sums:
            more = {"purl": f"pkg:cargo/{name}@{version}", "hashes": [{"alg": "SHA-256", "content": sums[name, version]}]}
        add(name, version, field(folder, "license") or "NOASSERTION", folder, **more)
        edges[f"{name}@{version}"] |= {f"{needed}@{its}" for needed, its in needs[name, version] & needs.keys()}
    own = {name: version for name, version in needs}
    if "iot-mbedtls" in own:
        # The system's is none of what is handed on: its texts are where it is.
        system = any("tls-system" in argument for argument in arguments)
        more = {"properties": [{"name": "linked", "value": "by the program, from the system"}]} if system else {}
        add("mbedtls", mbedtls, "Apache-2.0 OR GPL-2.0-or-later", None if system else mbedtls_folder(cargo),
            f"iot-mbedtls@{own['iot-mbedtls']}", **more,
            purl=f"pkg:github/mbed-tls/mbedtls@v{mbedtls}", cpe=f"cpe:2.3:a:arm:mbed_tls:{mbedtls}:*:*:*:*:*:*:*")
    if "libsqlite3-sys" in own:
        version = own["libsqlite3-sys"]
        folder = found["libsqlite3-sys", version][0] / "sqlite3"
        number = sqlite(folder)
        add("sqlite", number, "blessing", folder, f"libsqlite3-sys@{version}",
            cpe=f"cpe:2.3:a:sqlite:sqlite:{number}:*:*:*:*:*:*:*")
    number, folder = rust()
    add("rust-std", number, "MIT OR Apache-2.0", folder, purl=f"pkg:github/rust-lang/rust@{number}")
    return components, edges


def bill(name, components, edges):
    """The document."""
    inner = [{"ref": reference, "dependsOn": sorted(needed)} for reference, needed in sorted(edges.items())]
    document = {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
                "metadata": {"component": component(name, field(ROOT, "version"), field(ROOT, "license"))},
                "components": [entry for entry, _ in components], "dependencies": inner}
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        import datetime
        moment = datetime.datetime.fromtimestamp(int(epoch), datetime.timezone.utc)
        document["metadata"]["timestamp"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))
    return {"serialNumber": f"urn:uuid:{number}", **document}


def licences(name, components):
    """Whose work is in it, and under which terms."""
    lines = [f"{name} is licensed under {field(ROOT, 'license')}, at your choice. What is linked into it, and under which terms:", ""]
    whose = {}
    for entry, folder in components:
        if folder is None:
            lines.append(f"  (beside it: the system's {entry['name']} {entry['version']})")
            continue
        reference = f"{entry['name']} {entry['version']}"
        lines.append(f"  {reference}: {entry['licenses'][0]['expression']}")
        # Ours lie in the folder above all of them.
        for text in texts(ROOT if folder.is_relative_to(ROOT) and not texts(folder) else folder):
            whose.setdefault(text, []).append(reference)
    for text, owners in whose.items():
        lines += ["", "-" * 100, "Of " + ", ".join(owners) + ":", "", text]
    return "\n".join(lines) + "\n"


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--cargo", default="cargo")
    parser.add_argument("--archive", type=pathlib.Path)
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options, arguments = parser.parse_args(sys.argv[1:end]), sys.argv[end + 1:]
    components, edges = linked(options.cargo, arguments, options.archive)
    options.output.mkdir(parents=True, exist_ok=True)
    document = json.dumps(bill(options.name, components, edges), indent=1) + "\n"
    for suffix, content in ((".cdx.json", document), (".copyright", licences(options.name, components))):
        path = options.output / (options.name + suffix)
        # What has not changed is not built again.
        if not path.is_file() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")


main()
