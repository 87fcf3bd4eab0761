#!/usr/bin/env bash
# Which lines and branches the crates' own tests run through, of all but the tests themselves.
#
#   tools/coverage.sh              a table; fails where engine/ or its parsers have less than promised
#   tools/coverage.sh --missing    also lists each line that no test runs through
#
# The compiler counts (-C instrument-coverage) in the crates of this repository only, so all others are shared with the
# usual builds. The counts are read with LLVM's own tools, of the version that the compiler is built on. RUSTC_BOOTSTRAP
# lets a stable compiler count branches, too.
set -uo pipefail
cd "$(dirname "$0")/.."
source tools/need.sh

need_rust
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
need "llvm-cov-$llvm=llvm-$llvm" python3=python3 cmake=cmake g++=g++ '/usr/lib/llvm-*/lib/libclang*.so*=libclang-dev'
export CARGO_TARGET_DIR=$PWD/target
work=$CARGO_TARGET_DIR/coverage
rm -rf "$work"
mkdir -p "$work"

cat >"$work/rustc.sh" <<'WRAPPER'
#!/bin/sh
compiler=$1
shift
RUSTC_BOOTSTRAP=1 exec "$compiler" "$@" -C instrument-coverage -Z coverage-options=branch
WRAPPER
chmod +x "$work/rustc.sh"
export RUSTC_WORKSPACE_WRAPPER=$work/rustc.sh LLVM_PROFILE_FILE=$work/%m.profraw
tests=(cargo test --locked -p iot-engine -p iot-sdk -p iot-platform-posix -p iot-platform-tls --lib --tests)

"${tests[@]}" --no-run --message-format=json >"$work/built.json" || exit
"${tests[@]}" -q >"$work/tests.log" 2>&1 || {
    cat "$work/tests.log"
    exit 1
}
"llvm-profdata-$llvm" merge -sparse "$work"/*.profraw -o "$work/merged.profdata" &&
    tools/coverage_table.py "$work" "llvm-cov-$llvm" "$@"
