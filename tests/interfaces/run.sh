#!/usr/bin/env bash
# Mixes the two interfaces (IOT_ABI): what was compiled with our headers of one does not link with the other's library, and
# objects of the C SDK's days are refused by their first call, with a line that says what to do.
# Usage: tests/interfaces/run.sh OUTPUT_OF_3.2 OUTPUT_OF_3.3      (key-tls builds; needs python3, gcc)
set -u
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 2 ] || { echo "usage: run.sh OUTPUT_OF_3.2 OUTPUT_OF_3.3" >&2; exit 2; }
declare -A output data
output[3.2]=$(cd "$1" && pwd) || exit 2
output[3.3]=$(cd "$2" && pwd) || exit 2
data[3.2]=$here/../abi/data/key-tls.json
data[3.3]=$here/../../docs/contract/abi-3.3/key-tls.json
CC=${CC:-gcc}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

check() { # NAME COMMAND...
    if "${@:2}" >"$work/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $1"
        head -n 15 "$work/log" | sed 's/^/    /'
    fi
}

link() { # PROGRAM INTERFACE OBJECT...
    "$CC" -o "$1" "${@:3}" -L"${output[$2]}/lib" -Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group -lpthread
}

# The linker's message names the headers that are the wrong ones.
link_fails() { # INTERFACE WRONG OBJECT...
    ! link "$work/mixed" "$1" "${@:3}" >"$work/message" 2>&1 && cat "$work/message" &&
        grep -q "compiled_with_headers_of_IOT_ABI_$2" "$work/message"
}

# The program's first call is refused, by a line that names the option to build with.
refused() { # PROGRAM INTERFACE ARGUMENT...
    env -u QCLOUD_IOT_MQTT_ENDPOINT timeout 20 "$1" "${@:3}" >"$work/said" 2>&1
    local rc=$?
    cat "$work/said"
    [ "$rc" = 0 ] && grep -q "^ERR|.*IOT_ABI=$2" "$work/said"
}

for interface in 3.2 3.3; do
    include=${output[$interface]}/include
    "$CC" -std=c99 -Wall -Wextra -Werror -I"$include" -I"$include/exports" -Wno-unused-parameter -c -o "$work/ours-$interface.o" "$here/device.c" || exit 1
    for header in qcloud_iot_import.h qcloud_iot_export_log.h; do
        "$CC" -std=c99 -I"$include" -I"$include/exports" -include "$header" -c -o "$work/unit-$interface-$header.o" -x c - <<<'typedef int nothing;' || exit 1
    done
    mkdir "$work/$interface"
    python3 "$here/../abi/freestanding.py" "${data[$interface]}" >"$work/$interface/abi.h" || exit 1
    "$CC" -std=c99 -DAUTH_MODE_KEY -DOLD_OBJECT -isystem "$work/$interface" -c -o "$work/old-$interface.o" "$here/device.c" || exit 1
done

for interface in 3.2 3.3; do
    other=3.3
    [ "$interface" = 3.2 ] || other=3.2
    units=("$work/unit-$interface-qcloud_iot_import.h.o" "$work/unit-$interface-qcloud_iot_export_log.h.o")
    check "objects of $interface link with its library" link "$work/whole" "$interface" "$work/ours-$interface.o" "${units[@]}"
    check "an object of $other does not link with the library of $interface" link_fails "$interface" "$other" "$work/ours-$other.o"
    for unit in qcloud_iot_import.h qcloud_iot_export_log.h; do
        check "nor one that has $unit alone, beside others of $interface" \
            link_fails "$interface" "$other" "$work/ours-$interface.o" "$work/unit-$other-$unit.o"
    done
    # No object has to have the mark, and nobody else has to define it.
    check "an object of the C SDK $other links" link "$work/old" "$interface" "$work/old-$other.o"
    check "its first call is refused" refused "$work/old" "$other"
    if [ "$other" = 3.3 ]; then
        for region in us-east europe ap-bangkok '' NULL; do
            check "with the region '$region', too" refused "$work/old" "$other" "$region"
        done
    fi
done

# A program that has our headers and a library of its own, as in tests without a cloud.
echo 'void *IOT_MQTT_Construct(void *p) { (void)p; return 0; } int IOT_MQTT_GetErrCode(void) { return 0; }' >"$work/double.c"
check 'our headers ask nobody for anything' "$CC" -o "$work/alone" "$work/ours-3.2.o" "$work/ours-3.3.o" -Wl,-z,muldefs "$work/double.c"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
