#!/usr/bin/env bash
# A firmware of an older release, of which only the object is there, is linked with the library of today by the C SDK's line,
# and takes an upgrade from the hub. Those of 3.1 with certificates are refused.
# Usage: tests/releases/run.sh RELEASE OUTPUT_DIR CONFIG.json HUB
#   RELEASE     as releases.py has them, or `sources`: compiled with the headers of today
#   OUTPUT_DIR  holds lib and include
# Needs python3 and gcc. RELEASES_LIBS: what the archives need besides.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 4 ] || { echo "usage: run.sh RELEASE OUTPUT_DIR CONFIG.json HUB" >&2; exit 2; }
release=$1
output=$(cd "$2" && pwd)
config=$(readlink -f "$3")
hub=$(readlink -f "$4")
read -ra libraries <<<"${RELEASES_LIBS:-}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

case $config in
*/cert-tls.json) way=(--auth certificate --scheme https) ;;
*/key-notls.json) way=(--auth password --scheme http) ;;
*) way=(--auth psk --scheme https) ;;
esac
headers=(-isystem .)
if [ "$release" = sources ]; then
    printf '#include "%s"\n' qcloud_iot_export.h qcloud_iot_import.h lite-utils.h >abi.h
    headers+=(-isystem "$output/include" -isystem "$output/include/exports")
else
    python3 "$here/../abi/releases.py" "$release" "$config" >config.json
    python3 "$here/../abi/freestanding.py" config.json >abi.h
    mapfile -t -O 2 headers < <(python3 -c 'import json
for name in json.load(open("config.json"))["config_macros"]: print("-D" + name)')
fi
is_refused=
[[ $release != 3.1.* || $config != */cert-tls.json ]] || is_refused=yes
for source in "$here/device.c" "$here/../makefile/checks.c"; do
    "${CC:-gcc}" -std=c99 -O2 -Wall -Wextra -Werror -pedantic -I "$here/../makefile" "${headers[@]}" \
        ${is_refused:+-DPATHS_ARE_POINTERS} -c "$source"
done
"${CC:-gcc}" device.o checks.o -L"$output/lib" -Wl,--start-group -liot_sdk -liot_platform -Wl,--end-group "${libraries[@]}" -lpthread -o device

if [ "$is_refused" ]; then
    echo '{"auth_mode":"CERT","productId":"PRODUCTID0","deviceName":"device",
        "cert_deviceinfo":{"devCertFile":"d.crt","devPrivateKeyFile":"d.key"}}' >device_info.json
    ./device
else
    "$hub" run --once --size 300000 --from-version 1.0.0 --version 2.0.0 --expect 'done' --timeout 120 "${way[@]}" -- "$work/device"
fi
