#!/usr/bin/env bash
# Shows the main job on one machine: the unchanged C sample takes a firmware upgrade over TLS from a cloud on this desk.
# Installs what is missing (as root or with sudo), builds, runs, and exits 0 only if the device has the right firmware.
#
#   ./demo.sh           to the end of the upgrade
#   ./demo.sh --stay    then the cloud and the device go on: order more upgrades in the console, whose address it prints
#   ./demo.sh --signed  instead: a signed upgrade into the other of two slots, and one that does not work and goes back
set -euo pipefail
cd "$(dirname "$0")"

stay=
signed=
for argument in "$@"; do
    case $argument in
    --stay) stay=yes ;;
    --signed) signed=yes ;;
    -h | --help)
        sed -n '2,/^set /{s/^# \{0,1\}//p}' "$0"
        exit 0
        ;;
    *)
        echo "demo.sh: no option '$argument'; there are: --stay, --signed (./demo.sh --help)" >&2
        exit 2
        ;;
    esac
done
[ -z "$stay" ] || [ -z "$signed" ] || {
    echo "demo.sh: --stay goes on after the plain upgrade, --signed shows another one: give one of them" >&2
    exit 2
}
source tools/need.sh

SIZE=10000000
TARGET_VERSION=2.0.0
RUNNING_VERSION=1.0.0

need cmake=cmake gcc=gcc make=make pkg-config=pkg-config
need_rust

work=$(mktemp -d)
builds=()
finish() {
    local pid
    for pid in "${builds[@]}"; do
        if kill -- "-$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi
    done
    for pid in $(jobs -p); do
        if kill "$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 1' INT TERM

export CARGO_TARGET_DIR=$PWD/target
# A hub that is fast to build, unless somebody has built the other one, with everything in it, anyway.
hub_build=(--profile=demo -p hub --no-default-features)
hub=target/demo/hub
if [ -x target/release/hub ]; then
    hub_build=(--profile=release -p hub)
    hub=target/release/hub
fi

# count_packages OPTION...: how many packages cargo compiles for these; fetches what is missing.
count_packages() {
    cargo tree --locked -e normal,build --prefix none "$@" 2>"$work/count.log" | sed 's/ (\*)$//' | sort -u | wc -l ||
        { cat "$work/count.log" >&2; exit 1; }
}

# progress PID LOG TOTAL: how far the build PID is, whose cargo writes LOG, and what it is at.
progress() {
    kill -0 "$1" 2>/dev/null || { printf built; return; }
    shift
    awk -v total="$2" '/^ *Compiling / { count++; last = $2 }
        END { printf "%d of %d", (count < total ? count : total), total; if (last != "") printf " (%s)", last }' "$1"
}

# watch_builds LIBRARY_PID HUB_PID: says what is built and how far it is, until both have ended; in a terminal in one line.
watch_builds() {
    local begin=$SECONDS said=0 line running
    while true; do
        running=
        if kill -0 "$1" 2>/dev/null || kill -0 "$2" 2>/dev/null; then running=yes; fi
        line="   $((SECONDS - begin)) s: library $(progress "$1" "$work/library.log" "$library_total")"
        line+=", hub $(progress "$2" "$work/hub.log" "$hub_total")"
        if [ -t 1 ]; then
            printf '\r\033[K%s' "${line:0:$((${COLUMNS:-80} - 1))}"
        elif [ -z "$running" ] || [ $((SECONDS - said)) -ge 10 ]; then
            said=$SECONDS
            echo "$line"
        fi
        [ -n "$running" ] || break
        sleep 1
    done
    if [ -t 1 ]; then echo; fi
}

# built PID LOG: whether that build has succeeded; else its messages.
built() {
    wait "$1" || {
        cat "$2" >&2
        exit 1
    }
}

echo "== Building the library with the C sample, and the hub (the first time takes some minutes)"
library_total=$(count_packages -p iot-sdk -p iot-bundle)
hub_total=$(count_packages "${hub_build[@]:1}")
# At the same time: each has parts that only one processor works at. In groups of their own, which ctrl-C ends whole.
set -m
./cmake_build.sh -DBUILD_TESTING=OFF -DCARGO_TARGET_DIR="$CARGO_TARGET_DIR" ${signed:+-DFEATURE_UPGRADE=ON} >"$work/library.log" 2>&1 </dev/null &
builds+=("$!")
cargo build --locked "${hub_build[@]}" >"$work/hub.log" 2>&1 </dev/null &
builds+=("$!")
set +m
watch_builds "${builds[@]}"
built "${builds[0]}" "$work/library.log"
built "${builds[1]}" "$work/hub.log"
builds=()

product=DEMOPRODUC
device=desk-device
secret=$(head -c 24 /dev/urandom | base64 -w 0)
head -c "$SIZE" /dev/urandom >"$work/firmware.bin"
cat >"$work/devices.json" <<END
{"devices":[{"productId":"$product","deviceName":"$device","deviceSecret":"$secret"}]}
END
cat >"$work/device_info.json" <<END
{"auth_mode":"KEY","productId":"$product","deviceName":"$device","key_deviceinfo":{"deviceSecret":"$secret"}}
END

value() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$work/ready.json" | head -n 1; }

# start_hub OPTION...: starts the hub with these, too, and points programs at it. Its standard input is the caller's.
start_hub() {
    echo "== The hub plays the cloud: MQTT over TLS with a pre-shared key, firmware over HTTPS"
    "$hub" run --devices "$work/devices.json" --state "$work/hub" --ready-file "$work/ready.json" "$@" <&0 \
        > >(sed -u 's/^/[hub]    /') 2>&1 &
    hub_pid=$!
    for _ in $(seq 300); do
        [ -s "$work/ready.json" ] && break
        kill -0 "$hub_pid" 2>/dev/null || { echo "The hub did not start; its message stands above." >&2; exit 1; }
        sleep 0.1
    done
    QCLOUD_IOT_MQTT_ENDPOINT=$(value mqtt_psk)
    QCLOUD_IOT_CA_FILE=$(value ca_file)
    export QCLOUD_IOT_MQTT_ENDPOINT QCLOUD_IOT_CA_FILE
}

sample_dir=$PWD/output/release/bin
if [ -n "$signed" ]; then
    source tools/demo_signed.sh
    exit 0
fi

# Ordered once, by hand: what is ordered in the console later is not undone by this.
start_hub --firmware "$work/firmware.bin" --version "$TARGET_VERSION" < <(echo "upgrade $product$device")

echo "== The device: output/release/bin/ota_mqtt_sample, running version $RUNNING_VERSION"
sample=$sample_dir/ota_mqtt_sample
begin=$(date +%s%N)
(cd "$work" && "$sample" -c device_info.json -v "$RUNNING_VERSION" -n 1) > >(sed -u 's/^/[device] /') ||
    { echo "The upgrade failed; the lines above say why." >&2; exit 1; }
end=$(date +%s%N)

got=$work/FW_${product}${device}_${TARGET_VERSION}.bin
cmp "$work/firmware.bin" "$got" || { echo "The firmware on the device differs from the hub's." >&2; exit 1; }
awk -v bytes="$SIZE" -v ns="$((end - begin))" -v from="$RUNNING_VERSION" -v to="$TARGET_VERSION" -v dev="$device" 'BEGIN {
    s = ns / 1e9
    printf "== Upgraded %s from %s to %s: %d bytes in %.2f s from start to acknowledgement (%.1f MB/s), the file is identical\n",
        dev, from, to, bytes, s, bytes / 1e6 / s
}'
[ -n "$stay" ] || exit 0

# The device goes on with the version it has now, and waits for the next order.
run_device() {
    cd "$work"
    local version=$TARGET_VERSION
    # ctrl-C reaches this shell, too, but not a sample that it runs in the background. A sample that was just started is in
    # the shell's list only, and may be too young to take the signal: so the list is asked, and the signal repeated.
    trap 'while kill $(jobs -pr) 2>/dev/null; do sleep 0.1; done; exit 0' INT TERM
    while true; do
        "$sample" -c device_info.json -v "$version" >device.log &
        if wait "$!"; then
            version=$(sed -n 's/.*upgrade to version \(.*\) succeeded.*/\1/p' device.log)
            echo "runs version $version now"
        else
            sleep 1
            echo "ended with a failure, starts again with version $version"
        fi
    done
}
run_device > >(sed -u 's/^/[device] /') 2>&1 &
trap 'exit 0' INT TERM
cat <<END
== The hub and the device go on. The console: $(value console)
   Add a firmware file there and order the upgrade; ctrl-C ends everything.
END
# It ends with 0 by ctrl-C, and bash may notice that before the signal of its own.
if wait "$hub_pid"; then exit 0; fi
echo "The hub ended; its message stands above." >&2
exit 1
