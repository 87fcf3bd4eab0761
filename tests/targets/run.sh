#!/usr/bin/env bash
# The library on other processors: cross-built as a user would (COMPILE_TOOLS), run under qemu's user mode, against a hub
# of this machine.
#
#   tests/targets/run.sh            all targets
#   tests/targets/run.sh NAME...    some of: armhf s390x
#
# On each: the tests of tests/c, and a whole upgrade by ota_mqtt_sample with firmware connections cut in the middle and a
# broker that goes away. armhf has 32 bits and runs in all three modes. s390x stores the high byte first, which none of
# the MIPS targets of Debian 12 does; it runs without TLS.
#
# Needs Debian 12 on x86-64: its Rust has a standard library for each of its architectures. They are unpacked into
# target/, not installed.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/need.sh
source tools/debian_rust.sh
need_rust
target=${CARGO_TARGET_DIR:-$PWD/target}
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
rust=$target/oldest/rust-$version
output=$PWD/build/targets

# name: cargo target, prefix of the compiler, qemu
declare -A TARGETS=(
    [armhf]="armv7-unknown-linux-gnueabihf arm-linux-gnueabihf qemu-arm"
    [s390x]="s390x-unknown-linux-gnu s390x-linux-gnu qemu-s390x"
)
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(armhf s390x)

# Lists of packages of these architectures, beside those of this machine, which don't change.
foreign_packages() {
    local apt=$target/targets/apt list
    export APT_CONFIG=$apt/apt.conf
    list=$(printf '"%s"; ' amd64 "${names[@]}")
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    cat >"$APT_CONFIG" <<END
APT::Architecture "amd64";
APT::Architectures { $list};
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
END
    # What counts is whether the packages are found; an archive that has not all of the architectures is no obstacle.
    apt-get -q update >"$apt/log" 2>&1 || true
}

toolchain() {
    local name triple missing=() full
    "$rust/cargo" --version >/dev/null 2>&1 || debian_rust "$version" "$rust" || {
        echo "targets: Debian 12 is needed, whose archive has Rust $version" >&2
        return 1
    }
    for name in "${names[@]}"; do
        triple=${TARGETS[$name]%% *}
        compgen -G "$rust/root/usr/lib/rustlib/$triple/lib/libtest-*.rlib" >/dev/null || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    foreign_packages
    for name in "${missing[@]}"; do
        full=$(apt-cache madison "libstd-rust-web-dev:$name" |
            awk -v version="$version" -F ' *[|] *' 'index($2, version ".") == 1 { print $2; exit }')
        unpack_debian "$rust/root" "libstd-rust-web-dev:$name=$full" || return
    done
    unset APT_CONFIG
}

# What cmake is told for a mode, and the hub about the device.
declare -A OPTIONS=(
    [notls]="-DFEATURE_AUTH_WITH_NOTLS=ON"
    [key]="-DFEATURE_AUTH_MODE=KEY"
    [cert]="-DFEATURE_AUTH_MODE=CERT"
)
declare -A WAYS=(
    [notls]="--auth password --scheme http"
    [key]="--auth psk --scheme http"
    [cert]="--auth certificate --scheme https"
)

# build NAME MODE: into build/targets/NAME-MODE
build() {
    local prefix qemu folder=$output/$1-$2
    read -r _ prefix qemu <<<"${TARGETS[$1]}"
    cmake -S . -B "$folder" -DCOMPILE_TOOLS="$prefix-gcc" -DCARGO="$rust/cargo" -DOUTPUT_DIR="$folder/output" \
        -DCARGO_TARGET_DIR="$target/targets/build" -DCMAKE_CROSSCOMPILING_EMULATOR="$qemu;-L;/usr/$prefix" \
        "${OPTIONS[$2]}"
    cmake --build "$folder" -j "$(nproc)"
}

# upgrade NAME MODE
upgrade() {
    local prefix qemu
    read -r _ prefix qemu <<<"${TARGETS[$1]}"
    # shellcheck disable=SC2086
    "$target/debug/hub" run --once --size 3000000 --from-version 1.0.0 --version 2.0.0 --expect 'done' --timeout 120 \
        --fault 'http:cut=1000001#1' --fault 'http:cut=700000#2' --fault 'mqtt:away=1@downloading#1' \
        --compare FW_TESTPRODUCdevice_2.0.0.bin ${WAYS[$2]} -- \
        "$qemu" -L "/usr/$prefix" "$output/$1-$2/output/bin/ota_mqtt_sample"
}

packages=()
for name in "${names[@]}"; do
    read -r _ prefix qemu <<<"${TARGETS[$name]:?no such target}"
    packages+=("$qemu=qemu-user" "$prefix-gcc=gcc-$prefix" "$prefix-g++=g++-$prefix")
done
need cmake=cmake make=make gcc=gcc "${packages[@]}"
toolchain
cargo build --locked -p hub
export RUSTC=$rust/rustc
for name in "${names[@]}"; do
    modes=(notls)
    [ "$name" != armhf ] || modes+=(key cert)
    for mode in "${modes[@]}"; do
        echo "-- $name, $mode"
        build "$name" "$mode"
        ctest --test-dir "$output/$name-$mode" --output-on-failure --no-tests=error
        upgrade "$name" "$mode"
    done
done
