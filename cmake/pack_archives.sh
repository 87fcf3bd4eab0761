#!/bin/sh
# Usage: pack_archives.sh OUT_DIR LIBIOT_SDK.a [LIBIOT_BUNDLE.a]
#
# Makes the archives a firmware links out of what cargo made: OUT_DIR/libiot_sdk.a, and OUT_DIR/libiot_platform.a when
# there is a bundle (library and platform in one archive, from the same cargo call, so that members they share have the
# same names).
#
# libiot_sdk.a is one relocatable object: the library, the crates, and the part of the Rust standard library that it and
# the platform use. libiot_platform.a has one for the TLS stack, one for everything else, and one small object for each
# HAL file, so that a firmware with its own HAL_* pulls nothing of ours that it doesn't need.
#
# In these objects only the names that others need are left: a firmware may have its own mbedTLS beside ours. Names that
# only our objects need of each other begin with "qcloud_iot.", which no C name can: another Rust library in the same
# program has names of the standard library too, and an allocator of its own behind them. What nobody reaches is left
# out, with what it would have asked of the linker.
#
# The environment names the tools: AR, LD, NM, OBJCOPY, READELF. KEEP_DEBUG=1 leaves debug information in.
set -eu
export LC_ALL=C
AR=${AR:-ar}
LD=${LD:-ld}
NM=${NM:-nm}
OBJCOPY=${OBJCOPY:-objcopy}
READELF=${READELF:-readelf}
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
# Names that are neither Rust's nor the compiler's own: what C code calls.
c_names() { grep -E '^[A-Za-z_][A-Za-z0-9_]*$' | grep -v -e '^_R' -e '^_ZN' -e '^__' || true; }

# merge OBJECT ARCHIVE NAMES: one object with what the names in the file NAMES reach in ARCHIVE. All other names become
# local.
merge() {
    sed 's/^/--undefined=/' "$3" >"$1.roots"
    "$LD" -r --gc-sections -o "$1" "@$1.roots" "$2"
    # All objects that can unwind share one copy of this.
    { echo DW.ref.rust_eh_personality; cat "$3"; } >"$1.global"
    # shellcheck disable=SC2086
    "$OBJCOPY" $strip_flags "--keep-global-symbols=$1.global" "$1"
    # What was left out leaves the names it asked for behind. They would draw libm and parts of libc into the program.
    "$READELF" -rW "$1" | awk 'NF >= 5 { print $5 }' | sort -u >"$1.used"
    undefined "$1" | comm -23 - "$1.used" >"$1.unused"
    [ ! -s "$1.unused" ] || "$OBJCOPY" "--strip-symbols=$1.unused" "$1"
    rm "$1.roots" "$1.global" "$1.used" "$1.unused"
}

# make_private ARCHIVE: the names in $work/private begin with "qcloud_iot." from here on.
make_private() {
    "$OBJCOPY" "--redefine-syms=$work/private" "$1"
}

# shellcheck disable=SC2086
"$OBJCOPY" $strip_flags "$sdk" "$work/all.a"
"$AR" t "$sdk" | sort >"$work/sdk.members"

: >"$work/needed"
if [ -n "$bundle" ]; then
    "$AR" t "$bundle" | sort >"$work/bundle.members"
    # The bundle crate has no code; its objects repeat what every Rust archive defines once, which the library does.
    comm -13 "$work/sdk.members" "$work/bundle.members" | grep -v '^iot_bundle-' >"$work/platform.members"
    bundle=$(realpath "$bundle")
    # Members are told apart by name alone, so several of one name must be copies of one (cargo takes in a C library
    # once for each way that leads to it).
    comm -12 "$work/sdk.members" "$work/platform.members" >"$work/clash"
    uniq -d "$work/platform.members" >"$work/repeated"
    instance=1
    while [ -s "$work/repeated" ]; do
        mkdir "$work/instance.$instance"
        (cd "$work/instance.$instance" && xargs "$AR" xN "$instance" "$bundle" <../repeated)
        while read -r name; do
            cmp -s "$work/instance.$instance/$name" "$work/instance.1/$name" || echo "$name" >>"$work/clash"
        done <"$work/repeated"
        instance=$((instance + 1))
        uniq -c "$work/platform.members" | awk -v n="$instance" '$1 >= n { print $2 }' >"$work/repeated"
    done
    if [ -s "$work/clash" ]; then
        echo "pack_archives.sh: different members of $bundle bear the same name:" >&2
        sort -u "$work/clash" >&2
        exit 1
    fi
    sort -u -o "$work/platform.members" "$work/platform.members"
    mkdir "$work/objects" "$work/platform"
    (
        cd "$work/objects"
        xargs "$AR" x "$bundle" <../platform.members
        mv -- *-hal_*.o ../platform/
        # The TLS stack first: what it needs of the other half is to keep its name there.
        "$AR" crs ../tls.a $(ls | grep -v '^iot_platform_posix-')
        "$AR" crs ../posix.a $(ls | grep -v '^iot_platform_tls-')
        defined iot_platform_posix-* >../posix.defined
        c_names <../posix.defined >../posix.names
        defined iot_platform_tls-* | c_names >../tls.names
        if [ -s ../tls.names ]; then
            merge ../platform/iot_platform_tls.o ../tls.a ../tls.names
            undefined ../platform/iot_platform_tls.o | comm -12 - ../posix.defined >>../posix.names
        else
            rm ../platform/*-hal_tls.o
        fi
        merge ../platform/iot_platform_posix.o ../posix.a ../posix.names
        cd ../platform
        "$AR" crs ../libiot_platform.a *
    )
    defined "$work/all.a" >"$work/all.defined"
    undefined "$work/libiot_platform.a" | comm -12 - "$work/all.defined" >"$work/needed"
fi

# The C interface is what the library's own objects define.
mkdir "$work/own"
sdk=$(realpath "$sdk")
(
    cd "$work/own"
    grep -e '^iot_sdk-' -e 'varargs\.o$' ../sdk.members | xargs "$AR" x "$sdk"
    for object in *; do defined "$object"; done | c_names | sort -u >../interface
)
if ! grep -q '^IOT_MQTT_Construct$' "$work/interface"; then
    echo "pack_archives.sh: $sdk does not define IOT_MQTT_Construct" >&2
    exit 1
fi
sort -u "$work/needed" "$work/interface" >"$work/names"
merge "$work/iot_sdk.o" "$work/all.a" "$work/names"
(cd "$work" && "$AR" crs libiot_sdk.a iot_sdk.o)

# What C code calls has the C SDK's names; those between our own C and Rust code begin with "qcloud_" and "iot_platform_".
for archive in "$work"/libiot_*.a; do defined "$archive"; done | sort -u >"$work/globals"
{
    c_names <"$work/globals" | grep -v -e '^qcloud_' -e '^iot_platform_' | comm -12 - "$work/interface"
    grep '^HAL_' "$work/globals" || true
} | sort -u | comm -13 - "$work/globals" | sed 's/.*/& qcloud_iot.&/' >"$work/private"
for archive in "$work"/libiot_*.a; do make_private "$archive"; done

if [ -n "$bundle" ]; then
    mv "$work/libiot_platform.a" "$out/libiot_platform.a"
else
    rm -f "$out/libiot_platform.a"
fi
mv "$work/libiot_sdk.a" "$out/libiot_sdk.a"
printf '%s\n' "$state" >"$stamp"
