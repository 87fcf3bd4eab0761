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
source tools/debian_rust.sh
need_rust
target=${CARGO_TARGET_DIR:-$PWD/target}
# What users build. Tests may use what they like.
crates=(-p iot-bundle -p hub)
library=(abi engine platform platform/mbedtls platform/posix platform/tls bundle)

compiler() {
    local version folder
    version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    folder=$target/oldest/rust-$version
    if [[ $(rustc --version) == "rustc $version."* ]]; then
        echo "oldest: rustc here is $version, so every other part has built with it"
        return
    fi
    if ! "$folder/cargo" --version >/dev/null 2>&1; then
        if debian_rust "$version" "$folder"; then
            :
        elif command -v rustup >/dev/null; then
            rustup toolchain install --profile minimal "$version"
            wrap_rust "$folder" "$(dirname "$(rustup which --toolchain "$version" cargo)")"
        else
            echo "oldest: Rust $version is neither in Debian's archive here nor is there a rustup" >&2
            return 1
        fi
    fi
    # A folder of its own: another compiler shares nothing with the usual builds.
    RUSTC=$folder/rustc CARGO_TARGET_DIR=$target/oldest/build "$folder/cargo" check --locked "${crates[@]}"
    "$folder/rustc" --version
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
