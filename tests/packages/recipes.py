#!/usr/bin/env python3
"""Tries the recipes of packaging/ as far as a machine without their worlds can.

    recipes.py WORK [BITBAKE]

BITBAKE is a folder with bitbake's Python modules, which then parse the recipe for Yocto with the stand-ins below instead
of OpenEmbedded's classes; Buildroot's file is read by make, with a stand-in for its infrastructure. What comes out is
compared with CMakeLists.txt, the licences and the lock files; and cargo has to find all it wants among the crates that
the recipe for Yocto fetches, without a network. They are taken from cargo's own folder, so that `cargo fetch` must have
run (with platform/mbedtls/sources/Cargo.toml, too).
"""

import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import types

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGING = ROOT / "packaging"
# What bitbake's configuration and OpenEmbedded's classes would say, as far as the recipe asks.
WORLD = {"WORKDIR": "/w", "B": "/w/build", "RUST_HOST_SYS": "armv7-poky-linux-gnueabihf", "CARGO_HOME": "/w/cargo_home",
         "CARGO_VENDORING_DIRECTORY": "${CARGO_HOME}/bitbake", "HOST_CC_ARCH": "-march=armv7-a", "CFLAGS": "-O2",
         "CXXFLAGS": "-O2", "TOOLCHAIN_OPTIONS": "--sysroot=/w/recipe-sysroot", "RUSTFLAGS": "-L /w/rustlib", "AUTOREV": "0"}


def fail(message):
    sys.exit(f"FAILED: {message}")


def run(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False, **more)
    if done.returncode:
        fail(f"{command}: {done.stdout}")
    return done.stdout


def check_options(options, whose):
    """Each -D is an option that CMake knows here."""
    known = set(re.findall(r"iot_option\((\w+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")))
    known |= {"CARGO", "CARGO_TARGET", "CARGO_TARGET_DIR", "BUILD_TESTING"}
    names = re.findall(r"-D(\w+)=", options)
    if not names or set(names) - known:
        fail(f"{whose} passes {sorted(set(names) - known) or 'nothing'}")


def parse(work, bitbake):
    """The recipe as bitbake reads it."""
    layer = work / "layer"
    (layer / "classes").mkdir(parents=True, exist_ok=True)
    for name in ("base", "cargo", "cmake", "pkgconfig"):
        (layer / "classes" / f"{name}.bbclass").write_text(f'STAND_IN_FOR_{name.upper()} = "1"\n', encoding="utf-8")
    recipe = layer / "libiot-sdk_git.bb"
    recipe.write_text((PACKAGING / "yocto/libiot-sdk_git.bb").read_text(encoding="utf-8"), encoding="utf-8")
    (layer / "libiot-sdk-crates.inc").write_text(run([PACKAGING / "yocto/crates.py"]), encoding="utf-8")
    sys.path.insert(0, str(bitbake))
    # Its wheel has no hash server; none is needed.
    for absent in ("hashserv", "hashserv.client"):
        sys.modules[absent] = types.ModuleType(absent)
    import bb.data
    import bb.parse
    data = bb.data.init()
    bb.parse.siggen = bb.siggen.init(data)
    data.setVar("BBPATH", str(layer))
    data.setVar("__bbclasstype", "recipe")
    for name, value in WORLD.items():
        data.setVar(name, value)
    for task in ("do_configure", "do_compile"):
        data.setVar(task, "    :\n")
        data.setVarFlag(task, "func", "1")
    os.chdir(layer)
    return bb.parse.handle(str(recipe), data)[""]


def yocto(work, bitbake):
    data = parse(work, bitbake)
    if not all(data.getVar(f"STAND_IN_FOR_{name}") for name in ("CARGO", "CMAKE", "PKGCONFIG")):
        fail("a class is not inherited")
    check_options(data.getVar("EXTRA_OECMAKE"), "the recipe for Yocto")
    for entry in data.getVar("LIC_FILES_CHKSUM").split():
        name, told = re.fullmatch(r"file://(.*);md5=(.*)", entry).groups()
        if hashlib.md5((ROOT / name).read_bytes()).hexdigest() != told:
            fail(f"{name} has another MD5 than the recipe says")
    for task in ("do_configure", "do_compile"):
        run(["sh", "-n", "-c", data.getVar(task)])
    compiled = run(["sh", "-ec", data.getVar("do_compile") + "\nenv"])
    if "CFLAGS_armv7_poky_linux_gnueabihf=-march=armv7-a --sysroot" not in compiled:
        fail(f"the compiler of C parts would not hear of the device: {compiled}")
    mbedtls = re.search("IOT_MBEDTLS_DIR=(.*)", compiled)[1]

    # As bitbake's fetcher lays crates out.
    vendored, cache = work / "crates", pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    vendored.mkdir(exist_ok=True)
    count = 0
    for address in data.getVar("SRC_URI").split():
        crate = re.fullmatch(r"crate://crates.io/(.*)/(.*)", address)
        if not crate:
            continue
        name, version = crate.groups()
        file = next(cache.glob(f"registry/cache/*/{name}-{version}.crate"), None) or fail(f"{name} {version} was not fetched")
        told = data.getVarFlag("SRC_URI", f"{name}-{version}.sha256sum")
        if hashlib.sha256(file.read_bytes()).hexdigest() != told:
            fail(f"{name} {version} has another hash than the recipe says")
        if not (vendored / f"{name}-{version}").is_dir():
            with tarfile.open(file) as archive:
                archive.extractall(vendored)
        (vendored / f"{name}-{version}" / ".cargo-checksum.json").write_text(
            json.dumps({"package": told, "files": {}}), encoding="utf-8")
        count += 1
    there = vendored / pathlib.Path(mbedtls).relative_to("/w/cargo_home/bitbake") / "library/ssl_tls.c"
    if not there.is_file():
        fail(f"no mbedTLS in {mbedtls}")
    home = work / "cargo_home"
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text(f'[source.bitbake]\ndirectory = "{vendored}"\n'
                                      '[source.crates-io]\nreplace-with = "bitbake"\n', encoding="utf-8")
    found = json.loads(subprocess.run(["cargo", "metadata", "--format-version=1", "--locked", "--offline"], cwd=ROOT, check=True,
                                      stdout=subprocess.PIPE, env={**os.environ, "CARGO_HOME": str(home)}).stdout)
    outside = [package["manifest_path"] for package in found["packages"]
               if package["source"] and not package["manifest_path"].startswith(f"{vendored}/")]
    if outside:
        fail(f"taken from elsewhere: {outside}")
    print(f"yocto: {count} crates, {len(found['packages'])} packages found among them and here")


def buildroot(work):
    """Buildroot's file as make reads it, with the infrastructure it calls standing in."""
    makefile = work / "Makefile"
    makefile.write_text("""
cmake-package = $(eval CALLED := yes)
RUSTC_TARGET_NAME = armv7-unknown-linux-gnueabihf
PKG_CARGO_ENV = CARGO_HOME=/br
TARGET_CFLAGS = -O2 -march=armv7-a
HOST_DIR = /host
TAR = tar
LIBIOT_SDK_DL_DIR = /dl
include $(PACKAGING)/buildroot/libiot-sdk.mk
.PHONY: all
all:
\t@$(if $(CALLED),:,false)
\t@echo 'options $(LIBIOT_SDK_CONF_OPTS)'
\t@echo 'environment $(subst $(@D),/build,$(LIBIOT_SDK_MAKE_ENV))'
\t@echo 'extra $(LIBIOT_SDK_EXTRA_DOWNLOADS)'
\t@echo 'licences $(LIBIOT_SDK_LICENSE_FILES)'
extract:
\t$(LIBIOT_SDK_EXTRACT_MBEDTLS)
""", encoding="utf-8")

    def said(*more):
        return run(["make", "-s", "-f", makefile, f"PACKAGING={PACKAGING}", "all", *more])

    plain = said()
    check_options(plain, "Buildroot's file")
    for choice, option in (("CERT", "-DFEATURE_AUTH_MODE=CERT"), ("SMALL", "-DFEATURE_TLS=mbedtls"),
                           ("SHARED", "-DIOT_BUILD_SHARED=ON")):
        if option in plain or option not in said(f"BR2_PACKAGE_LIBIOT_SDK_{choice}=y"):
            fail(f"{choice} does not decide about {option}: {plain}")
    if "CFLAGS_armv7_unknown_linux_gnueabihf=\"-O2" not in plain:
        fail(f"the compiler of C parts would not hear of the device: {plain}")
    for name in re.search("licences (.*)", plain)[1].split():
        if not (ROOT / name).is_file():
            fail(f"there is no {name}")
    run(["make", "-n", "-f", makefile, f"PACKAGING={PACKAGING}", "extract"])
    # The hash of what is fetched besides.
    told, file = re.search(r"(?m)^sha256  (\S+)  (\S+)$", (PACKAGING / "buildroot/libiot-sdk.hash").read_text()).groups()
    lock = (ROOT / "platform/mbedtls/sources/Cargo.lock").read_text(encoding="utf-8")
    name, version = re.fullmatch(r"(.*)-(\d[\d.]*)\.crate", file).groups()
    if f'name = "{name}"\nversion = "{version}"\n' not in lock or f'checksum = "{told}"' not in lock or file not in plain:
        fail(f"{file} is not what platform/mbedtls/sources/Cargo.lock names")
    symbols = (PACKAGING / "buildroot/Config.in").read_text(encoding="utf-8")
    used = set(re.findall(r"BR2_PACKAGE_LIBIOT_SDK\w*", (PACKAGING / "buildroot/libiot-sdk.mk").read_text(encoding="utf-8")))
    missing = [symbol for symbol in used if f"config {symbol}\n" not in symbols]
    if missing:
        fail(f"Config.in has no {missing}")
    print("buildroot: ok")


def main():
    work = pathlib.Path(sys.argv[1]).resolve()
    work.mkdir(parents=True, exist_ok=True)
    bitbake = pathlib.Path(sys.argv[2]).resolve()
    buildroot(work)
    yocto(work, bitbake)


main()
