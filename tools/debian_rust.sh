# shellcheck shell=bash
# Sourced: a Rust of one version from Debian's packages, unpacked into a folder. Nothing is installed.

# debian_rust VERSION FOLDER: FOLDER/cargo and FOLDER/rustc. Fails where the archive has another version only.
debian_rust() {
    local version=$1 folder=$2 full llvm
    command -v apt-cache >/dev/null || return
    full=$(apt-cache madison rustc-web | awk -v version="$version" -F ' *[|] *' 'index($2, version ".") == 1 { print $2; exit }')
    [ -n "$full" ] || return
    llvm=$(apt-cache show "libstd-rust-web-$version=$full" | grep -oE 'libllvm[0-9]+' | head -n 1)
    rm -rf "$folder"
    # With what they need that is not everywhere.
    unpack_debian "$folder/root" "rustc-web=$full" "cargo-web=$full" "libstd-rust-web-dev=$full" \
        "libstd-rust-web-$version=$full" "$llvm" libhttp-parser2.9 libpcre3 && wrap_rust "$folder" "$folder/root/usr/bin"
}

# unpack_debian FOLDER PACKAGE...
unpack_debian() {
    local folder=$1 package packages
    shift
    mkdir -p "$folder"
    packages=$(mktemp -d "$folder/packages.XXXXXX")
    (cd "$packages" && apt-get download "$@") || return
    for package in "$packages"/*.deb; do
        dpkg -x "$package" "$folder" || return
    done
    rm -r "$packages"
}

# wrap_rust FOLDER BIN: FOLDER/cargo and FOLDER/rustc, which find their libraries.
wrap_rust() {
    mkdir -p "$1"
    local name libraries
    libraries=$(find "$1" -name '*.so*' -printf '%h\n' | sort -u | paste -sd :)
    for name in cargo rustc; do
        printf '#!/bin/sh\nLD_LIBRARY_PATH="%s" exec "%s" "$@"\n' "$libraries" "$2/$name" >"$1/$name"
        chmod +x "$1/$name"
    done
    "$1/cargo" --version && "$1/rustc" --version
}
