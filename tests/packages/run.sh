#!/usr/bin/env bash
# The Debian packages as a user has them: made for this machine, installed in a fresh Debian, used there; made for
# armhf and arm64, unpacked, used by a cross compiler; and installed in a fresh Debian for each. And the recipes for
# Yocto and Buildroot, as far as they can be tried.
#
#   tests/packages/run.sh            all
#   tests/packages/run.sh PART...    some of: recipes install cross install-armhf install-arm64
#
# Needs Debian on x86-64, and root where packages are installed (debootstrap). `cross` takes what tests/targets/run.sh
# armhf arm64 has built. `install-armhf` and `install-arm64` are not among all: their Debians are made under qemu, which
# takes some minutes once.
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

# A Debian with nothing but what compiles C, in target/packages/base, for as long as the lists of packages know it.
base() {
    local place=$target/packages/base
    [ -f "$place/.whole" ] && return
    rm -rf "$place"
    mkdir -p "$place"
    debootstrap --variant=minbase --include=gcc,libc6-dev,make,cmake,pkg-config bookworm "$place" >"$place.log" 2>&1 ||
        fail "$(tail -n 5 "$place.log")"
    touch "$place/.whole"
}

install() {
    need debootstrap=debootstrap cmake=cmake make=make gcc=gcc dpkg-shlibdeps=dpkg-dev python3=python3
    need_rust
    packaging/debian.sh "$output/amd64" -DIOT_BUILD_HUB=ON -DCARGO_TARGET_DIR="$target"
    base
    local place=$output/root packages name
    rm -rf "$place"
    cp -a "$target/packages/base" "$place"
    packages=("$output"/amd64/deb/*.deb)
    [ ${#packages[@]} = 3 ] || fail "there are ${#packages[@]} packages: ${packages[*]}"
    # debootstrap writes none.
    echo '127.0.0.1 localhost' >"$place/etc/hosts"
    mkdir "$place/work"
    cp "${packages[@]}" c_examples/ota_mqtt_sample.c tests/link/program.c tests/c/check.h "$place/work"
    cp -r tests/link/consumer "$place/work"
    # dpkg looks at what each needs.
    chroot "$place" sh -c 'dpkg -i /work/*.deb' || fail "the packages can't be installed"
    for name in libiot-sdk-dev libiot-sdk3 qcloud-iot-hub; do
        grep -q 'which terms' "$place/usr/share/doc/$name/copyright" || fail "$name has no licences"
        [ "$(find "$place/usr/share/doc/$name" -name '*.cdx.json' | wc -l)" = 1 ] || fail "$name has no bill of materials"
    done
    grep -rlE "$output|$target" "$place/usr/include/qcloud_iot" "$place"/usr/lib/*/pkgconfig/libiot_sdk.pc \
        "$place"/usr/lib/*/cmake/QCloudIoT "$place/usr/share/doc/libiot-sdk-dev" && fail "these name folders of the build"
    # shellcheck disable=SC2016
    chroot "$place" sh -euc '
        cd /work
        flags=$(pkg-config --cflags libiot_sdk)
        gcc $flags ota_mqtt_sample.c $(pkg-config --libs libiot_sdk) -o with_shared
        gcc $flags ota_mqtt_sample.c -Wl,-Bstatic $(pkg-config --static --libs libiot_sdk) -Wl,-Bdynamic -o with_archives
        cmake -S consumer -B build -DPROGRAM=/work/program.c -DCHECKS=/work -DINTERFACE=3.2
        cmake --build build
        build/with_static
        build/with_shared' || fail "programs can't be built with what was installed"
    readelf -d "$place/work/with_shared" | grep -q 'NEEDED.*libiot_sdk\.so\.3' || fail "with_shared does not need the library"
    readelf -d "$place/work/with_archives" | grep -q libiot_sdk && fail "with_archives needs the shared library"
    # The hub of the package, which starts the program.
    printf '#!/bin/sh\nexec chroot "%s" qcloud_iot_hub "$@"\n' "$place" >"$output/hub"
    chmod +x "$output/hub"
    for name in with_shared with_archives; do
        upgrade "$output/hub" "/work/$name" || fail "$name took no upgrade"
    done
    chroot "$place" sh -c 'dpkg -r libiot-sdk-dev libiot-sdk3 qcloud-iot-hub' >/dev/null
    [ -z "$(find "$place/usr" -name '*iot_sdk*' -o -name '*qcloud*')" ] || fail "something is left behind"
    rm -rf "$place"
}

cross() {
    cross_to armhf arm-linux-gnueabihf qemu-arm
    cross_to arm64 aarch64-linux-gnu qemu-aarch64
}

# packages_for ARCHITECTURE PREFIX QEMU: as Debian calls it, the compiler without its -gcc, and what runs its programs.
packages_for() {
    need cmake=cmake make=make "$2-gcc=gcc-$2" "$2-g++=g++-$2" "$3=qemu-user" pkg-config=pkg-config
    RUSTC=$target/oldest/rust-$version/rustc packaging/debian.sh "$output/$1" -DCOMPILE_TOOLS="$2-gcc" \
        -DCARGO="$target/oldest/rust-$version/cargo" -DCARGO_TARGET_DIR="$target/targets/build"
}

# link_with PLACE PREFIX [OPTION]: the sample with the shared library that lies beneath PLACE, into PLACE/with_shared.
link_with() {
    # shellcheck disable=SC2046
    (
        export PKG_CONFIG_SYSROOT_DIR=$1 PKG_CONFIG_LIBDIR=$1/usr/lib/$2/pkgconfig
        cd "$1"
        "$2-gcc" ${3:+"$3"} $(pkg-config --cflags libiot_sdk) "$source/c_examples/ota_mqtt_sample.c" \
            $(pkg-config --libs libiot_sdk) -o with_shared
    )
}

# cross_to: as packages_for.
cross_to() {
    local architecture=$1 prefix=$2 qemu=$3 place=$output/$1/root
    packages_for "$@"
    rm -rf "$place"
    mkdir -p "$place"
    local package
    for package in "$output/$architecture"/deb/*.deb; do
        [ "$(dpkg-deb -f "$package" Architecture)" = "$architecture" ] || fail "$package is not for $architecture"
        dpkg-deb -x "$package" "$place"
    done
    link_with "$place" "$prefix"
    cargo build --locked -p hub
    upgrade "$target/debug/hub" "$qemu" -L "/usr/$prefix" -E "LD_LIBRARY_PATH=$place/usr/lib/$prefix" "$place/with_shared"
}

# in_foreign PLACE QEMU COMMAND...: in the Debian there, as root. The folder that this is called in is there, too.
in_foreign() {
    proot -0 -r "$1" -q "$2" -b /dev -b /proc -b "$PWD" -w "$PWD" "${@:3}"
}

# base_foreign ARCHITECTURE QEMU: Debian's smallest, in target/packages/base-ARCHITECTURE.
base_foreign() {
    local place=$target/packages/base-$1
    [ -f "$place/.whole" ] && return
    rm -rf "$place"
    mkdir -p "$place"
    debootstrap --arch="$1" --foreign --variant=minbase --include=libc6-dev bookworm "$place" >"$place.log" 2>&1 ||
        fail "$(tail -n 5 "$place.log")"
    # A link to this machine's may be there, which leads to itself inside.
    [ ! -L "$place/proc" ] || { rm "$place/proc" && mkdir "$place/proc"; }
    DEBOOTSTRAP_DIR=/debootstrap in_foreign "$place" "$2" /debootstrap/debootstrap --second-stage >"$place.log" 2>&1 ||
        fail "$(tail -n 5 "$place.log")"
    touch "$place/.whole"
}

# install_foreign: as packages_for.
install_foreign() {
    local architecture=$1 prefix=$2 qemu=$3 place=$output/root-$1 name
    need debootstrap=debootstrap proot=proot "$qemu=qemu-user"
    # Where processes can't be traced, as in some containers.
    proot true 2>/dev/null || {
        echo "skipped: proot runs nothing here, and without it no Debian for $architecture"
        return
    }
    packages_for "$@"
    base_foreign "$architecture" "$qemu"
    rm -rf "$place"
    cp -a "$target/packages/base-$architecture" "$place"
    mkdir "$place/work"
    cp "$output/$architecture"/deb/*.deb "$place/work"
    # dpkg looks at what each needs.
    in_foreign "$place" "$qemu" sh -c 'dpkg -i /work/*.deb' || fail "the packages can't be installed"
    for name in libiot-sdk-dev libiot-sdk3; do
        in_foreign "$place" "$qemu" dpkg -s "$name" | grep -qx "Architecture: $architecture" || fail "$name is not there"
    done
    # With its C library, too.
    link_with "$place" "$prefix" "--sysroot=$place"
    cargo build --locked -p hub
    cat >"$output/program" <<END
#!/bin/sh
exec proot -0 -r "$place" -q "$qemu" -b /dev -b /proc -b "\$PWD" -w "\$PWD" /with_shared
END
    chmod +x "$output/program"
    upgrade "$target/debug/hub" "$output/program" || fail "the program took no upgrade"
    in_foreign "$place" "$qemu" dpkg -r libiot-sdk-dev libiot-sdk3 >/dev/null
    [ -z "$(find "$place/usr" -name '*iot_sdk*' -o -name '*qcloud*')" ] || fail "something is left behind"
    rm -rf "$place"
}

install-armhf() {
    install_foreign armhf arm-linux-gnueabihf qemu-arm
}

install-arm64() {
    install_foreign arm64 aarch64-linux-gnu qemu-aarch64
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
[ ${#parts[@]} -gt 0 ] || parts=(recipes install cross)
for part in "${parts[@]}"; do
    case $part in
    recipes | install | cross | install-armhf | install-arm64) echo "-- packages, $part" && "$part" ;;
    *) fail "there is no part $part" ;;
    esac
done
