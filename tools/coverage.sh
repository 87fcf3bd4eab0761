#!/usr/bin/env bash
# Which lines and branches the tests run through, of all but the tests themselves.
#
#   tools/coverage.sh [--whole-system] [--missing]
#
# Prints a table and fails where engine/ or its parsers have less than promised. Without an option it runs the crates' own
# tests. --whole-system: also the C tests and the whole-system tests, all modes. --missing: also lists the lines that
# nothing runs through.
#
# The compiler counts (-C instrument-coverage) in the crates of this repository only, so all others are shared with the
# usual builds. The counts are read with LLVM's own tools, of the version that the compiler is built on. RUSTC_BOOTSTRAP
# lets a stable compiler count branches, too. What a killed process ran through is not counted.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
source tools/need.sh

whole_system=
missing=()
for option in "$@"; do
    case $option in
    --whole-system) whole_system=yes ;;
    --missing) missing=(--missing) ;;
    *)
        echo "usage: tools/coverage.sh [--whole-system] [--missing]" >&2
        exit 2
        ;;
    esac
done

need_rust
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
need "llvm-cov-$llvm=llvm-$llvm" python3=python3 gcc=gcc g++=g++ cmake=cmake \
    '/usr/lib/llvm-*/lib/libclang.so=libclang-dev' mosquitto=mosquitto nginx=nginx-light coap-client-openssl=libcoap3-bin
# Debian does not carry the LLVM of every Rust. CI must have it.
if ! command -v "llvm-cov-$llvm" >/dev/null && [ -z "${CI:-}" ]; then
    echo "skipped: $(rustc --version) is built on LLVM $llvm, and there is no llvm-cov-$llvm here to read its counts"
    exit 0
fi
export CARGO_TARGET_DIR=$PWD/target
work=$CARGO_TARGET_DIR/coverage
rm -rf "$work"
mkdir -p "$work"
export LLVM_PROFILE_FILE=$work/%m.%p.profraw

cat >"$work/rustc.sh" <<'WRAPPER'
#!/bin/sh
compiler=$1
shift
RUSTC_BOOTSTRAP=1 exec "$compiler" "$@" -C instrument-coverage -Z coverage-options=branch
WRAPPER
chmod +x "$work/rustc.sh"
counting() {
    RUSTC_WORKSPACE_WRAPPER=$work/rustc.sh "$@"
}

# quietly NAME COMMAND...: shows what the command says only when it fails.
quietly() {
    local log=$work/$1.log
    shift
    "$@" >"$log" 2>&1 || {
        cat "$log"
        return 1
    }
}

own_tests() {
    local tests=(cargo test --locked -p iot-engine -p iot-sdk -p iot-platform-posix -p iot-platform-tls --lib --tests)
    counting "${tests[@]}" --no-run --message-format=json >"$work/built.json" && quietly tests counting "${tests[@]}"
}

# The samples of one mode, and the C tests, linked with an archive that counts.
mode() {
    local mode=$1 features=$2 source
    shift 2
    local link=("-I$work/$mode/include" "-I$work/$mode/include/exports" -x c)
    local archive=(-x none "$work/$mode/libiot_bundle.a" "-Wl,-u,__llvm_profile_runtime" -lpthread -ldl -lm)
    mkdir -p "$work/$mode/bin"
    quietly "cmake-$mode" cmake -S . -B "$work/$mode/build" -DOUTPUT_DIR="$work/$mode" "$@" || return
    # shellcheck disable=SC2086
    counting cargo build --locked -p iot-bundle $features || return
    cp "$CARGO_TARGET_DIR/debug/libiot_bundle.a" "$work/$mode" || return
    for source in c_examples/*_sample.c tests/c/*.c; do
        gcc "${link[@]}" "$source" "${archive[@]}" -o "$work/$mode/bin/$(basename "$source" .c)" || return
    done
    for source in tests/c/*.c; do
        (cd "$work/$mode" && quietly "c-$mode" "bin/$(basename "$source" .c)") || return
    done
}

whole_system() {
    mode key "" && mode notls "--features iot-bundle/auth-with-notls" -DFEATURE_AUTH_WITH_NOTLS=ON &&
        mode cert "--features iot-bundle/auth-mode-cert" -DFEATURE_AUTH_MODE=CERT || return
    # The hub and the tests don't count.
    cargo build --locked --release -p hub || return
    # Those in which samples end by themselves.
    local tests=(--test answers --test bad_input --test messages --test modes --test mqtt --test peers --test resume)
    E2E_KEY_DIR=$work/key E2E_NOTLS_DIR=$work/notls E2E_CERT_DIR=$work/cert E2E_HUB=$CARGO_TARGET_DIR/release/hub \
        quietly e2e cargo test --locked -p e2e "${tests[@]}"
}

own_tests || exit
[ -z "$whole_system" ] || whole_system || exit
"llvm-profdata-$llvm" merge -sparse "$work"/*.profraw -o "$work/merged.profdata" &&
    tools/coverage_table.py "$work" "llvm-cov-$llvm" "${missing[@]}"
