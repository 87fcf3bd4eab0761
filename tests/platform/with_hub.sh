#!/usr/bin/env bash
# Usage: with_hub.sh HUB COMMAND [ARGUMENT...]
#
# Runs COMMAND as a device of a hub that orders an upgrade once the device reports its version: in a folder of its own
# with device_info.json, the endpoint and the roots in the environment. Fails when COMMAND does, or when the hub has not
# heard "done".
set -euo pipefail
hub=$1
shift

work=$(mktemp -d)
hub_pid=
finish() {
    [ -z "$hub_pid" ] || kill "$hub_pid" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT

head -c 1000000 /dev/urandom >"$work/firmware.bin"
cat >"$work/devices.json" <<END
{"devices":[{"productId":"PRODUCTID0","deviceName":"device","deviceSecret":"MDEyMzQ1Njc4OWFiY2RlZg=="}]}
END
cat >"$work/device_info.json" <<END
{"auth_mode":"KEY","productId":"PRODUCTID0","deviceName":"device","key_deviceinfo":{"deviceSecret":"MDEyMzQ1Njc4OWFiY2RlZg=="}}
END
exec {events}< <(exec "$hub" run --devices "$work/devices.json" --firmware "$work/firmware.bin" --version 2.0.0 \
    --upgrade-on-report --state "$work/hub" --json </dev/null)
hub_pid=$!
read -r ready <&"$events"
value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" <<<"$ready"; }

(
    cd "$work"
    QCLOUD_IOT_MQTT_ENDPOINT=$(value mqtt_psk) QCLOUD_IOT_CA_FILE=$(value ca_file) exec "$@"
)
kill "$hub_pid"
hub_pid=
cat <&"$events" >"$work/events"
grep -q '"state":"done"' "$work/events" || {
    echo "with_hub.sh: the hub has not heard that the upgrade is done; it has seen:" >&2
    cat "$work/events" >&2
    exit 1
}
