#!/usr/bin/env bash
# Checks the headers of both interfaces (IOT_ABI) against the contract's data, in each of its five configurations and in
# that with log upload, with the checks of generate.py and, for a second opinion, with those of the contract's
# gen_abi_check.py. Usage:
#   tests/abi/check.sh                      include/, and what `cargo run -p headers` writes for 3.3
#   tests/abi/check.sh 3.2|3.3 INCLUDE_DIR  the headers in INCLUDE_DIR, of that interface
# Needs python3, gcc and g++, and cargo where it writes headers.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
interfaces=(3.2 3.3)
declare -A includes
case $# in
0)
    includes=([3.2]=$root/include [3.3]=$work/include-3.3)
    (cd "$root" && cargo run --locked -q -p headers -- --abi 3.3 "${includes[3.3]}") >/dev/null || exit 2
    ;;
2)
    interfaces=("$1")
    includes[$1]=$(cd "$2" && pwd) || exit 2
    ;;
*)
    echo "usage: tests/abi/check.sh [3.2|3.3 INCLUDE_DIR]" >&2
    exit 2
    ;;
esac
CC=${CC:-gcc}
CXX=${CXX:-g++}
warnings=(-Wall -Wextra -Werror -pedantic)
configs=(key-tls key-notls cert-tls key-tls-coap key-tls-minimal aux-log)

# The data of a configuration: that of the C SDK's own, or of one with an option more.
data() {
    local own=$here/data extra=$root/docs/contract/abi/extra
    [ "$interface" = 3.2 ] || own=$root/docs/contract/abi-$interface extra=$root/docs/contract/abi-$interface/extra
    [ -f "$own/$1.json" ] || own=$extra
    printf '%s' "$own/$1.json"
}

# The C SDK's AT modem driver and its helpers are not offered.
left_out=(--exclude '*/at_*' --exclude utils_ringbuff.h --exclude utils_list.h)

# headers_for CONFIG DIR: a copy of the headers with that configuration's config.h
headers_for() {
    mkdir -p "$2" && cp -r "$include/." "$2" || return 1
    python3 - "$(data "$1")" "$include/config.h.in" "$2/config.h" <<'PY'
import json, sys
config, template, target = sys.argv[1:]
on = set(json.load(open(config))["config_macros"])
lines = []
for line in open(template):
    if line.startswith("#cmakedefine "):
        name = line.split()[1]
        line = f"#define {name}\n" if name in on else f"/* #undef {name} */\n"
    lines.append(line)
open(target, "w").writelines(lines)
PY
}

# A spoiled run has to name every error.
all_errors=()
[[ $($CC --version) != *clang* ]] || all_errors=(-ferror-limit=0)

# Headers of one interface must not pass for the other's: by our checks, and by the second opinion.
other_interface() {
    local own=$interface met=0
    interface=$([ "$own" = 3.2 ] && echo 3.3 || echo 3.2)
    generate || met=1
    ! layouts || met=1
    ! matches --scope all "${left_out[@]}" || met=1
    interface=$own
    generate && [ "$met" = 0 ]
}

second_opinion() { # CONFIG, then options of gen_abi_check.py
    local config=$1
    shift
    python3 "$here/gen_abi_check.py" "$@" "$(data "$config")"
}

# One check: NAME, then the command. Counts, and shows the output of a failure.
check() {
    local name=$1
    shift
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $config: $name"
        head -n 15 "$log" | sed 's/^/    /'
    fi
}

compile() { $CC "-I$headers" "-I$headers/exports" "$@"; }
compile_cxx() { $CXX "-I$headers" "-I$headers/exports" "$@"; }

# A program made by gen_abi_check.py is accepted by the compiler.
matches() {
    second_opinion "$config" "$@" >"$dir/check.c" && compile -std=gnu11 -fsyntax-only "$dir/check.c"
}

runs() { # COMPILER STANDARD SOURCE
    "$1" "-std=$2" "${warnings[@]}" -o "$dir/program" "$3" && "$dir/program"
}

# Makefiles of the first releases say -DAUTH_MODE_KEY and the like.
switches_twice() {
    local defines
    mapfile -t defines < <(sed -n 's/^#define \([A-Z_]*\)$/-D\1/p' "$headers/config.h" | grep -v _H_$)
    [ ${#defines[@]} -gt 0 ] && compile -std=gnu99 "${warnings[@]}" "${defines[@]}" -fsyntax-only "$here/sample.c"
}

initialisers() {
    second_opinion "$config" --runtime >"$dir/runtime.c" && compile -std=gnu11 -o "$dir/runtime" "$dir/runtime.c" &&
        "$dir/runtime"
}

check_config() { # INTERFACE CONFIG
    interface=$1
    config=$2
    include=${includes[$interface]}
    dir=$work/$interface-$config
    headers=$dir/include
    log=$dir/log
    passed=0
    failed=0
    headers_for "$config" "$headers" || exit 2

    own_checks
    check 'the other interface is not met' other_interface

    check 'second opinion: all headers together' matches --scope all "${left_out[@]}"
    check 'second opinion: values of the initialiser macros' initialisers
    local header name
    for header in $(second_opinion "$config" --scope all "${left_out[@]}" --list-headers); do
        name=${header##*/}
        check "second opinion: $name alone offers its interface" matches --header "$name"
        # Twice, and then something: ISO C forbids an empty file.
        printf '#include "%s"\n#include "%s"\nextern int not_empty;\n' "$name" "$name" >"$dir/alone.c"
        cp "$dir/alone.c" "$dir/alone.cpp"
        for standard in c99 c11; do
            check "$name alone as $standard" compile "-std=$standard" "${warnings[@]}" -fsyntax-only "$dir/alone.c"
        done
        check "$name alone as c++17" compile_cxx -std=c++17 "${warnings[@]}" -fsyntax-only "$dir/alone.cpp"
    done
    cp "$here/sample.c" "$dir/sample.cpp"
    cp "$here/macros.c" "$dir/macros.cpp"
    check 'timers of other targets' timers
    check 'what a sample sees' compile -std=gnu99 "${warnings[@]}" -fsyntax-only "$here/sample.c"
    check 'what a sample sees, C++' compile_cxx -std=c++17 "${warnings[@]}" -fsyntax-only "$dir/sample.cpp"
    check 'switches that the makefile defines, too' switches_twice
    check 'macros at work, C99' runs compile c99 "$here/macros.c"
    check 'macros at work, C++' runs compile_cxx c++17 "$dir/macros.cpp"

    echo "$coverage"
    echo "$interface $config: $passed passed, $failed failed"
    echo "$passed $failed" >"$dir/count"
}

# versions.md case 17: what a timer takes where words have 32 bits, or the C library is not glibc. Its headers are not there,
# so that of the C library only what the struct needs is.
timers() {
    local bits glibc size name
    mkdir -p "$dir/no-libc/sys"
    for name in assert.h fcntl.h inttypes.h limits.h pthread.h signal.h stdio.h stdlib.h sys/types.h unistd.h; do
        : >"$dir/no-libc/$name"
    done
    echo 'struct timeval { long tv_sec, tv_usec; };' >"$dir/no-libc/sys/time.h"
    for bits in 32 64; do
        for glibc in -U__GLIBC__ -D__GLIBC__=2; do
            size=$((bits / 8))
            [ "$interface" = 3.2 ] || size=8
            [ "$glibc" = -U__GLIBC__ ] || size=$((bits / 4))
            compile -ffreestanding -nostdinc -isystem "$($CC -print-file-name=include)" -isystem "$dir/no-libc" \
                "-m$bits" $glibc -std=gnu11 -fsyntax-only -x c - <<END || return
#include "utils_timer.h"
_Static_assert(sizeof(Timer) == $size, "$bits bits, $glibc");
END
        done
    done
}

# The units of generate.py, in $dir/units.
layouts() { compile -std=gnu11 -fsyntax-only "${all_errors[@]}" "$dir/units/together.c"; }
exact_types() { compile_cxx -std=c++17 -fsyntax-only "${all_errors[@]}" "$dir/units/together.cpp"; }
defaults() { compile -std=gnu11 -o "$dir/defaults" "$dir/units/defaults.c" && "$dir/defaults"; }
shows() { compile -std=gnu11 -fsyntax-only "${all_errors[@]}" "$1"; }

own_checks() {
    local unit
    check 'every fact of the data is checked' generate || sed 's/^/    /' "$log"
    coverage=$(grep -F 'in scope' "$log")
    check 'layouts, values, prototypes' layouts
    check 'exact types' exact_types
    check 'initialisers and strings' defaults
    for unit in "$dir"/units/alone_*.c; do
        check "${unit##*/alone_} shows what it promises" shows "$unit"
    done
    check 'each check can fail' none_holds
}

generate() { python3 "$here/generate.py" "$(data "$config")" "$dir/units" "$@"; }

# With each expectation changed none may hold: no check is there for show.
none_holds() {
    local unit
    generate --spoil || return 1
    {
        layouts
        exact_types
        defaults
        for unit in "$dir"/units/alone_*.c; do shows "$unit"; done
    } >"$dir/messages" 2>&1
    python3 "$here/generate.py" --unnoticed "$dir/units" <"$dir/messages"
}

# The checks must notice a difference: SED_SCRIPT applied to HEADER has to make a check fail.
spoils() { # CHECK HEADER SED_SCRIPT
    rm -rf "$headers"
    headers_for key-tls "$headers" || return 1
    sed -i "$3" "$headers/$2"
    if cmp -s "$headers/$2" "$include/$2"; then
        echo "the header was not changed"
        return 1
    fi
    ! "$1"
}

all_match() { matches --scope all "${left_out[@]}"; }

check_checks() { # INTERFACE
    interface=$1
    config=self-test
    include=${includes[$interface]}
    dir=$work/$interface-$config
    headers=$dir/include
    log=$dir/log
    passed=0
    failed=0
    mkdir -p "$dir"
    headers_for key-tls "$headers" || exit 2
    generate() { python3 "$here/generate.py" "$(data key-tls)" "$dir/units" "$@"; }
    second_opinion() {
        shift
        python3 "$here/gen_abi_check.py" "$@" "$(data key-tls)"
    }
    local mqtt=exports/qcloud_iot_export_mqtt.h
    [ "$interface" != 3.2 ] || check 'docs/compatibility.md is up to date' python3 "$here/compatibility.py" --check
    check 'units for the spoiled headers' generate
    untouched() { layouts && exact_types && defaults && all_match && initialisers; }
    check 'the untouched headers match' untouched
    found() { # WHAT OWN_CHECK SECOND_CHECK HEADER SED_SCRIPT
        check "$1 is found" spoils "$2" "$4" "$5"
        check "$1 is found by the second opinion" spoils "$3" "$4" "$5"
    }
    found 'a wider field' layouts all_match $mqtt 's/uint32_t command_timeout;/uint64_t command_timeout;/'
    found 'a renamed field' layouts all_match qcloud_iot_export.h 's/client_id\[81\]/clientid[81]/'
    found 'another enumerator' layouts all_match $mqtt 's/QOS1 = 1/QOS1 = 3/'
    found 'a missing function' layouts all_match $mqtt '/IOT_MQTT_Yield(/d'
    found 'another signature' layouts all_match $mqtt \
        's/uint32_t timeout_ms);/int32_t timeout_ms);/'
    found 'another constant' layouts all_match qcloud_iot_common.h 's/8883/8884/'
    found 'another default' defaults initialisers $mqtt 's/\(KEEP_ALIVE_INTERNAL\|240000\), 1, 1,/\1, 1, 0,/'
    check 'an integer for an enum is found' spoils exact_types $mqtt 's/QoS *qos;/unsigned int qos;/'
    if [ "$interface" = 3.3 ]; then
        found 'a field in another place' layouts all_match $mqtt '/char \*region;/{h;d};/char \*product_id;/G'
        found 'a longer text' layouts all_match qcloud_iot_export.h 's/region\[64\]/region[65]/'
        found 'a pointer for an array' layouts all_match qcloud_iot_import.h 's/char psk_id\[81\]/const char *psk_id/'
        found 'another text' defaults initialisers qcloud_iot_export_variables.h 's/REGION "china"/REGION "europe"/'
    fi
    alone_export() { shows "$dir/units/alone_qcloud_iot_export.c"; }
    check 'a missing include is found' spoils alone_export qcloud_iot_export.h '/qcloud_iot_export_ota.h/d'
    echo "$interface $config: $passed passed, $failed failed"
    echo "$passed $failed" >"$dir/count"
}

runs=()
for interface in "${interfaces[@]}"; do
    for name in "${configs[@]}" self-test; do
        runs+=("$interface-$name")
        case $name in
        self-test) check_checks "$interface" ;;
        *) check_config "$interface" "$name" ;;
        esac >"$work/$interface-$name.out" 2>&1 &
    done
done
wait

passed=0
failed=0
for name in "${runs[@]}"; do
    cat "$work/$name.out"
    if read -r p f <"$work/$name/count"; then
        passed=$((passed + p))
        failed=$((failed + f))
    else
        echo "$name: did not finish"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
