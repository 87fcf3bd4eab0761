#!/usr/bin/env bash
# Checks what the built libraries define against the contract: all of it, and nothing else.
# Usage: tests/abi/symbols.sh LIB_DIR [CONFIG [ABI [UPGRADE]]]      (default: key-tls 3.2 OFF; needs python3 and nm)
# LIB_DIR holds libiot_sdk.a and, unless they are left out, libiot_platform.a and shared/libiot_sdk.so. CONFIG is one of the
# contract's configurations, or several with + between them for a build that has the options of all; without TLS when the
# first has none. UPGRADE is what FEATURE_UPGRADE was.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
lib=${1:?usage: symbols.sh LIB_DIR [CONFIG]}
config=${2:-key-tls}
abi=${3:-3.2}
upgrade=${4:-OFF}
data=$here/data
extra=$here/../../docs/contract/abi/extra
[ "$abi" = 3.2 ] || data=$here/../../docs/contract/abi-$abi extra=$here/../../docs/contract/abi-$abi/extra
NM=${NM:-nm}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
failed=0

# What the library offers so far; the other headers declare more than it defines.
headers=(broadcast dynreg gateway import log mqtt ota remote_config rrpc shadow system)
case $config in *-coap*) headers+=(coap) ;; esac
[ "$abi" = 3.2 ] || headers+=(resource)
only=(--only '*/lite-utils.h' --only '*/utils_getopt.h' --only '*/utils_timer.h')
for name in "${headers[@]}"; do only+=(--only "*/qcloud_iot_*$name.h"); done

# What is declared, and not in this build.
left_out=^$
case $config in key-notls+*) left_out='^HAL_D?TLS_' ;; esac

contract() { # lib|hal [--declared]
    local name file
    for name in ${config//+/ }; do
        file=$data/$name.json
        [ -f "$file" ] || file=$extra/$name.json
        python3 "$here/gen_abi_check.py" --scope all "${only[@]}" --symbols "$@" "$file"
    done | grep -vE "$left_out" | sort -u
}

indented() {
    printf '%s\n' "$1" | sed 's/^/    /'
}

compare() { # NAME DEFINED REQUIRED ALLOWED, the last three files in $work
    local missing extra
    missing=$(comm -13 "$work/$2" "$work/$3")
    extra=$(comm -23 "$work/$2" "$work/$4")
    [ -z "$missing" ] || { echo "$1 lacks:"; indented "$missing"; failed=1; }
    [ -z "$extra" ] || { echo "$1 has besides:"; indented "$extra"; failed=1; }
    echo "$1: $(comm -12 "$work/$2" "$work/$3" | wc -l) of $(wc -l <"$work/$3") symbols ($config)"
}

# Names in an archive's object files that begin with "qcloud_iot." are between its objects; no C name can.
in_archive() {
    "$NM" --defined-only --extern-only "$1" 2>/dev/null | awk 'NF == 3 { print $3 }' | grep -v '^qcloud_iot\.' | sort -u
}

# What this library offers besides the C SDK's functions: the names of headers of its own.
own=(ext)
[ "$upgrade" = OFF ] || own+=(upgrade)
additions=$(for name in "${own[@]}"; do
    grep -oE '\bIOT_(Ext|Upgrade)_\w+\(' "$here/../../include/exports/qcloud_iot_export_$name.h" | tr -d '('
done | sort -u)
# The C SDK's library has it, its headers don't (shadow.md section 2).
additions+=$'\n'IOT_Shadow_JSON_ConstructDesirePropNull
# The same, of 3.3.0; what its header names instead, the C SDK's library lacks (resource.md section 3).
[ "$abi" = 3.2 ] ||
    additions+=$'\n'IOT_Resource_DownloadGetLastError$'\n'IOT_Resource_UploadRecvResult$'\n'QCLOUD_IOT_RESOURCE_DownloadGetLastError$'\n'IOT_Ssh_state_report$'\n'IOT_QCLOUD_SSH_Start$'\n'IOT_QCLOUD_SSH_Stop

for side in lib hal; do
    contract "$side" >"$work/$side"
    # The headers declare a few HAL_* that the C SDK's Linux platform leaves out; ours need not.
    contract "$side" --declared >"$work/$side.declared"
done

for list in lib lib.declared; do
    { cat "$work/$list"; printf '%s\n' "$additions"; } | sort -u >"$work/with" && mv "$work/with" "$work/$list"
done
in_archive "$lib/libiot_sdk.a" >"$work/sdk"
compare libiot_sdk.a sdk lib lib
if [ -f "$lib/libiot_platform.a" ]; then
    in_archive "$lib/libiot_platform.a" >"$work/platform"
    compare libiot_platform.a platform hal hal.declared
fi
# A KEY device's platform does not have these (versions.md section 6).
case $config in
cert-*) ;;
*)
    asked=$("$NM" --undefined-only "$lib/libiot_sdk.a" 2>/dev/null | awk '{ print $NF }' | grep -E '^HAL_TLS_(Calc|Get|Destory)_' | sort -u)
    [ -z "$asked" ] || { echo "libiot_sdk.a of KEY mode asks for:"; indented "$asked"; failed=1; }
    ;;
esac
shared=$lib/shared/libiot_sdk.so
if [ -f "$shared" ]; then
    "$NM" -D --defined-only "$shared" | awk '{ print $NF }' | sort -u >"$work/shared"
    if [ -f "$lib/libiot_platform.a" ]; then
        sort -u "$work/lib" "$work/hal" >"$work/both"
        sort -u "$work/lib" "$work/hal.declared" >"$work/both.declared"
        compare libiot_sdk.so shared both both.declared
    else
        compare libiot_sdk.so shared lib lib
    fi
fi
exit $failed
