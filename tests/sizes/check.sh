#!/usr/bin/env bash
# Sizes of stripped programs out of a build in KEY mode, with or without TLS, with IOT_BUILD_BENCH=ON, in bytes. Fails where one is larger than
# `bounds` allows, or where a program holds what it does not use. A build without TLS has no `library_adds`, one with
# FEATURE_UPGRADE `upgrade_adds`: what signed upgrades into the other slot add to a program that upgrades by IOT_OTA_*
# (where that one carries CoAP, too, as in build/log, it is less by that than in the default build).
#
#   tests/sizes/check.sh OUTPUT_DIR [BOUNDS]   compares; BOUNDS: the file beside this one, `bounds` where none is named
#   tests/sizes/check.sh --write OUTPUT_DIR [BOUNDS]   writes new bounds: 2 % more than what was found
#
# Exceeded: find what came in (nm -S --size-sort on the program before stripping), and take it out or, where it is worth
# its size, write new bounds and say why in the commit. Lower by more than 5 %: write new bounds, so that it stays so.
# Another compiler gives other sizes: new bounds come from the machine that ./test.sh is run on.
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
write=
if [ "${1:-}" = --write ]; then
    write=yes
    shift
fi
[ $# -eq 1 ] || [ $# -eq 2 ] || { echo "usage: check.sh [--write] OUTPUT_DIR [BOUNDS]" >&2; exit 2; }
bounds=$(cd "$(dirname "$0")" && pwd)/${2:-bounds}
output=$(cd "$1" && pwd)
CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of the program $1, stripped.
size_of() {
    strip -o "$work/stripped" "$1" && stat -c %s "$work/stripped"
}

# glibc warns of getaddrinfo, which loads name services at run time.
"$CC" -std=c99 -O2 -static -I "$output/include" -I "$output/include/exports" "$source/c_examples/ota_mqtt_sample.c" \
    -L"$output/lib" -Wl,--gc-sections -Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group -lpthread \
    -o "$work/static" 2>"$work/warnings" || { cat "$work/warnings" >&2; exit 1; }

sample=$(size_of "$output/bin/ota_mqtt_sample")
static_sample=$(size_of "$work/static")

failed=0
found=
check() { # NAME SIZE
    local bound
    found+="$1 $(($2 + $2 / 50))"$'\n'
    if [ -n "$write" ]; then
        echo "$1: $2 bytes"
        return
    fi
    bound=$(awk -v name="$1" '$1 == name { print $2 }' "$bounds")
    if [ -z "$bound" ]; then
        echo "$1: $2 bytes, no bound in $bounds" >&2
        failed=1
    elif [ "$2" -gt "$bound" ]; then
        echo "$1: $2 bytes, more than $bound; the head of tests/sizes/check.sh says what to do" >&2
        failed=1
    elif [ "$2" -lt $((bound - bound / 20)) ]; then
        echo "$1: $2 bytes, at most $bound: lower the bound with --write"
    else
        echo "$1: $2 bytes, at most $bound"
    fi
}
# A service that a program does not use costs it nothing: where one of its functions is there, something else names it.
# Small ones do not count: what is the same in several types (ways to drop two texts) is there once, under one of their names.
holds_nothing_of() { # PATTERN PROGRAM WHAT
    local held
    held=$(nm -CS "$output/bin/$2" | grep -E "$1" | grep -v '^[0-9a-f]* 0*[0-7]\?[0-9a-f] ' || true)
    [ -z "$held" ] || {
        printf 'a program without %s holds this of it:\n%s\n' "$3" "$held" >&2
        failed=1
    }
}
# With log upload each log line is a service's.
[ -e "$output/bin/service_log" ] || holds_nothing_of '::services::' service_none "a service"
if [ -e "$output/bin/service_slots" ]; then
    for program in ota_mqtt_sample service_ota; do
        holds_nothing_of '::services::upgrade::|iot_engine::upgrade::|::hal::files::|ed25519_compact|IOT_Upgrade_' "$program" \
            "upgrades into the other slot"
    done
    check upgrade_adds $(($(size_of "$output/bin/service_slots") - $(size_of "$output/bin/service_ota")))
fi
# The sample with the C library shared, and without any shared library.
check sample "$sample"
check static_sample "$static_sample"
# What the library adds to the sample whose platform brings TLS (bench/CMakeLists.txt).
if [ -e "$output/bin/own_tls" ]; then
    check library_adds $(($(size_of "$output/bin/own_tls") - $(size_of "$output/bin/own_tls_alone")))
fi
[ -z "$write" ] || printf '# Bytes that each may have, see check.sh.\n%s' "$found" >"$bounds"
exit $failed
