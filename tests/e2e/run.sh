#!/usr/bin/env bash
# Runs the whole-system tests, all programs beside each other: nearly all of their time is waiting. A program's output is
# shown when it ends. E2E_* name what was built: `./test.sh e2e` builds it and calls this.
#
#   tests/e2e/run.sh [PROGRAM...]     some of: modes mqtt ..., the files in tests/e2e/tests
set -uo pipefail
cd "$(dirname "$0")" || exit

chosen=()
for name in "$@"; do
    chosen+=(--test "$name")
done
[ ${#chosen[@]} -gt 0 ] || cargo test --locked -p e2e --doc || exit
built=$(cargo test --locked -p e2e --no-run --message-format=json "${chosen[@]}") || exit
mapfile -t programs < <(
    sed -n '/"profile":{[^}]*"test":true/s/.*"executable":"\([^"]*\)".*/\1/p' <<<"$built"
)
[ ${#programs[@]} -gt 0 ] || { echo "tests/e2e/run.sh: cargo has built no test programs" >&2; exit 1; }

run_one() {
    local output status
    output=$("$1" 2>&1)
    status=$?
    printf '%s\n' "-- ${1##*/}" "$output"
    return $status
}
export -f run_one
export CARGO_MANIFEST_DIR=$PWD RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
printf '%s\0' "${programs[@]}" | xargs -0 -P 6 -I{} bash -c 'run_one {}'
