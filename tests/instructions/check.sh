#!/usr/bin/env bash
# Counts the instructions of the engine's hot paths, below callgrind, and fails where one takes more than `bounds` allows.
# Starting the program is left out: a path is run a few times, then many times, and the difference counts.
#
#   tests/instructions/check.sh            compares
#   tests/instructions/check.sh --write    writes new bounds: half as much again as what was counted
set -euo pipefail
cd "$(dirname "$0")/../.."
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}
bounds=tests/instructions/bounds
few=100
many=1100

cargo build --locked -q --release -p instructions
program=$CARGO_TARGET_DIR/release/instructions

# In one run of the path $1, $2 times.
count() {
    local said
    said=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1) || {
        echo "$said" >&2
        return 1
    }
    sed -n 's/^==[0-9]*== Collected : //p' <<<"$said"
}

failed=0
counted=
for path in $("$program"); do
    with_few=$(count "$path" "$few")
    with_many=$(count "$path" "$many")
    each=$(((with_many - with_few) / (many - few)))
    bound=$(awk -v path="$path" '$1 == path { print $2 }' "$bounds")
    counted+="$path $((each + each / 2))"$'\n'
    if [ "${1:-}" = --write ]; then
        echo "$path: $each instructions"
    elif [ -z "$bound" ]; then
        echo "$path: $each instructions, no bound in $bounds" >&2
        failed=1
    elif [ "$each" -gt "$bound" ]; then
        echo "$path: $each instructions, more than $bound" >&2
        failed=1
    else
        echo "$path: $each instructions, at most $bound"
    fi
done
[ "${1:-}" != --write ] || printf '# Instructions that each path may take, see check.sh.\n%s' "$counted" >"$bounds"
exit $failed
