#!/usr/bin/env bash
# Measures the library beside the limits of this machine: builds, starts its own servers, runs each case several times,
# prints medians and ratios, and writes BENCHMARKS.md and docs/benchmarks.svg. Installs what is missing (as root or with
# sudo). As root it also makes a slow link in a network namespace.
#
#   ./bench.sh                  all cases
#   ./bench.sh --quick          each once and on less data, to see that they work; writes nothing
#   ./bench.sh --only CASE...   some of: sample link loops memory size first-byte many hub-200 idle services
#                               round-trips gateway-200 coap arm; writes nothing
#   ./bench.sh --peer DIR       with a build of bench/c/fetch.c against the C SDK, DIR/fetch, measured beside ours
set -euo pipefail
cd "$(dirname "$0")"
source tools/need.sh

need cmake=cmake gcc=gcc g++=g++ make=make pkg-config=pkg-config strip=binutils \
    valgrind=valgrind nginx=nginx-light curl=curl ip=iproute2 \
    /usr/bin/time=time /usr/include/mbedtls/ssl.h=libmbedtls-dev
need_rust
export CARGO_TARGET_DIR=$PWD/target

# build MODE [OPTION...]: the library and what is measured into build/bench-MODE/output.
build() {
    local folder=build/bench-$1
    shift
    cmake -S . -B "$folder" -DOUTPUT_DIR="$PWD/$folder/output" -DCARGO_TARGET_DIR="$CARGO_TARGET_DIR" \
        -DIOT_BUILD_BENCH=ON -DIOT_BUILD_SHARED=OFF -DBUILD_TESTING=OFF "$@" >/dev/null
    cmake --build "$folder" -j "$(nproc)"
}
echo "== Building (the first time takes some minutes)"
build notls -DFEATURE_AUTH_WITH_NOTLS=ON
build key
build log -DFEATURE_LOG_UPLOAD_ENABLED=ON -DFEATURE_UPGRADE=ON
build coap -DFEATURE_OTA_SIGNAL_CHANNEL=COAP
cargo build --locked --release -p hub -p bench

# arm: the programs for 32-bit ARM into build/bench-arm/bin, with what counts their instructions.
arm() {
    local folder=$PWD/build/bench-arm prefix=arm-linux-gnueabihf name
    source tests/targets/toolchain.sh
    toolchain armhf || return
    [ -e "$folder/mbedtls/usr/lib/$prefix/libmbedtls.a" ] ||
        unpack_foreign "$folder/mbedtls" armhf libmbedtls-dev || return
    # bench/CMakeLists.txt is left out: some of its programs take the machine's own mbedTLS.
    cmake -S . -B "$folder" -DCOMPILE_TOOLS=$prefix-gcc -DCARGO="$rust/cargo" -DOUTPUT_DIR="$folder/output" \
        -DCARGO_TARGET_DIR="$target/targets/build" -DIOT_BUILD_SHARED=OFF -DBUILD_TESTING=OFF >/dev/null &&
        RUSTC=$rust/rustc cmake --build "$folder" -j "$(nproc)" || return
    mkdir -p "$folder/bin"
    for name in connections fetch idle; do
        $prefix-gcc -O2 -Wall -I "$folder/output/include" -I "$folder/output/include/exports" "bench/c/$name.c" \
            -o "$folder/bin/$name" -L "$folder/output/lib" -Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group -lpthread ||
            return
    done
    $prefix-gcc -O2 -Wall -I "$folder/mbedtls/usr/include" bench/arm/least.c -o "$folder/bin/least" \
        -L "$folder/mbedtls/usr/lib/$prefix" -Wl,-Bstatic -lmbedtls -lmbedx509 -lmbedcrypto -Wl,-Bdynamic &&
        $prefix-gcc -O2 -Wall -shared -fPIC bench/arm/hours.c -o "$folder/bin/hours.so" &&
        gcc -O2 -Wall -shared -fPIC bench/arm/count.c -o "$folder/bin/count.so" &&
        export BENCH_ARM_DIR=$folder
}
case " $* " in
*' arm '*) arm ;;
*' --only '*) ;;
# Its row says that it was left out.
*) arm || echo "Without the programs for ARM." >&2 ;;
esac

# 1,000 devices have two connections each, at both ends.
ulimit -Sn "$(ulimit -Hn)"
begin=$SECONDS
E2E_KEY_DIR=$PWD/build/bench-key/output E2E_NOTLS_DIR=$PWD/build/bench-notls/output \
    E2E_LOG_DIR=$PWD/build/bench-log/output E2E_COAP_DIR=$PWD/build/bench-coap/output \
    E2E_HUB=$CARGO_TARGET_DIR/release/hub target/release/bench "$@"
echo "== Measured in $((SECONDS - begin)) s"
