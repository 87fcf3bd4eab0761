#!/usr/bin/env bash
# Runs the fuzz targets, two at a time, from the seeds in fuzz/seeds and what earlier runs found. Ends with a line per
# target: executions, coverage (program points, and points with how often they were passed), findings.
#
#   tools/fuzz.sh SECONDS [TARGET...]     so long for each; all targets where none is named
#   tools/fuzz.sh merge                   takes into fuzz/seeds what earlier runs found and covers more, in small files
#
# Stable Rust is enough: RUSTC_BOOTSTRAP lets it take the flags that cargo-fuzz needs. The C file is compiled with gcc's
# address and undefined-behaviour checks. Findings are left in target/fuzz/TARGET/findings; run one again with
# target/x86_64-unknown-linux-gnu/release/TARGET FILE.
set -uo pipefail
cd "$(dirname "$0")/.."
source tools/need.sh

need gcc=gcc g++=g++
need_rust
command -v cargo-fuzz >/dev/null || cargo install --locked cargo-fuzz --version 0.13.2 || exit
export CARGO_TARGET_DIR=$PWD/target
export programs=$CARGO_TARGET_DIR/$(rustc -vV | sed -n 's/^host: //p')/release
export work=$CARGO_TARGET_DIR/fuzz
seconds=${1:?seconds for each target, or merge}
shift
targets=("$@")
[ ${#targets[@]} -eq 0 ] && mapfile -t targets < <(sed -n 's/^name = "\(.*\)"$/\1/p' fuzz/Cargo.toml | tail -n +2)

# Longest seed that is kept in the repository, in bytes.
KEPT_SEED=4096

RUSTC_BOOTSTRAP=1 CFLAGS="-fsanitize=address,undefined -fsanitize-undefined-trap-on-error -fno-omit-frame-pointer -g" \
    cargo fuzz build --fuzz-dir fuzz || exit

merge() {
    local target
    for target in "${targets[@]}"; do
        rm -rf "$work/$target/merged"
        mkdir -p "$work/$target/merged" "$work/$target/corpus" "fuzz/seeds/$target"
        "$programs/$target" -merge=1 -max_len=$KEPT_SEED "$work/$target/merged" "fuzz/seeds/$target" \
            "$work/$target/corpus" >"$work/$target/merge.log" 2>&1 || return
        echo "$target: $(find "$work/$target/merged" -type f | wc -l) files"
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
