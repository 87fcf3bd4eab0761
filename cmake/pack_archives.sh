#!/bin/sh
# Usage: pack_archives.sh OUT_DIR LIBIOT_SDK.a LIBIOT_BUNDLE.a
#
# Makes the archives a firmware links out of what cargo made: OUT_DIR/libiot_sdk.a, and OUT_DIR/libiot_platform.a when
# the bundle has the platform. Everything is cut from the bundle (library and platform in one archive, optimised as one
# at link time); the other archive, from the same cargo call, says which of its members are the library's.
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
# The environment names the tools: AR, LD, NM, OBJCOPY, READELF. KEEP_DEBUG=1 leaves debug information in. PANIC=abort says
# that nothing unwinds: without debug information, nothing keeps unwind tables then. ABI (3.2 or 3.3) says which interface the
# library has: it does not link with objects that were compiled with our headers of the other one.
set -eu
export LC_ALL=C
AR=${AR:-ar}
LD=${LD:-ld}
NM=${NM:-nm}
OBJCOPY=${OBJCOPY:-objcopy}
READELF=${READELF:-readelf}
out=$1
sdk=$2
bundle=$3

mkdir -p "$out"
stamp=$out/.packed
# Inode, size and time: cargo replaces its files, also when it goes back to an older build.
state="${KEEP_DEBUG:-0} ${PANIC:-unwind} ${ABI:-3.2} $(stat -L -c '%n %i %s %Y' "$0" "$sdk" "$bundle")"
if [ -f "$stamp" ] && [ "$state" = "$(head -n 1 "$stamp")" ] &&
    (cd "$out" && tail -n +2 .packed | xargs ls >/dev/null 2>&1); then
    exit 0
fi
rm -f "$stamp"

work=$(mktemp -d "$out/.pack.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

# The standard library's members carry LLVM bitcode, of no use without its own linker.
strip_flags="--remove-section=.llvmbc --remove-section=.llvmcmd"
if [ "${KEEP_DEBUG:-0}" = 0 ]; then
    strip_flags="$strip_flags --strip-debug"
    # What they alone ask for goes with them.
    if [ "${PANIC:-unwind}" = abort ]; then
        for tables in .eh_frame .gcc_except_table .ARM.exidx .ARM.extab; do
            strip_flags="$strip_flags --remove-section=$tables*"
        done
    fi
fi

# On ARM, each function's unwind table goes with its code. Where two have the same name, as copies of a generic function in two
# crates have, ld -r joins them and gets the place of an entry wrong: the next ld crashes (binutils 2.40). Apart, they stay right.
apart='--unique=.rodata.str*'
if "$LD" --help | grep -q -e --no-merge-exidx-entries; then
    apart="$apart --unique=.text.* --unique=.ARM.exidx* --unique=.ARM.extab*"
fi

defined() { "$NM" --defined-only --extern-only "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u; }
undefined() { "$NM" --undefined-only "$@" 2>/dev/null | awk 'NF == 2 { print $2 }' | sort -u; }
# Names that are neither Rust's nor the compiler's own: what C code calls.
c_names() { grep -E '^[A-Za-z_][A-Za-z0-9_]*$' | grep -v -e '^_R' -e '^_ZN' -e '^__' || true; }

# merge OBJECT ARCHIVE NAMES [FIRST]: one object with what the names in the file NAMES reach in ARCHIVE, and before that in
# the object FIRST. All other names become local.
merge() {
    # The texts of each crate stay apart: linked into one, they would all be in each program that has one of them.
    { sed 's/^/--undefined=/' "$3"; echo "$apart"; } >"$1.roots"
    "$LD" -r --gc-sections -o "$1" "@$1.roots" ${4:+"$4"} "$2"
    if [ -s "$work/stub" ] && drop_backtrace "$1"; then
        "$LD" -r --gc-sections -o "$1.less" "@$1.roots" "$1"
        mv "$1.less" "$1"
    fi
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

# drop_backtrace OBJECT: the standard library prints the stack of a panic by a function that draws a reader of debug
# information into every program. It gets the code of $work/stub, and nothing is printed after the panic's message.
# Fails, and changes nothing, where the function isn't found or is too short.
drop_backtrace() {
    section=$("$READELF" -SW "$1" | sed -n 's/.* \(\.text[^ ]*DisplayBacktrace[^ ]*3fmt[^ ]*\) *PROGBITS .*/\1/p')
    [ "$(printf '%s\n' "$section" | grep -c .)" = 1 ] || return 1
    "$OBJCOPY" -O binary "--only-section=$section" --set-section-flags "$section=alloc" "$1" "$1.code" || return 1
    size=$(wc -c <"$1.code")
    stub_size=$(wc -c <"$work/stub")
    [ "$size" -ge "$stub_size" ] || return 1
    # As long as it was: the unwinder's tables say where it ends.
    { cat "$work/stub"; tail -c "+$((stub_size + 1))" "$1.code"; } >"$1.patched"
    "$OBJCOPY" "--remove-relocations=$section" "--update-section=$section=$1.patched" "$1"
    rm "$1.code" "$1.patched"
}

# own_base_points OBJECT: gives our code of platform/tls/c/base_points.c, OBJECT, the names of ring's functions that it is
# for, and makes those of ring, in objects of this folder, give way. Fails, and changes nothing, where ring isn't the
# version that it was written for.
own_base_points() {
    ring=ring_core_0_17_14__
    { defined "$1"; undefined "$1"; } | sed -n "s/^qcloud_ring_\(.*\)/\1/p" >"$1.names"
    : >"$1.theirs"
    while read -r name; do
        grep -lF "$ring$name" -- *p256-nistz.o *curve25519.o >>"$1.theirs" || return 1
    done <"$1.names"
    sed "s/.*/qcloud_ring_& $ring&/" "$1.names" >"$1.renamed"
    "$OBJCOPY" "--redefine-syms=$1.renamed" "$1"
    defined "$1" >"$1.own"
    sort -u "$1.theirs" | while read -r object; do "$OBJCOPY" "--weaken-symbols=$1.own" "$object"; done
}

# make_private ARCHIVE: the names in $work/private begin with "qcloud_iot." from here on.
make_private() {
    "$OBJCOPY" "--redefine-syms=$work/private" "$1"
}

# Members are told apart by name alone, so several of one name must be copies of one (cargo takes in a C library once
# for each way that leads to it).
source=$work/source.a
# shellcheck disable=SC2086
"$OBJCOPY" $strip_flags "$bundle" "$source"
"$AR" t "$sdk" | sort -u >"$work/sdk.members"
"$AR" t "$source" | sort >"$work/members"
uniq -d "$work/members" >"$work/repeated"
mkdir "$work/objects" "$work/sdk" "$work/platform"
(cd "$work/objects" && "$AR" x ../source.a)
instance=1
while [ -s "$work/repeated" ]; do
    mkdir "$work/instance.$instance"
    (cd "$work/instance.$instance" && xargs "$AR" xN "$instance" ../source.a <../repeated)
    while read -r name; do
        cmp -s "$work/instance.$instance/$name" "$work/objects/$name" || echo "$name" >>"$work/clash"
    done <"$work/repeated"
    rm -r "$work/instance.$instance"
    instance=$((instance + 1))
    uniq -c "$work/members" | awk -v n="$instance" '$1 >= n { print $2 }' >"$work/repeated"
done
if [ -s "$work/clash" ]; then
    echo "pack_archives.sh: different members of $bundle bear the same name:" >&2
    sort -u "$work/clash" >&2
    exit 1
fi

# The library's half is what its own archive has too. Optimised at link time, an object has its name in that of the
# bundle: iot_bundle-HASH.NAME.rcgu.o. The bundle crate has no code; what else bears its name is the allocator's entry,
# which is the library's.
sort -u "$work/members" | while read -r member; do
    name=$member
    case $member in
    iot_bundle-*.rcgu.o.rcgu.o)
        name=${member#*.}
        name=${name%.rcgu.o}
        ;;
    esac
    case $member in
    iot_bundle-*) [ "$name" != "$member" ] || echo "$name" >>"$work/sdk.members" ;;
    esac
    [ "$name" = "$member" ] || mv "$work/objects/$member" "$work/objects/$name"
    echo "$name"
done | sort >"$work/all.names"
sort -u -o "$work/sdk.members" "$work/sdk.members"

# Other people's C code doesn't unwind, and nothing may unwind through it: Rust functions that it calls end the program first. Our own
# C files, which a firmware's functions are called from, keep their tables: callout.c ends unwinding by them.
if [ "${KEEP_DEBUG:-0}" = 0 ]; then
    grep -v -e '\.rcgu\.o$' -e '-hal_[a-z]*\.o$' -e 'varargs\.o$' -e 'callout\.o$' "$work/all.names" >"$work/c.names" || true
    (
        cd "$work/objects"
        xargs "$AR" crs ../c.a <../c.names
        "$OBJCOPY" --remove-section=.eh_frame ../c.a
        "$AR" x ../c.a
    )
fi

comm -12 "$work/all.names" "$work/sdk.members" >"$work/sdk.names"
comm -23 "$work/all.names" "$work/sdk.members" >"$work/platform.names"
(
    cd "$work/objects"
    xargs "$AR" crs ../all.a <../sdk.names
    xargs rm <../sdk.names
)

# The C interface is what the library's own objects define.
mkdir "$work/own"
(
    cd "$work/own"
    grep -e '^iot_sdk-' -e 'varargs\.o$' ../sdk.names | xargs "$AR" x ../all.a
    for object in *; do defined "$object"; done | c_names | grep -vx qcloud_no_backtrace | sort -u >../interface
    # Machine code of the library that is never called (src/no_backtrace.rs).
    for object in iot_sdk-*; do
        [ "${KEEP_DEBUG:-0}" = 0 ] || continue
        "$READELF" -SW "$object" | grep -q ' \.text\.qcloud_no_backtrace ' || continue
        "$READELF" -SW "$object" | grep -q ' \.rela\{0,1\}\.text\.qcloud_no_backtrace ' ||
            "$OBJCOPY" -O binary --only-section=.text.qcloud_no_backtrace "$object" ../stub
    done
)
if ! grep -q '^IOT_MQTT_Construct$' "$work/interface"; then
    echo "pack_archives.sh: $sdk does not define IOT_MQTT_Construct" >&2
    exit 1
fi

: >"$work/needed"
if [ -s "$work/platform.names" ]; then
    (
        cd "$work/objects"
        mv -- *-hal_*.o ../platform/
        base_points=
        for object in *-base_points.o; do
            [ -f "$object" ] || continue
            mv "$object" ../base_points.o
            if own_base_points ../base_points.o; then base_points=../base_points.o; fi
        done
        # The TLS stack first: what it needs of the other half is to keep its name there.
        find . -type f ! -name 'iot_platform_posix-*' | sort | xargs "$AR" crs ../tls.a
        find . -type f ! -name 'iot_platform_tls-*' | sort | xargs "$AR" crs ../posix.a
        defined iot_platform_posix-* >../posix.defined
        c_names <../posix.defined >../posix.names
        defined iot_platform_tls-* | c_names >../tls.names
        if [ -s ../tls.names ]; then
            merge ../platform/iot_platform_tls.o ../tls.a ../tls.names "$base_points"
            undefined ../platform/iot_platform_tls.o | comm -12 - ../posix.defined >>../posix.names
        else
            rm ../platform/*-hal_tls.o
        fi
        merge ../platform/iot_platform_posix.o ../posix.a ../posix.names
        cd ../platform
        "$AR" crs ../libiot_platform.a ./*
    )
    defined "$work/all.a" >"$work/all.defined"
    undefined "$work/libiot_platform.a" | comm -12 - "$work/all.defined" >"$work/needed"
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

# Without tables nothing unwinds, and so nothing goes on unwinding: a program needs the unwinder's library for this name alone.
if [ "${PANIC:-unwind}" = abort ] && [ "${KEEP_DEBUG:-0}" = 0 ]; then
    for archive in "$work"/libiot_*.a; do
        if undefined "$archive" | grep -qx _Unwind_Resume; then
            "$OBJCOPY" --redefine-sym _Unwind_Resume=abort "$archive"
        fi
    done
fi

# Such objects define this name, too (tools/headers/src/main.rs).
other=3.3
[ "${ABI:-3.2}" = 3.2 ] || other=3.2
"$OBJCOPY" --add-symbol "qcloud_iot.compiled_with_headers_of_IOT_ABI_$other=0,global" "$work/libiot_sdk.a"

rm -f "$out"/libiot_*.a
{
    printf '%s\n' "$state"
    (cd "$work" && ls libiot_*.a)
} >"$work/packed"
mv "$work"/libiot_*.a "$out"
mv "$work/packed" "$stamp"
