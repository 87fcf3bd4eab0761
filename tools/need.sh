# shellcheck shell=bash
# Sourced by demo.sh and test.sh: installs Debian packages that are missing.
#
#   need COMMAND_OR_FILE=PACKAGE ...
#
# Each argument names what must be there (a command, or a path with * in it) and the package that brings it.

need() {
    local missing=() pair what package
    for pair in "$@"; do
        what=${pair%%=*}
        package=${pair#*=}
        case $what in
        /*) compgen -G "$what" >/dev/null || missing+=("$package") ;;
        *) command -v "$what" >/dev/null || [ -x "/usr/sbin/$what" ] || missing+=("$package") ;;
        esac
    done
    [ ${#missing[@]} -eq 0 ] && return
    echo "== Installing ${missing[*]}"
    local root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || {
            echo "Missing, and there is no sudo. As root: apt-get install ${missing[*]}" >&2
            exit 1
        }
        root=(sudo)
    fi
    (
        # One at a time: apt-get fails where another one is at work.
        flock 9
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 || {
            "${root[@]}" apt-get update
            "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
        }
    ) 9>"${TMPDIR:-/tmp}/iot-sdk-need.$(id -u).lock"
}

# Rust may be installed for this user without being on the PATH. One that is too old can't even read our manifests, and
# says so in words that don't help.
need_rust() {
    local least found
    least=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
    found=$({ cargo --version 2>/dev/null || true; } | cut -d ' ' -f 2)
    [ "$(printf '%s\n' "$least" "${found:-0}" | sort -V | head -n 1)" = "$least" ] || {
        echo "Rust $least or later is needed, there is ${found:-none}: https://rustup.rs, or the packages rustc-web and" \
            "cargo-web of Debian 12" >&2
        exit 1
    }
}

# need_python_packages REQUIREMENTS: what the file names, at the versions it names, in a folder of its own for PYTHONPATH: packages.
need_python_packages() {
    need python3=python3 /usr/lib/python3/dist-packages/pip=python3-pip
    packages=$PWD/target/tools/python-$(sha256sum "$1" | cut -c 1-16)
    [ -e "$packages/whole" ] && return
    rm -rf "$packages"
    # Debian's own pip: another one may be first in the PATH, for another Python.
    /usr/bin/python3 -m pip install -q --disable-pip-version-check --no-deps --no-compile --only-binary :all: --root-user-action ignore \
        --target "$packages" -r "$1" && touch "$packages/whole"
}

# need_cargo_tool NAME VERSION SHA256: a cargo subcommand, ready-made from PyPI (Astral builds it there from the project's
# tag; the hash is that of the x86-64 Linux wheel). Elsewhere it is compiled, which takes minutes.
need_cargo_tool() {
    local name=$1 version=$2 hash=$3 folder=$PWD/target/tools/$1-$2
    if ! "$folder/bin/$name" --version >/dev/null 2>&1; then
        mkdir -p "$folder/bin"
        echo "astral-dev-toolchain-$name==$version --hash=sha256:$hash" >"$folder/requirements"
        if [ "$(uname -sm)" = 'Linux x86_64' ] && python3 -m pip --version >/dev/null 2>&1 &&
            python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
                -d "$folder" -r "$folder/requirements"; then
            (cd "$folder" && python3 -m zipfile -e ./*.whl . && mv ./*.data/scripts/"$name" bin && chmod +x "bin/$name") ||
                return
        else
            cargo install --locked "$name" --version "$version" --root "$folder" || return
        fi
    fi
    PATH=$folder/bin:$PATH
}
