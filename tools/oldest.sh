#!/usr/bin/env bash
# What we promise to build with, at its oldest.
#
#   oldest.sh compiler        checks the workspace with the Rust that Cargo.toml names as the oldest (rust-version), from
#                             Debian 12's packages or from rustup. Nothing is installed: it lies in target/oldest
#   oldest.sh dependencies    checks the library with the lowest versions of its direct dependencies that the Cargo.toml
#                             files allow. Theirs are as new as may be: many crates don't build with the lowest of those.
#                             Hub and tests are built with what Cargo.lock says, always
set -euo pipefail
cd "$(dirname "$0")/.."
source tools/need.sh
need_rust
target=${CARGO_TARGET_DIR:-$PWD/target}
# What users build. Tests may use what they like.
crates=(-p iot-bundle -p hub)
library=(abi engine platform platform/posix platform/tls bundle)

compiler() {
    local version folder packages
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    folder=$target/oldest/rust-$version
    if [[ $(rustc --version) == "rustc $version."* ]]; then
        echo "oldest: rustc here is $version, so every other part has built with it"
        return
    fi
    if ! "$folder/cargo" --version >/dev/null 2>&1; then
        rm -rf "$folder"
        mkdir -p "$folder/packages"
        if packages=$(debian "$version"); then
            (cd "$folder/packages" && xargs apt-get download <<<"$packages")
            for package in "$folder"/packages/*.deb; do
                dpkg -x "$package" "$folder/root"
            done
            rm -r "$folder/packages"
            wrap "$folder" "$folder/root/usr/bin"
        elif command -v rustup >/dev/null; then
            rustup toolchain install --profile minimal "$version"
            wrap "$folder" "$(dirname "$(rustup which --toolchain "$version" cargo)")"
        else
            echo "oldest: Rust $version is neither in Debian's archive here nor is there a rustup" >&2
            return 1
        fi
    fi
    # A folder of its own: another compiler shares nothing with the usual builds.
    RUSTC=$folder/rustc CARGO_TARGET_DIR=$target/oldest/build "$folder/cargo" check --locked "${crates[@]}"
    "$folder/rustc" --version
}

# The packages of that Rust and what they need that is not everywhere. Fails where the archive has another version only.
debian() {
    local full
    command -v apt-cache >/dev/null || return
    full=$(apt-cache madison rustc-web | awk -v version="$1" -F ' *[|] *' 'index($2, version ".") == 1 { print $2; exit }')
    [ -n "$full" ] || return
    local llvm
    llvm=$(apt-cache show "libstd-rust-web-$1=$full" | grep -oE 'libllvm[0-9]+' | head -n 1)
    printf '%s\n' "rustc-web=$full" "cargo-web=$full" "libstd-rust-web-dev=$full" "libstd-rust-web-$1=$full" \
        "$llvm" libhttp-parser2.9 libpcre3
}

# wrap FOLDER BIN: FOLDER/cargo and FOLDER/rustc, which find their libraries.
wrap() {
    local name libraries
    libraries=$(find "$1" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :)
    for name in cargo rustc; do
        printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libraries" "$2/$name" >"$1/$name"
        chmod +x "$1/$name"
    done
    "$1/cargo" --version && "$1/rustc" --version
}

dependencies() {
    local copy=$target/oldest/workspace
    rm -rf "$copy"
    mkdir -p "$copy"
    git ls-files -z --cached --others --exclude-standard -- "${library[@]}" Cargo.toml Cargo.lock build.rs src certs |
        while IFS= read -r -d '' file; do [ ! -f "$file" ] || printf '%s\0' "$file"; done |
        xargs -0 cp --parents -t "$copy"
    cd "$copy"
    python3 - "${library[@]}" <<'END'
import json, re, sys
manifest = open("Cargo.toml", encoding="utf-8").read()
manifest = re.sub(r"(?m)^members = \[[^\]]*\]", f"members = {json.dumps(sys.argv[1:])}", manifest)
manifest = re.sub(r"(?m)^default-members = \[[^\]]*\]", "", manifest)
open("Cargo.toml", "w", encoding="utf-8").write(manifest)
END
    # Unstable, which RUSTC_BOOTSTRAP unlocks. From the lock file on, so that only direct dependencies change.
    RUSTC_BOOTSTRAP=1 cargo update -Z direct-minimal-versions
    # The usual folder: crates whose version has not changed are there already.
    CARGO_TARGET_DIR=$target cargo check --locked -p iot-bundle
}

case ${1:-} in
compiler) compiler ;;
dependencies) dependencies ;;
*)
    echo "usage: oldest.sh compiler|dependencies" >&2
    exit 2
    ;;
esac
