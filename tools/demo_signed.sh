# shellcheck shell=bash
# The rest of ./demo.sh --signed, which sources this.
: "${work:?}" "${hub:?}" "${sample_dir:?}" "${product:?}"

RUNNING_VERSION=1.0.0
GOOD_VERSION=2.0.0
BAD_VERSION=3.0.0
home=$work/slots
mkdir "$home"
cp "$work/device_info.json" "$home"

start_hub </dev/null
ask() { "$hub" "$@" --state "$work/hub"; }

echo "== The maker of the firmware has a pair of keys; devices know the public one"
"$hub" firmware keygen "$work/maker.key"
public_key=$(cat "$work/maker.key.pub")

# image VERSION [-]: firmware that is the sample: a script which becomes the program, and random bytes behind it. With - it
# ends instead of saying that it works.
image() {
    printf '#!/bin/sh\nexec %s/upgrade_sample %s %s %s\n' "$sample_dir" "$1" "$public_key" "${2:-}"
    head -c 2000000 /dev/urandom
}

# upgrade VERSION [-]: signs such firmware, uploads it, orders it and watches. Fails where the device does not end with it.
upgrade() {
    image "$@" >"$work/$1.bin"
    "$hub" firmware sign "$work/$1.bin" --product "$product" --version "$1" --key "$work/maker.key" --output "$work/$1.signed"
    "$hub" firmware verify "$work/$1.signed" --public-key "$work/maker.key.pub"
    ask firmware add "$work/$1.signed" --product "$product" --version "$1"
    ask upgrade --firmware "$product:$1" --all --watch | sed -u 's/^/[order]  /'
    return "${PIPESTATUS[0]}"
}

# Fails unless the good firmware is in slot b, and slot b starts.
check_slot_b() {
    if [ "$(readlink "$home/current")" != b ] || ! cmp "$work/$GOOD_VERSION.bin" "$home/b"; then
        echo "Slot b is not what starts, or not the firmware." >&2
        exit 1
    fi
}

# The boot loader: starts what the link names, and again each time it ends.
boot() {
    cd "$home" || exit
    trap 'while kill $(jobs -pr) 2>/dev/null; do sleep 0.1; done; exit 0' INT TERM
    while true; do
        echo "boot loader: slot $(readlink current)"
        ./current &
        wait "$!" || echo "it ended with $?"
    done
}

echo "== The device: slot a has version $RUNNING_VERSION and runs, slot b is empty"
image "$RUNNING_VERSION" >"$home/a"
: >"$home/b"
chmod +x "$home/a" "$home/b"
ln -s a "$home/current"
# Every tenth part of a download will do.
boot > >(sed -u '/stored .*[1-9] %/d; s/^/[device] /') 2>&1 &

echo "== Signed firmware $GOOD_VERSION: into slot b, started from there on trial, confirmed"
upgrade "$GOOD_VERSION" || { echo "The upgrade failed; the lines above say why." >&2; exit 1; }
check_slot_b

echo "== Signed firmware $BAD_VERSION, which does not work: into slot a, started on trial, not confirmed, back to slot b"
if upgrade "$BAD_VERSION" -; then
    echo "The device kept firmware that did not say that it works." >&2
    exit 1
fi
check_slot_b
echo "== The device runs $GOOD_VERSION from slot b again, and the cloud knows why"
