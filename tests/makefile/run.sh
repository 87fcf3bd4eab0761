#!/usr/bin/env bash
# Links a firmware with a makefile of the C SDK's days: objects compiled beforehand against the contract's data, one
# file compiled today against the headers of the build. Runs it on the default platform and with platform code of its own.
# Usage: tests/makefile/run.sh OUTPUT_DIR CONFIG.json      (OUTPUT_DIR holds lib and include; needs python3, make, gcc)
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || { echo "usage: run.sh OUTPUT_DIR CONFIG.json" >&2; exit 2; }
output=$(cd "$1" && pwd) || exit 2
config=$(cd "$(dirname "$2")" && pwd)/$(basename "$2") || exit 2
CC=${CC:-gcc}
export CC
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

# The objects of long ago: no header of ours is in reach, only what the contract says.
old_objects() {
    python3 "$here/../abi/freestanding.py" "$config" >"$work/abi.h" || return
    local defines source
    mapfile -t defines < <(python3 -c 'import json, sys
for name in json.load(open(sys.argv[1]))["config_macros"]: print("-D" + name)' "$config")
    for source in checks old_calls old_default_platform old_session old_hal; do
        $CC -std=c99 -O2 -Wall -Wextra -Werror -pedantic -isystem "$work" "${defines[@]}" -c -o "$work/$source.o" \
            "$here/$source.c" || return
    done
}

# Links in a folder of its own against SDK, and adds up what the two programs count.
link_and_run() { # NAME SDK
    local dir=$work/$1 program last
    mkdir -p "$dir" && cp "$work"/*.o "$dir" || return
    if ! make -s -C "$dir" -f "$here/Makefile" SDK="$2"; then
        failed=$((failed + 1))
        echo "FAIL $1: the makefile does not build"
        return
    fi
    for program in firmware firmware_own_hal; do
        (cd "$dir" && env -u QCLOUD_IOT_MQTT_ENDPOINT LD_LIBRARY_PATH="$2/lib" "./$program") >"$dir/log" 2>&1
        local rc=$?
        last=$(tail -n 1 "$dir/log")
        if [[ $last =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
            passed=$((passed + BASH_REMATCH[1]))
            failed=$((failed + BASH_REMATCH[2]))
        else
            failed=$((failed + 1))
            echo "FAIL $1: $program ended with $rc before its end"
        fi
        [ "$rc" -eq 0 ] || sed "s/^/    $program: /" "$dir/log"
    done
}

if old_objects; then
    link_and_run archives "$output"
    # The same line with the shared library where -L looks.
    if [ -e "$output/lib/shared/libiot_sdk.so" ]; then
        mkdir -p "$work/sdk/lib"
        ln -s "$output/include" "$work/sdk/include"
        ln -s "$output"/lib/shared/libiot_sdk.so* "$output/lib/libiot_platform.a" "$work/sdk/lib"
        link_and_run shared "$work/sdk"
    fi
else
    failed=1
    echo "FAIL the old objects don't compile"
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
