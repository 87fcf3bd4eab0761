#!/bin/sh
# Usage: pack_archives.sh OUT_DIR LIBIOT_SDK.a [LIBIOT_BUNDLE.a]
#
# Writes OUT_DIR/libiot_sdk.a, and OUT_DIR/libiot_platform.a: what the bundle has and the library has not.
#
# The library's archive holds the Rust standard library and all crates both sides use; the bundle holds the same and
# the platform. Both come from one cargo call, so the members they share have the same names and contents. Cut apart,
# the two link as the C SDK's archives do, nothing is defined twice, and a firmware that brings its own HAL_* pulls
# nothing of the platform it doesn't need.
set -eu
AR=${AR:-ar}
out=$1
sdk=$2
bundle=${3:-}

mkdir -p "$out"
stamp=$out/.packed
# Inode, size and time of the inputs: cargo replaces the files, also when it goes back to an older build.
state=$(stat -L -c '%n %i %s %Y' "$0" "$sdk" ${bundle:+"$bundle"})
if [ -f "$stamp" ] && [ "$state" = "$(cat "$stamp")" ] && [ -f "$out/libiot_sdk.a" ] &&
    { [ -z "$bundle" ] || [ -f "$out/libiot_platform.a" ]; }; then
    exit 0
fi
rm -f "$stamp"

work=$(mktemp -d "$out/.pack.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

cp "$sdk" "$work/libiot_sdk.a"
if [ -n "$bundle" ]; then
    "$AR" t "$sdk" | sort >"$work/sdk.members"
    "$AR" t "$bundle" | sort >"$work/bundle.members"
    # The bundle crate has no code; its objects repeat what every Rust archive defines once, which the library does.
    comm -13 "$work/sdk.members" "$work/bundle.members" | grep -v '^iot_bundle-' >"$work/platform.members"
    # Members are told apart by name alone.
    unclear=$(uniq -d "$work/platform.members"; comm -12 "$work/sdk.members" "$work/platform.members")
    if [ -n "$unclear" ]; then
        echo "pack_archives.sh: $bundle has more than one member of these names, which can't be told apart:" >&2
        echo "$unclear" >&2
        exit 1
    fi
    mkdir "$work/objects"
    bundle=$(realpath "$bundle")
    (
        cd "$work/objects"
        xargs "$AR" x "$bundle" <../platform.members
        xargs "$AR" crs ../libiot_platform.a <../platform.members
    )
    mv "$work/libiot_platform.a" "$out/libiot_platform.a"
else
    rm -f "$out/libiot_platform.a"
fi
mv "$work/libiot_sdk.a" "$out/libiot_sdk.a"
printf '%s\n' "$state" >"$stamp"
