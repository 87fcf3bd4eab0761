#!/usr/bin/env bash
# Runs the fuzz targets, two at a time, from the seeds in fuzz/seeds and what earlier runs found. Ends with a line per
# target: executions, coverage (program points, and points with how often they were passed), findings.
#
#   tools/fuzz.sh SECONDS [TARGET...]     so long for each; all targets where none is named
#   tools/fuzz.sh merge [TARGET...]       takes the best of what earlier runs found into fuzz/seeds, for each target the
#                                         files that together cover most, beside the seeds with names, which stay
#
# Stable Rust is enough: RUSTC_BOOTSTRAP lets it take the flags that cargo-fuzz needs. The C file is compiled with gcc's
# address and undefined-behaviour checks. Findings are left in target/fuzz/TARGET/findings; run one again with
# target/x86_64-unknown-linux-gnu/release/TARGET FILE.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
source tools/need.sh

need gcc=gcc g++=g++
need_rust
need_cargo_tool cargo-fuzz 0.13.2 612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f || exit
export CARGO_TARGET_DIR=$PWD/target
host=$(rustc -vV | sed -n 's/^host: //p')
export programs=$CARGO_TARGET_DIR/$host/release
export work=$CARGO_TARGET_DIR/fuzz
seconds=${1:?seconds for each target, or merge}
shift
targets=("$@")
[ ${#targets[@]} -eq 0 ] && mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2)

# What is kept in the repository, for each target: so many found files of at most so many bytes.
KEPT_SEEDS=50
KEPT_SEED_SIZE=2048

RUSTC_BOOTSTRAP=1 CFLAGS="-fsanitize=address,undefined -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer -g" \
    cargo fuzz build --fuzz-dir fuzz || exit

merge() {
    local target merged seeds
    for target in "${targets[@]}"; do
        merged=$work/$target/merged
        seeds=fuzz/seeds/$target
        rm -rf "$merged"
        mkdir -p "$merged" "$work/$target/corpus" "$seeds"
        "$programs/$target" -set_cover_merge=1 -use_counters=0 -max_len=$KEPT_SEED_SIZE "$merged" "$work/$target/corpus" \
            "$seeds" >"$work/$target/merge.log" 2>&1 || return
        # libFuzzer names a file by the 40 digits of its hash, and writes the one that covers most first.
        find "$seeds" -type f -regextype egrep -regex '.*/[0-9a-f]{40}' -delete
        find "$merged" -type f -printf '%C@ %p\n' | sort -n | head -n $KEPT_SEEDS | cut -d ' ' -f 2 |
            xargs -I{} cp {} "$seeds"
        echo "$target: $(find "$seeds" -type f | wc -l) files, $(du -sb "$seeds" | cut -f 1) bytes"
    done
}

fuzz() {
    local target=$1 seconds=$2 dictionary=()
    local folder=$work/$target
    mkdir -p "$folder/corpus" "$folder/findings"
    [ -f "fuzz/dictionaries/$target.dict" ] && dictionary=("-dict=fuzz/dictionaries/$target.dict")
    "$programs/$target" "$folder/corpus" "fuzz/seeds/$target" "${dictionary[@]}" -max_total_time="$seconds" -timeout=20 \
        -rss_limit_mb=4096 -print_final_stats=1 -artifact_prefix="$folder/findings/" >"$folder/log" 2>&1
    local status=$?
    local executions coverage
    executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$folder/log")
    coverage=$(grep -oE 'cov: [0-9]+ ft: [0-9]+' "$folder/log" | tail -1)
    if [ $status -eq 0 ]; then
        echo "ok      $target: $executions executions, $coverage"
    else
        echo "FOUND   $target: $executions executions, $coverage"
        grep -vE '^#[0-9]+' "$folder/log" | tail -60
    fi
    return $status
}
export -f fuzz

if [ "$seconds" = merge ]; then
    merge
else
    printf '%s\0' "${targets[@]}" | xargs -0 -P 2 -I{} bash -c 'fuzz {} '"$seconds"
fi
