#!/bin/sh
# Usage: link_shared.sh LIB_DIR OUT_DIR VERSION SOVERSION
#
# Makes OUT_DIR/libiot_sdk.so.VERSION, and the two links that go with it, out of the archives in LIB_DIR. It exports what
# the archives' C names are (pack_archives.sh), nothing else. The HAL_* in it are defaults: calls go through the dynamic
# linker, so a program's own HAL_* win. Without libiot_platform.a it has none, and asks the program for them.
#
# The environment names the tools: CC, NM, and in LIBS what the archives need besides.
set -eu
export LC_ALL=C
CC=${CC:-cc}
NM=${NM:-nm}
LIBS=${LIBS:-}
lib=$1
out=$2
version=$3
soname=libiot_sdk.so.$4
file=libiot_sdk.so.$version

set -- "$lib/libiot_sdk.a"
# The program's HAL_* are what may be missing here; the dynamic linker names the first that the program lacks.
complete=
if [ -f "$lib/libiot_platform.a" ]; then
    set -- "$@" "$lib/libiot_platform.a"
    complete=-Wl,-z,defs
fi

mkdir -p "$out"
stamp=$out/.linked
state="$version $soname $CC $LIBS $(stat -L -c '%n %i %s %Y' "$0" "$@")"
if [ -f "$stamp" ] && [ "$state" = "$(cat "$stamp")" ] && [ -f "$out/$file" ]; then
    exit 0
fi
rm -f "$stamp" "$out"/libiot_sdk.so*

work=$(mktemp -d "$out/.link.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

{
    echo '{ global:'
    "$NM" --defined-only --extern-only "$@" 2>/dev/null | awk 'NF == 3 && $3 !~ /[.]/ { print $3 ";" }' | sort -u
    echo 'local: *; };'
} >"$work/exports.map"

# nodelete: threads of ours may live and have destructors to run when somebody calls dlclose.
# shellcheck disable=SC2086
"$CC" -shared -o "$work/$file" "-Wl,-soname,$soname" "-Wl,--version-script=$work/exports.map" $complete \
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,nodelete -Wl,--gc-sections \
    -Wl,--whole-archive "$@" -Wl,--no-whole-archive -Wl,--as-needed $LIBS -lpthread -ldl -lm

mv "$work/$file" "$out/$file"
ln -s "$file" "$out/$soname"
ln -s "$soname" "$out/libiot_sdk.so"
printf '%s\n' "$state" >"$stamp"
