#!/usr/bin/env bash
# The library on other processors: cross-built as a user would (COMPILE_TOOLS), run under qemu's user mode, against a hub
# of this machine.
#
#   tests/targets/run.sh            all targets
#   tests/targets/run.sh NAME...    some of: armhf arm64 s390x musl
#
# On each, in all three modes: the tests of tests/c, and a whole upgrade by ota_mqtt_sample with firmware connections cut
# in the middle and a broker that goes away. Then all samples, in all modes. KEY builds have rustls for https://, CERT
# builds FEATURE_TLS=mbedtls; on armhf there is one with rustls, too.
# armhf has 32 bits; there the crates' own tests run as well, and a download that is cut past 2 GiB. s390x stores the
# high byte first, which none of the MIPS targets of Debian 12's Rust does. musl is this machine's processor, with static
# programs.
#
# Needs what toolchain.sh says.
set -euo pipefail
cd "$(dirname "$0")/../.."
source tests/targets/toolchain.sh
need_rust
output=$PWD/build/targets
names=("$@")
[ ${#names[@]} -gt 0 ] || names=(armhf arm64 s390x musl)

# What cmake is told for a mode, and the hub about the device.
declare -A OPTIONS=(
    [notls]="-DFEATURE_AUTH_WITH_NOTLS=ON"
    [key]="-DFEATURE_AUTH_MODE=KEY"
    [cert]="-DFEATURE_AUTH_MODE=CERT"
    [mbedtls]="-DFEATURE_AUTH_MODE=CERT -DFEATURE_TLS=mbedtls"
)
declare -A MODES=(
    [armhf]="notls key mbedtls cert"
    [arm64]="notls key mbedtls"
    [s390x]="notls key mbedtls"
    [musl]="notls key mbedtls"
)
declare -A WAYS=(
    [notls]="--auth password --scheme http"
    [key]="--auth psk --scheme https"
    [cert]="--auth certificate --scheme https"
    [mbedtls]="--auth certificate --scheme https"
)

# build NAME MODE: into build/targets/NAME-MODE
build() {
    local triple prefix qemu folder=$output/$1-$2 options
    read -r triple prefix qemu <<<"${TARGETS[$1]}"
    read -ra options <<<"${OPTIONS[$2]} -DFEATURE_COAP_COMM_ENABLED=ON"
    if [ "$1" = musl ]; then
        mkdir -p "$folder"
        musl-gcc -O2 -Wall -c tests/targets/find_object.c -o "$folder/find_object.o"
        options+=("-DCARGO_TARGET=$triple" -DIOT_BUILD_SHARED=OFF
            "-DCMAKE_EXE_LINKER_FLAGS=-static -Wl,--eh-frame-hdr $folder/find_object.o")
    else
        options+=("-DCMAKE_CROSSCOMPILING_EMULATOR=$qemu;-L;/usr/$prefix")
    fi
    cmake -S . -B "$folder" -DCOMPILE_TOOLS="$prefix-gcc" -DCARGO="$rust/cargo" -DOUTPUT_DIR="$folder/output" \
        -DCARGO_TARGET_DIR="$target/targets/build" "${options[@]}"
    # What is optimised at link time takes half of the time, and is the same on all processors.
    RUSTC=$rust/rustc CARGO_PROFILE_RELEASE_LTO=off cmake --build "$folder" -j "$(nproc)"
}

# upgrade NAME MODE
upgrade() {
    local run way
    read -ra run <<<"$(emulator "$1")"
    read -ra way <<<"${WAYS[$2]}"
    "$target/debug/hub" run --once --size 3000000 --from-version 1.0.0 --version 2.0.0 --expect 'done' --timeout 120 \
        --fault 'http:cut=1000001#1' --fault 'http:cut=700000#2' --fault 'mqtt:away=1@downloading#1' \
        --compare FW_TESTPRODUCdevice_2.0.0.bin "${way[@]}" -- "${run[@]}" "$output/$1-$2/output/bin/ota_mqtt_sample"
}

# samples NAME: each of them in each mode, as tests/e2e tries them on this machine. Those of resources and SSH tunnels are for
# IOT_ABI=3.3, which these builds are not. Debian has no C++ library for musl.
samples() {
    local -x E2E_EMULATOR E2E_HUB=$target/debug/hub E2E_NOTLS_DIR=$output/$1-notls/output E2E_LOG_DIR=$output/$1-notls/output
    local -x E2E_KEY_DIR=$output/$1-key/output E2E_CERT_DIR=$output/$1-mbedtls/output
    local mode without=(--skip resource_mqtt_sample --skip ssh_sample)
    E2E_EMULATOR=$(emulator "$1")
    [ "$1" != musl ] || without+=(--skip ota_mqtt_sample_cpp)
    for mode in notls key cert; do
        SAMPLES_MODE=$mode cargo test --locked -p e2e --test every_sample -- --ignored "${without[@]}"
    done
    cargo test --locked -p e2e --test coap -- --include-ignored the_samples_post
}

# offsets NAME: a download that goes on behind 2 GiB, where a signed 32-bit number ends. Nothing is written to the disk.
offsets() {
    local prefix run folder=$output/$1-notls/output
    read -r _ prefix _ <<<"${TARGETS[$1]}"
    read -ra run <<<"$(emulator "$1")"
    "$prefix-gcc" -O2 -I "$folder/include" -I "$folder/include/exports" bench/c/fetch.c -o "$folder/fetch" -L "$folder/lib" \
        -Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group -lpthread
    "$target/debug/hub" run --once --size 2200000000 --from-version 1.0.0 --version 2.0.0 --expect 'done' --timeout 500 \
        --fault 'http:cut=2150000000#1' --auth password --scheme http -- "${run[@]}" "$folder/fetch"
}

# unit NAME: the crates' own tests that need no servers' crates.
unit() {
    local triple prefix qemu upper lower
    read -r triple prefix qemu <<<"${TARGETS[$1]}"
    lower=${triple//-/_}
    upper=${lower^^}
    env "RUSTC=$rust/rustc" "CARGO_TARGET_${upper}_LINKER=$prefix-gcc" "CARGO_TARGET_${upper}_RUNNER=$qemu -L /usr/$prefix" \
        "CC_$lower=$prefix-gcc" CARGO_PROFILE_DEV_DEBUG=false CARGO_TARGET_DIR="$target/targets/build" \
        "$rust/cargo" test --locked --lib --target "$triple" -p iot-abi -p iot-engine -p iot-sdk -p iot-platform-posix
}

# timed WHAT COMMAND...
timed() {
    local begin=$SECONDS
    echo "-- $1"
    "${@:2}"
    echo "-- $1: $((SECONDS - begin)) s"
}

toolchain "${names[@]}"
cargo build --locked -p hub
for name in "${names[@]}"; do
    for mode in ${MODES[$name]}; do
        timed "$name, $mode, build" build "$name" "$mode"
        timed "$name, $mode, tests" ctest --test-dir "$output/$name-$mode" --output-on-failure --no-tests=error
        timed "$name, $mode, upgrade" upgrade "$name" "$mode"
    done
    timed "$name, samples" samples "$name"
    if [ "$name" = armhf ]; then
        timed "$name, past 2 GiB" offsets "$name"
        timed "$name, unit tests" unit "$name"
    fi
done
