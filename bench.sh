#!/usr/bin/env bash
# Measures the library beside the limits of this machine: builds, starts its own servers, runs each case several times,
# prints medians and ratios, and writes BENCHMARKS.md and docs/benchmarks.svg. Installs what is missing (as root or with
# sudo). As root it also makes a slow link in a network namespace.
#
#   ./bench.sh                  all cases
#   ./bench.sh --quick          each once and on less data, to see that they work; writes nothing
#   ./bench.sh --only CASE...   some of: sample link loops memory size first-byte many hub-200 idle services
#                               round-trips gateway-200 coap; writes nothing
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
build log -DFEATURE_LOG_UPLOAD_ENABLED=ON
build coap -DFEATURE_OTA_SIGNAL_CHANNEL=COAP
cargo build --locked --release -p hub -p bench

# 1,000 devices have two connections each, at both ends.
ulimit -Sn "$(ulimit -Hn)"
begin=$SECONDS
E2E_KEY_DIR=$PWD/build/bench-key/output E2E_NOTLS_DIR=$PWD/build/bench-notls/output \
    E2E_LOG_DIR=$PWD/build/bench-log/output E2E_COAP_DIR=$PWD/build/bench-coap/output \
    E2E_HUB=$CARGO_TARGET_DIR/release/hub target/release/bench "$@"
echo "== Measured in $((SECONDS - begin)) s"
