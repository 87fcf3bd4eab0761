#!/usr/bin/env bash
# Usage: symbols.sh static|shared PROGRAM CHECK...
#
# What a linked, unstripped program is made of:
#   own=NAME,NAME...   these HAL_* are the program's, all others in it the default ones; own=all: every one
#   no-tls             nothing of rustls, ring or mbedTLS (static)
#   has-tls=STACK      what the build option FEATURE_TLS=STACK links: the check above finds them where they are, and
#                      mbedtls is without rustls, system asks for mbedTLS and has no other
#   no-platform        no object of libiot_platform.a (static; reads PROGRAM.map)
set -u
linkage=$1
program=$2
shift 2
failed=0
NM=${NM:-nm}
complain() {
    echo "symbols.sh: $program: $*" >&2
    failed=1
}

if [ "$linkage" = static ]; then
    symbols=$("$NM" --defined-only "$program") || exit 2
else
    # What the dynamic linker can prefer to the library's.
    symbols=$("$NM" --dynamic --defined-only "$program") || exit 2
fi
hal=$(awk '$3 ~ /^HAL_[A-Za-z_]+$/ { print $2, $3 }' <<<"$symbols" | sort -u)

own() {
    local name
    [ -n "$hal" ] || complain "no HAL function in it"
    if [ "$1" = all ]; then
        grep -v '^T ' <<<"$hal" >&2 && complain "these are not the program's"
        return
    fi
    for name in ${1//,/ }; do
        grep -qx "T $name" <<<"$hal" || complain "$name is not the program's"
        hal=$(grep -vx "T $name" <<<"$hal")
    done
    # Default ones are weak.
    grep -v '^W ' <<<"$hal" | grep . >&2 && complain "these are the program's, too"
    if [ "$linkage" = static ]; then
        grep -q '^W ' <<<"$hal" || complain "no default function in it"
    fi
}

stacks=(rustls ring_core mbedtls_ssl)
for check in "$@"; do
    # The shared library has its platform inside, used or not.
    [ "$linkage" = static ] || [[ $check == own=* ]] || continue
    case $check in
    own=*) own "${check#own=}" ;;
    no-tls)
        for stack in "${stacks[@]}"; do
            ! grep -qi "$stack" <<<"$symbols" || complain "has symbols of $stack"
        done
        ;;
    has-tls=system)
        for stack in "${stacks[@]}"; do
            ! grep -i "$stack" <<<"$symbols" | grep -v -e rustls_pki_types -e iot_mbedtls | grep . >&2 ||
                complain "has symbols of $stack"
        done
        "$NM" --undefined-only "$program" | grep -q ' mbedtls_ssl_handshake$' || complain "does not ask for mbedTLS"
        ;;
    has-tls=*)
        for stack in "${stacks[@]}"; do
            if [ "${check#has-tls=}" = mbedtls ] && [ "$stack" = rustls ]; then
                # The reader of PEM goes by its name, too.
                ! grep -i "$stack" <<<"$symbols" | grep -qv rustls_pki_types || complain "has symbols of $stack"
            else
                grep -qi "$stack" <<<"$symbols" || complain "has no symbol of $stack"
            fi
        done
        ;;
    no-platform)
        [ -s "$program.map" ] || complain "no link map"
        grep -q 'libiot_sdk\.a(' "$program.map" || complain "the link map does not name libiot_sdk.a"
        # But the one that only asks for functions (platform/posix/weak/hal_optional.c).
        grep -o 'libiot_platform\.a([^)]*)' "$program.map" | sort -u | grep -v -e '-hal_optional\.o)$' >&2 &&
            complain "has these objects"
        ! grep -q iot_platform_ <<<"$symbols" || complain "has symbols of the default platform"
        ;;
    *)
        echo "symbols.sh: no check '$check'" >&2
        exit 2
        ;;
    esac
done
exit $failed
