#!/usr/bin/env bash
# The Debian packages as a user has them: made for another processor, unpacked, used by a cross compiler. And the recipes
# for Yocto and Buildroot, as far as they can be tried.
#
#   tests/packages/run.sh            all
#   tests/packages/run.sh PART...    some of: recipes cross
#
# Needs Debian on x86-64. `cross` takes what tests/targets/run.sh armhf has built.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tools/need.sh
source=$PWD
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR=$target
output=$PWD/build/packages
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# A whole upgrade, from the hub $1 to the program that follows.
upgrade() {
    "$1" run --once --size 2000000 --from-version 1.0.0 --version 2.0.0 --expect 'done' --timeout 120 \
        --fault 'http:cut=1000001#1' --compare FW_TESTPRODUCdevice_2.0.0.bin --auth psk --scheme http -- "${@:2}"
}

cross() {
    local prefix=arm-linux-gnueabihf place=$output/armhf/root
    need cmake=cmake make=make "$prefix-gcc=gcc-$prefix" "$prefix-g++=g++-$prefix" qemu-arm=qemu-user pkg-config=pkg-config
    RUSTC=$target/oldest/rust-$version/rustc packaging/debian.sh "$output/armhf" -DCOMPILE_TOOLS=$prefix-gcc \
        -DCARGO="$target/oldest/rust-$version/cargo" -DCARGO_TARGET_DIR="$target/targets/build"
    rm -rf "$place"
    mkdir -p "$place"
    local package
    for package in "$output"/armhf/deb/*.deb; do
        [ "$(dpkg-deb -f "$package" Architecture)" = armhf ] || fail "$package is not for armhf"
        dpkg-deb -x "$package" "$place"
    done
    # shellcheck disable=SC2046
    (
        export PKG_CONFIG_SYSROOT_DIR=$place PKG_CONFIG_LIBDIR=$place/usr/lib/$prefix/pkgconfig
        cd "$place"
        $prefix-gcc $(pkg-config --cflags libiot_sdk) "$source/c_examples/ota_mqtt_sample.c" \
            $(pkg-config --libs libiot_sdk) -o with_shared
    )
    cargo build --locked -p hub
    upgrade "$target/debug/hub" qemu-arm -L /usr/$prefix -E "LD_LIBRARY_PATH=$place/usr/lib/$prefix" "$place/with_shared"
}

recipes() {
    need python3=python3 make=make /usr/lib/python3/dist-packages/pip=python3-pip
    need_rust
    local bitbake=$target/packages/bitbake
    if [ ! -d "$bitbake/bb" ]; then
        mkdir -p "$bitbake"
        echo 'bitbake-setup==2.19.0 --hash=sha256:b6ae77afc234d872f89938272317157f8553621467818825db7dbf70380bcdd2' >"$bitbake/requirements"
        python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
            -d "$bitbake" -r "$bitbake/requirements"
        (cd "$bitbake" && python3 -m zipfile -e ./*.whl .)
    fi
    cargo fetch --locked
    cargo fetch --locked --manifest-path platform/mbedtls/sources/Cargo.toml
    python3 tests/packages/recipes.py "$output/recipes" "$bitbake"
}

parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(recipes cross)
for part in "${parts[@]}"; do
    case $part in
    recipes | cross) echo "-- packages, $part" && "$part" ;;
    *) fail "there is no part $part" ;;
    esac
done
