#!/bin/sh
# Usage: pack_archives.sh OUT_DIR LIBIOT_SDK.a [LIBIOT_BUNDLE.a]
#
# Makes the archives a firmware links out of what cargo made: OUT_DIR/libiot_sdk.a, and OUT_DIR/libiot_platform.a when
# there is a bundle (library and platform in one archive, from the same cargo call, so that members they share have the
# same names).
#
# libiot_platform.a has the members of the bundle that the library has not: one per HAL file, so that a firmware with
# its own HAL_* pulls nothing of ours that it doesn't need.
#
# libiot_sdk.a is one relocatable object with the library, the crates and the part of the Rust standard library that
# it and the platform use. Of its names only the C interface is left as it was. What the platform's members need of it
# (Rust names) is weak, so that another Rust library in the same program brings no double definitions; all else is
# local.
#
# The environment names the tools: AR, LD, NM, OBJCOPY. KEEP_DEBUG=1 leaves debug information in.
set -eu
export LC_ALL=C
AR=${AR:-ar}
LD=${LD:-ld}
NM=${NM:-nm}
OBJCOPY=${OBJCOPY:-objcopy}
out=$1
sdk=$2
bundle=${3:-}

mkdir -p "$out"
stamp=$out/.packed
# Inode, size and time: cargo replaces its files, also when it goes back to an older build.
state="${KEEP_DEBUG:-0} $(stat -L -c '%n %i %s %Y' "$0" "$sdk" ${bundle:+"$bundle"})"
if [ -f "$stamp" ] && [ "$state" = "$(cat "$stamp")" ] && [ -f "$out/libiot_sdk.a" ] &&
    { [ -z "$bundle" ] || [ -f "$out/libiot_platform.a" ]; }; then
    exit 0
fi
rm -f "$stamp"

work=$(mktemp -d "$out/.pack.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The standard library's members carry LLVM bitcode, of no use without its own linker.
strip_flags="--remove-section=.llvmbc --remove-section=.llvmcmd"
[ "${KEEP_DEBUG:-0}" = 1 ] || strip_flags="$strip_flags --strip-debug"

defined() { "$NM" --defined-only --extern-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u; }
undefined() { "$NM" --undefined-only "$@" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u; }

# shellcheck disable=SC2086
"$OBJCOPY" $strip_flags "$sdk" "$work/all.a"
"$AR" t "$sdk" | sort >"$work/sdk.members"

: >"$work/needed"
if [ -n "$bundle" ]; then
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
    bundle=$(realpath "$bundle")
    mkdir "$work/platform"
    (
        cd "$work/platform"
        xargs "$AR" x "$bundle" <../platform.members
        xargs "$AR" crs ../libiot_platform.a <../platform.members
    )
    # shellcheck disable=SC2086
    "$OBJCOPY" $strip_flags "$work/libiot_platform.a"
    defined "$work/all.a" >"$work/all.defined"
    undefined "$work/libiot_platform.a" >"$work/platform.undefined"
    comm -12 "$work/all.defined" "$work/platform.undefined" >"$work/needed"
fi

# The C interface: what the library's own objects define under a name that is not Rust's.
mkdir "$work/own"
sdk=$(realpath "$sdk")
(
    cd "$work/own"
    grep -e '^iot_sdk-' -e 'varargs\.o$' ../sdk.members | xargs "$AR" x "$sdk"
    for object in *; do defined "$object"; done | grep -E '^[A-Za-z_][A-Za-z0-9_]*$' | grep -v -e '^_R' -e '^_ZN' |
        sort -u >../interface
)
if ! grep -q '^IOT_MQTT_Construct$' "$work/interface"; then
    echo "pack_archives.sh: $sdk does not define IOT_MQTT_Construct" >&2
    exit 1
fi

sort -u "$work/interface" "$work/needed" | sed 's/^/--undefined=/' >"$work/roots"
"$LD" -r --gc-sections -o "$work/iot_sdk.o" "@$work/roots" "$work/all.a"
comm -23 "$work/needed" "$work/interface" >"$work/weak"
# Shared by all objects that can unwind, one copy of it is taken: it must keep its name.
printf 'DW.ref.rust_eh_personality\n' | cat - "$work/interface" "$work/needed" >"$work/global"
"$OBJCOPY" "--keep-global-symbols=$work/global" "--weaken-symbols=$work/weak" "$work/iot_sdk.o"
(cd "$work" && "$AR" crs libiot_sdk.a iot_sdk.o)

if [ -n "$bundle" ]; then
    mv "$work/libiot_platform.a" "$out/libiot_platform.a"
else
    rm -f "$out/libiot_platform.a"
fi
mv "$work/libiot_sdk.a" "$out/libiot_sdk.a"
printf '%s\n' "$state" >"$stamp"
