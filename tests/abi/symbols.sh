#!/usr/bin/env bash
# Checks what built archives define against the contract.
# Usage: tests/abi/symbols.sh LIB_DIR [CONFIG]      (default: key-tls; needs python3 and nm)
# LIB_DIR holds libiot_sdk.a and, unless the platform is left out, libiot_platform.a.
set -u
here=$(cd "$(dirname "$0")" && pwd)
lib=${1:?usage: symbols.sh LIB_DIR [CONFIG]}
config=${2:-key-tls}
NM=${NM:-nm}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
failed=0

# What the library offers so far; the other headers declare more than it defines.
headers=(import log mqtt ota system)
only=(--only '*/lite-utils.h' --only '*/utils_getopt.h' --only '*/utils_timer.h')
for name in "${headers[@]}"; do only+=(--only "*/qcloud_iot_*$name.h"); done

expected() { # lib or hal
    python3 "$here/gen_abi_check.py" --scope all "${only[@]}" --symbols "$1" "$here/data/$config.json"
}

# Names an archive defines that look like the C SDK's.
defined() {
    $NM --defined-only --extern-only "$1" 2>/dev/null | awk 'NF == 3 { print $3 }' |
        grep -E '^(IOT|HAL|LITE)_|^(utils_|g_log_)|^(expired|countdown|countdown_ms|left_ms|InitTimer|timestamp_to_date)$' | sort -u
}

compare() { # NAME ARCHIVE lib|hal
    expected "$3" | sort -u >"$work/expected"
    defined "$2" >"$work/defined"
    local missing extra
    missing=$(comm -23 "$work/expected" "$work/defined")
    # Names of any configuration and header may be there; others are not the C SDK's.
    extra=$(comm -13 "$work/expected" "$work/defined" | grep -vxFf "$work/known")
    [ -z "$missing" ] || { echo "$1 lacks:"; sed 's/^/    /' <<<"$missing"; failed=1; }
    [ -z "$extra" ] || { echo "$1 has besides:"; sed 's/^/    /' <<<"$extra"; failed=1; }
    echo "$1: $(comm -12 "$work/expected" "$work/defined" | wc -l) of $(wc -l <"$work/expected") symbols ($config)"
}

for data in "$here"/data/key-*.json "$here"/data/cert-tls.json; do
    for side in lib hal; do python3 "$here/gen_abi_check.py" --scope all --declared --symbols $side "$data"; done
done | sort -u >"$work/known"

compare libiot_sdk.a "$lib/libiot_sdk.a" lib
[ ! -f "$lib/libiot_platform.a" ] || compare libiot_platform.a "$lib/libiot_platform.a" hal
exit $failed
