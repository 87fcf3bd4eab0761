# shellcheck shell=bash
# Sourced, in the project's folder: what builds and runs programs of other processors. Needs Debian 12 on x86-64: its Rust
# has a standard library for each of its architectures, and the sources of the one for musl. They are unpacked into
# target/, not installed.
source tools/need.sh
source tools/debian_rust.sh
target=${CARGO_TARGET_DIR:-$PWD/target}
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rust=$target/oldest/rust-$version

# name: cargo target, name of the compiler without its -gcc, qemu
declare -A TARGETS=(
    [armhf]="armv7-unknown-linux-gnueabihf arm-linux-gnueabihf qemu-arm"
    [arm64]="aarch64-unknown-linux-gnu aarch64-linux-gnu qemu-aarch64"
    [s390x]="s390x-unknown-linux-gnu s390x-linux-gnu qemu-s390x"
    [musl]="x86_64-unknown-linux-musl musl"
)

# emulator NAME: what a program is started with, nothing where this machine can do it.
emulator() {
    local prefix qemu
    read -r _ prefix qemu <<<"${TARGETS[$1]}"
    [ -z "$qemu" ] || echo "$qemu -L /usr/$prefix"
}

# toolchain NAME...: compilers of C, qemu, and Rust with its library for each.
toolchain() {
    local name triple prefix qemu packages=() missing=() full
    for name in "$@"; do
        read -r _ prefix qemu <<<"${TARGETS[$name]:?no such target}"
        if [ "$name" = musl ]; then
            packages+=("musl-gcc=musl-tools")
        else
            packages+=("$qemu=qemu-user" "$prefix-gcc=gcc-$prefix" "$prefix-g++=g++-$prefix")
        fi
    done
    need cmake=cmake make=make gcc=gcc "${packages[@]}"
    "$rust/cargo" --version >/dev/null 2>&1 || debian_rust "$version" "$rust" || {
        echo "targets: Debian 12 is needed, whose archive has Rust $version" >&2
        return 1
    }
    for name in "$@"; do
        triple=${TARGETS[$name]%% *}
        compgen -G "$rust/root/usr/lib/rustlib/$triple/lib/libstd-*.rlib" >/dev/null || missing+=("$name")
    done
    for name in "${missing[@]}"; do
        if [ "$name" = musl ]; then
            musl_library
        else
            unpack_foreign "$rust/root" "$name" libstd-rust-web-dev "$version."
        fi || return
    done
}

# newest PACKAGE PREFIX: the newest version whose name begins so.
newest() {
    apt-cache madison "$1" | awk -v prefix="$2" -F ' *[|] *' 'index($2, prefix) == 1 { print $2; exit }'
}

# unpack_foreign FOLDER ARCHITECTURE PACKAGE [VERSION]: the newest whose version begins so. The lists of packages of other
# architectures lie beside those of this machine, which don't change.
unpack_foreign() {
    local apt=$target/targets/apt-$2
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    cat >"$apt/apt.conf" <<END
APT::Architecture "amd64";
APT::Architectures { "amd64"; "$2"; };
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
END
    (
        export APT_CONFIG=$apt/apt.conf
        # What counts is whether the package is found; an archive that has not all of the architectures is no obstacle.
        apt-get -q update >"$apt/log" 2>&1 || true
        unpack_debian "$1" "$3:$2=$(newest "$3:$2" "${4:-}")"
    )
}

# Debian has Rust's library for musl as sources only: compiled once, and laid where rustc looks for it.
musl_library() {
    local triple=${TARGETS[musl]%% *} work=$target/targets/musl sources=$rust/root/usr/lib/rustlib/src/rust
    rm -rf "$work" "$sources"
    mkdir -p "$work/src" "$sources"
    unpack_debian "$work/package" "rust-web-src=$(newest rust-web-src "$version.")" || return
    mv "$work"/package/usr/src/rustc-*/library "$sources"
    printf '[package]\nname = "nothing"\nedition = "2021"\n[workspace]\n' >"$work/Cargo.toml"
    echo '#![no_std]' >"$work/src/lib.rs"
    # Optimising at link time takes the bitcode.
    (
        cd "$work"
        RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Cembed-bitcode=yes RUSTC=$rust/rustc "$rust/cargo" build -q --release \
            --target "$triple" --target-dir "$work/build" -Z build-std=std,panic_unwind
    ) || return
    mkdir -p "$rust/root/usr/lib/rustlib/$triple/lib"
    mv "$work/build/$triple"/release/deps/*.r* "$rust/root/usr/lib/rustlib/$triple/lib"
    rm -r "$work"
}
