#!/usr/bin/env bash
# Runs tests under sanitizers. Each one first has to catch a fault made on purpose.
#
#   run.sh c         the C programs and samples: addresses, leaks, undefined behaviour (gcc)
#   run.sh address   the crates' tests with the C code in them: the same, also in Rust (rustc)
#   run.sh thread    the library's tests with many threads: data races, locks in changing order (rustc)
#
# gcc's and rustc's runtimes don't go together in one program, so the C programs are watched in C only. The rustc
# sanitizers are an unstable option, which RUSTC_BOOTSTRAP unlocks in a stable compiler; its standard library is not
# instrumented, so a wrong use of memory inside of it goes unseen.
set -euo pipefail
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
here=$PWD/tests/sanitizers
build=$PWD/build/sanitizers

# Fails unless a program's output names the fault: expect TEXT PROGRAM...
expect() {
    local text=$1 output
    shift
    output=$("$@" 2>&1) || true
    if ! grep -q "$text" <<<"$output"; then
        echo "tests/sanitizers/run.sh: $* was not stopped with \"$text\": the sanitizer is not at work" >&2
        return 1
    fi
}

in_c() {
    local flags="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g"
    # The mode without TLS: the server of most programs speaks none.
    cmake -S . -B "$build" -DOUTPUT_DIR="$build/output" -DCARGO_TARGET_DIR="$CARGO_TARGET_DIR" \
        -DFEATURE_AUTH_WITH_NOTLS=ON -DFEATURE_UPGRADE=ON -DIOT_BUILD_SHARED=OFF -DVALGRIND=OFF \
        -DCMAKE_C_FLAGS="$flags" -DCMAKE_CXX_FLAGS="$flags"
    cmake --build "$build" -j "$(nproc)"
    ctest --test-dir "$build" -j "$(nproc)" -R '^(c|platform|sanitizers)/' -E '/symbols$' --output-on-failure --no-tests=error

    cargo build --locked --release -p hub
    export E2E_NOTLS_DIR=$build/output E2E_HUB=$CARGO_TARGET_DIR/release/hub
    cargo test --locked -p e2e --test modes --test mqtt -- without_tls
}

# Flags for the linker with which ThreadSanitizer sees a Mutex change hands. The standard library, which is not
# instrumented, takes one that had to be waited for, or comes with a condition, in functions of its own. Around them, the
# sanitizer is told.
lock_handover() {
    local symbols lock wait wait_timeout
    symbols=$(nm "$build/canary-thread")
    lock=$(grep -oE '_R[A-Za-z0-9_]*5mutex5futex[A-Za-z0-9_]*14lock_contended$' <<<"$symbols" | head -1)
    wait=$(grep -oE '_R[A-Za-z0-9_]*3sys4sync7condvar5futex[A-Za-z0-9_]*4wait$' <<<"$symbols" | head -1)
    wait_timeout=$(grep -oE '_R[A-Za-z0-9_]*3sys4sync7condvar5futex[A-Za-z0-9_]*12wait_timeout$' <<<"$symbols" | head -1)
    if [ -z "$lock" ] || [ -z "$wait" ] || [ -z "$wait_timeout" ]; then
        echo "tests/sanitizers/run.sh: $(rustc --version) waits for a Mutex in functions that are not known here" >&2
        return 1
    fi
    gcc -c -x c -o "$build/lock_handover.o" - <<CODE
#include <stdbool.h>
#include <stdint.h>
void __tsan_acquire(void *at);
void __tsan_release(void *at);
void __real_$lock(void *mutex);
void __wrap_$lock(void *mutex)
{
    __real_$lock(mutex);
    __tsan_acquire(mutex);
}
void __real_$wait(void *condition, void *mutex);
void __wrap_$wait(void *condition, void *mutex)
{
    __tsan_release(mutex);
    __real_$wait(condition, mutex);
    __tsan_acquire(mutex);
}
bool __real_$wait_timeout(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds);
bool __wrap_$wait_timeout(void *condition, void *mutex, uint64_t seconds, uint32_t nanoseconds)
{
    __tsan_release(mutex);
    bool in_time = __real_$wait_timeout(condition, mutex, seconds, nanoseconds);
    __tsan_acquire(mutex);
    return in_time;
}
CODE
    echo " -Clink-arg=$build/lock_handover.o -Clink-arg=-Wl,--wrap=$lock,--wrap=$wait,--wrap=$wait_timeout"
}

# rust SANITIZER CARGO_ARGUMENT...: cargo with that sanitizer, in a folder of its own.
rust() {
    local sanitizer=$1 target flags
    shift
    target=$(rustc -vV | sed -n 's/^host: //p')
    flags="-Zsanitizer=$sanitizer"
    # Newer compilers want to be told that a standard library without the sanitizer is meant.
    if rustc -Cunsafe-allow-abi-mismatch=sanitizer --print sysroot >/dev/null 2>&1; then
        flags+=" -Cunsafe-allow-abi-mismatch=sanitizer"
    fi
    export RUSTC_BOOTSTRAP=1
    mkdir -p "$build"
    # shellcheck disable=SC2086
    rustc $flags -g --edition 2021 -o "$build/canary-$sanitizer" "$here/canary.rs"
    case $sanitizer in
    address) expect heap-buffer-overflow "$build/canary-address" heap ;;
    thread)
        expect 'data race' "$build/canary-thread" race
        local handover
        handover=$(lock_handover)
        flags+=$handover
        # shellcheck disable=SC2086
        rustc $flags -g --edition 2021 -o "$build/canary-thread" "$here/canary.rs"
        expect 'data race' "$build/canary-thread" race
        "$build/canary-thread" lock
        ;;
    esac
    # What a report shows of a place is its file and line. Nothing is compiled twice, so nothing is kept for that.
    CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_INCREMENTAL=0 RUSTFLAGS=$flags \
        CARGO_TARGET_DIR=$CARGO_TARGET_DIR/sanitizers/$sanitizer cargo "$@" --locked --target "$target"
}

in_rust() {
    if ! compgen -G "$(rustc --print target-libdir)/librustc-*_rt.asan.a" >/dev/null; then
        echo "skipped: this Rust comes without sanitizers ($(rustc --version)); rustup's has them"
        return
    fi
    case $1 in
    address)
        # The C code is watched, too. Without the defaults of crate cc, which has flags for gcc that bindgen's clang
        # refuses.
        export CRATE_CC_NO_DEFAULTS=1
        export CFLAGS="-O1 -g -fPIC -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined"
        # There are tests of what happens where there is no memory: they ask for more than there can be. And frames must
        # lie where they do without the sanitizer: hal/abandoned.rs compares their places on the stack.
        ASAN_OPTIONS=allocator_may_return_null=1:detect_stack_use_after_return=0 rust address test --lib -p iot-engine -p iot-sdk -p iot-platform-posix -p iot-platform-tls
        ;;
    thread)
        # In the interface of 3.3.0, of which resources are. What its structs look like, the platform must know, too.
        TSAN_OPTIONS="suppressions=$here/tsan.supp" rust thread test --lib -p iot-sdk --features coap,resource,iot-platform/abi-3-3
        ;;
    esac
}

case ${1:-} in
c) in_c ;;
address | thread) in_rust "$1" ;;
*)
    echo "usage: $0 c|address|thread" >&2
    exit 2
    ;;
esac
