#!/usr/bin/env bash
# One way of linking a firmware: builds a program, says how the linking must look, runs it.
# Usage: tests/link/run.sh CASE, with what tests/link/CMakeLists.txt puts into the environment:
#   LINK_SOURCE   the project's folder      LINK_WORK   a folder for this case
#   LINK_OUTPUT   the build's lib, include  LINK_BUILD  the build folder
#   LINK_CONFIG   the configuration of tests/abi that this build is    LINK_ABI  and its interface, 3.2 or 3.3
#   LINK_UPGRADE  what FEATURE_UPGRADE is
#   LINK_BUILD_TYPE  release or debug      LINK_PANIC  unwind or abort
#   LINK_LIBS     what the archives need besides
#   LINK_BUILT    cargo's folder of the archive
#   LINK_MEMBERS  what is in the archive that cargo made
#   CC AR NM OBJCOPY READELF CMAKE CARGO
set -euo pipefail
export LC_ALL=C
here=$LINK_SOURCE/tests/link
lib=$LINK_OUTPUT/lib
shared=$lib/shared
read -ra libraries <<<"$LINK_LIBS"
group=("-Wl,--start-group" -liot_sdk -liot_platform "-Wl,--end-group" "${libraries[@]}")
prefix=$LINK_WORK/prefix
soversion=3
[ "$LINK_ABI" = 3.2 ] || soversion=$LINK_ABI
rm -rf "$LINK_WORK"
mkdir -p "$LINK_WORK"
cd "$LINK_WORK"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# compile NAME.c FLAGS...: NAME.o
compile() {
    "$CC" -std=gnu99 -Wall -Wextra -Werror -I "$LINK_SOURCE/tests/c" -c "$here/$1" -o "${1%.c}.o" "${@:2}"
}
against_output() { compile "$1" -I "$LINK_OUTPUT/include" -I "$LINK_OUTPUT/include/exports" "${@:2}"; }

platform_file() { # SOURCE FLAGS...
    "$CC" -std=gnu99 -Wall -Wextra -Werror -I "$LINK_SOURCE/tests/c" -I "$LINK_SOURCE/tests/support" \
        -isystem "$LINK_OUTPUT/include" -isystem "$LINK_OUTPUT/include/exports" -c "$1" "${@:2}"
}

needs_shared() { "$READELF" -d "$1" | grep NEEDED | grep -qF "libiot_sdk.so.$soversion]"; }
run_static() { # PROGRAM ARGUMENT...
    ! needs_shared "$1" || fail "$1 was linked with the shared library"
    "./$1" "${@:2}"
}
run_shared() { # PROGRAM LIB_DIR ARGUMENT...
    needs_shared "$1" || fail "$1 was not linked with the shared library"
    LD_LIBRARY_PATH=$2 "./$1" "${@:3}"
}

# The program has less in it than program.c linked by the C SDK's line, both without symbols.
collected() {
    against_output program.c
    "$CC" -s program.o -L"$lib" "${group[@]}" -lpthread -o whole
    "$OBJCOPY" --strip-all "$1" collected
    [ "$(stat -c %s collected)" -lt "$(stat -c %s whole)" ] || fail "$1 has what it does not reach"
}

# Installs into $prefix, by way of another folder: what is installed must not know where it was.
install() {
    "$CMAKE" --install "$LINK_BUILD" --prefix "$LINK_WORK/first" >/dev/null
    mv first "$prefix"
    local told
    told=$(grep -rlE "$LINK_BUILD|$LINK_OUTPUT|$LINK_WORK" "$prefix" --include=*.pc --include=*.cmake --include=*.h || true)
    [ -z "$told" ] || fail "these name folders of the build: $told"
}

case ${1:?usage: run.sh CASE} in
symbols)
    "$LINK_SOURCE/tests/abi/symbols.sh" "$lib" "$LINK_CONFIG" "$LINK_ABI" "$LINK_UPGRADE"
    ;;
bill)
    install
    doc=$prefix/share/doc/libiot-sdk-dev
    python3 "$here/bill.py" "$doc/libiot_sdk.cdx.json" "$doc/copyright" "$LINK_MEMBERS" "$LINK_BUILT" \
        "$(cd "$LINK_SOURCE" && rustc --print target-libdir)" "$LINK_SOURCE/Cargo.lock"
    ;;
old_line)
    # The C SDK's link line, with the shared library built as well.
    against_output program.c
    "$CC" program.o -L"$lib" "${group[@]}" -lpthread -o program
    run_static program
    ;;
old_words)
    # The line of 3.3.0 whole, as on a machine that has nothing of what the guide lets go (versions.md case 15): all that is
    # there has no content, and none of the system's is asked for.
    guide=$LINK_SOURCE/docs/switching.md
    words=$(grep -F 'Words of the old link line that may go' "$guide" | grep -oE -- '-l[a-z0-9]+' | xargs)
    [ "$words" = '-lmbedtls -lmbedx509 -lmbedcrypto -lwslay' ] || fail "$guide lets go: $words"
    against_output program.c
    mkdir empty
    for word in $words; do "$AR" rcs "empty/lib${word#-l}.a"; done
    "$CC" program.o -L"$lib" -Lempty -Wl,--start-group -liot_sdk -liot_platform -lwslay -lmbedtls -lmbedx509 -lmbedcrypto \
        -Wl,--end-group -lpthread -Wl,--trace -o program >trace
    run_static program
    if grep -E 'lib(mbed|wslay)' trace | grep -v '^empty/'; then fail "the above is in the program"; fi
    ;;
gc_sections)
    against_output program.c -ffunction-sections -fdata-sections
    "$CC" program.o -L"$lib" "${group[@]}" -lpthread -o whole
    "$CC" program.o -L"$lib" "${group[@]}" -lpthread -Wl,--gc-sections -o collected
    run_static collected
    [ "$(stat -c %s collected)" -lt "$(stat -c %s whole)" ] || fail "--gc-sections left everything in"
    ;;
full_static)
    against_output program.c
    # glibc warns of getaddrinfo, which loads name services at run time.
    "$CC" -static program.o -L"$lib" "${group[@]}" -lpthread -o program 2>warnings || fail "$(cat warnings)"
    if "$READELF" -d program | grep -q NEEDED; then fail "the program needs shared libraries"; fi
    run_static program
    ;;
shared)
    against_output program.c
    "$CC" program.o -L"$shared" -liot_sdk -o program
    run_shared program "$shared"
    ;;
shared_own_hal)
    against_output own_hal.c
    "$CC" own_hal.o -L"$shared" -liot_sdk -o own_hal
    run_shared own_hal "$shared"
    ;;
shared_hidden_hal)
    # The headers make a program's HAL_* visible to the shared library, whatever the flag says (case hidden_visibility).
    against_output own_hal.c -fvisibility=hidden
    "$CC" own_hal.o -L"$shared" -liot_sdk -o own_hal
    run_shared own_hal "$shared"
    ;;
shared_without_platform)
    # Folders may have a space in their names.
    own="$PWD/own lib"
    mkdir -p "$own"
    cp "$lib/libiot_sdk.a" "$own"
    sh "$LINK_SOURCE/cmake/link_shared.sh" "$own" "$own/shared" 3.0.0 3
    [ "$LINK_CONFIG" = "" ] || "$LINK_SOURCE/tests/abi/symbols.sh" "$own" "$LINK_CONFIG" "$LINK_ABI" "$LINK_UPGRADE"
    # Names of libc and libgcc have a version.
    "$NM" -D --undefined-only "$own/shared/libiot_sdk.so" | awk '$1 == "U" { print $2 }' | grep -v @ >asked
    grep -qx HAL_Malloc asked || fail "HAL_Malloc is not left to the program"
    if grep -v '^HAL_' asked; then fail "the above are left to the program"; fi
    ;;
older_platform)
    # Without what came after 3.2.0; and without the timer's, which the program has in another form.
    missing=()
    for name in HAL_ThreadCreate HAL_Timer_set_systime_sec HAL_Timer_set_systime_ms HAL_Timer_current; do
        missing+=("-D$name=not_yet_$name")
    done
    platform=("$LINK_SOURCE"/tests/platform/{hal_alloc,hal_devinfo,hal_devinfo_rest,hal_lock,hal_rest,hal_tcp,hal_time}.c)
    grep -q '^#define AUTH_WITH_NOTLS' "$LINK_OUTPUT/include/config.h" || platform+=("$LINK_SOURCE/tests/platform/hal_tls.c")
    for source in "${platform[@]}"; do platform_file "$source" "${missing[@]}"; done
    for source in "$LINK_SOURCE"/tests/{platform/{own,own_older,network,clock_real},support/cloud}.c; do platform_file "$source"; done
    "$CC" ./*.o "$lib/libiot_sdk.a" -lpthread -o alone
    run_static alone alone
    "$CC" ./*.o -L"$lib" "${group[@]}" -lpthread -o beside
    run_static beside beside
    [ -d "$shared" ] || exit 0
    mkdir own
    cp "$lib/libiot_sdk.a" own
    sh "$LINK_SOURCE/cmake/link_shared.sh" own own/shared 3.0.0 "$soversion"
    "$CC" -rdynamic ./*.o -Lown/shared -liot_sdk -lpthread -o alone_shared
    run_shared alone_shared own/shared alone
    "$CC" ./*.o -L"$shared" -liot_sdk -lpthread -o beside_shared
    run_shared beside_shared "$shared" beside
    ;;
pkg_config)
    install
    export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
    pkg-config --exact-version="$(sed -n 's/.*DEVICE_SDK_VERSION "\(.*\)"/\1/p' "$prefix/include/qcloud_iot_export.h")" \
        libiot_sdk
    # shellcheck disable=SC2046
    compile program.c $(pkg-config --cflags libiot_sdk)
    # shellcheck disable=SC2046
    "$CC" program.o $(pkg-config --libs libiot_sdk) -o with_shared
    run_shared with_shared "$prefix/lib"
    # shellcheck disable=SC2046
    "$CC" -static program.o $(pkg-config --static --libs libiot_sdk) -o with_static 2>warnings || fail "$(cat warnings)"
    run_static with_static
    # shellcheck disable=SC2046
    "$CC" program.o -L"$prefix/lib" -Wl,-Bstatic $(pkg-config --static --libs libiot_sdk) -Wl,-Bdynamic -o archives
    run_static archives
    # -Bstatic holds for the system's mbedTLS, too, and its archives are more than what was collected.
    [ ${#libraries[@]} -gt 0 ] || collected archives
    ;;
find_package)
    install
    "$CMAKE" -S "$here/consumer" -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" \
        -DPROGRAM="$here/program.c" -DCHECKS="$LINK_SOURCE/tests/c" -DINTERFACE="$LINK_ABI" >log 2>&1 || fail "$(cat log)"
    "$CMAKE" --build build >log 2>&1 || fail "$(cat log)"
    run_static build/with_static
    collected build/with_static
    # CMake leaves the way to the library in the program.
    run_shared build/with_shared ""
    ;;
ota_test)
    install
    [ -x "$prefix/bin/qcloud_iot_hub" ] || fail "the hub was not installed"
    example=$LINK_SOURCE/c_examples/ota_test
    "$CMAKE" -S "$example" -B build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" >log 2>&1 || fail "$(cat log)"
    "$CMAKE" --build build >log 2>&1 || fail "$(cat log)"
    ctest=${CMAKE%cmake}ctest
    "$ctest" --test-dir build --output-on-failure --no-tests=error -L ota -j 4 | tee log
    written=$(grep -c '^qcloud_iot_add_ota_test' "$example/CMakeLists.txt")
    grep -q "100% tests passed, 0 tests failed out of $written" log || fail "not all $written tests were run"

    # project LINE...: a firmware that only ends, and a project of it with these lines.
    project() {
        rm -rf project project_build
        mkdir project
        printf '%s\n' 'cmake_minimum_required(VERSION 3.16)' 'project(firmware C)' 'enable_testing()' \
            'find_package(QCloudIoT REQUIRED)' 'add_executable(firmware firmware.c)' "$@" >project/CMakeLists.txt
        echo 'int main(void) { return 3; }' >project/firmware.c
        "$CMAKE" -S project -B project_build -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$CC" >log 2>&1
    }
    # mistake PART LINE...: it is refused, and PART is in what is said.
    mistake() {
        if project "${@:2}"; then fail "taken: ${*:2}"; fi
        # CMake breaks its lines.
        tr -s ' \n' ' ' <log | grep -qF -- "$1" || fail "no \"$1\" in: $(cat log)"
    }
    mistake 'NAME and TARGET are needed' 'qcloud_iot_add_ota_test(TARGET firmware)'
    mistake 'TARGET software is not a target' 'qcloud_iot_add_ota_test(NAME t TARGET software)'
    mistake 'no use for "FAULTS;http:cut=1"' 'qcloud_iot_add_ota_test(NAME t TARGET firmware FAULTS http:cut=1)'
    mistake 'FIRMWARE or SIZE' 'qcloud_iot_add_ota_test(NAME t TARGET firmware FIRMWARE f SIZE 1)'
    mistake 'TIMEOUT is "soon"' 'qcloud_iot_add_ota_test(NAME t TARGET firmware TIMEOUT soon)'
    mistake 'is "/no/hub"' 'set(QCLOUD_IOT_HUB /no/hub)' 'qcloud_iot_add_ota_test(NAME t TARGET firmware)'
    mv "$prefix/bin/qcloud_iot_hub" hub
    mistake '-DIOT_BUILD_HUB=ON' 'qcloud_iot_add_ota_test(NAME t TARGET firmware)'

    # A test that must fail and say why, with a hub from elsewhere.
    project "set(QCLOUD_IOT_HUB $PWD/hub)" 'qcloud_iot_add_ota_test(NAME t TARGET firmware)' || fail "$(cat log)"
    "$CMAKE" --build project_build >log 2>&1 || fail "$(cat log)"
    if "$ctest" --test-dir project_build --output-on-failure >log; then fail "a program that only ends passed"; fi
    grep -q 'the program ended early, with exit code 3' log || fail "$(cat log)"
    ;;
own_mbedtls)
    [ -f /usr/include/mbedtls/version.h ] || fail "mbedTLS is needed (Debian: apt-get install libmbedtls-dev)"
    against_output own_mbedtls.c
    theirs=(-l:libmbedtls.a -l:libmbedx509.a -l:libmbedcrypto.a)
    "$CC" own_mbedtls.o "${theirs[@]}" -L"$lib" "${group[@]}" -lpthread -o theirs_first
    run_static theirs_first
    "$CC" own_mbedtls.o -L"$lib" "${group[@]}" "${theirs[@]}" -lpthread -Wl,-y,mbedtls_ssl_handshake -o ours_first >trace 2>&1
    run_static ours_first
    grep -q 'libmbedtls\.a(.*): definition of mbedtls_ssl_handshake' trace || fail "theirs was not taken"
    if grep -q 'libiot.*mbedtls_ssl_handshake' trace; then fail "ours shows its mbedTLS"; fi
    "$CC" own_mbedtls.o "${theirs[@]}" -L"$shared" -liot_sdk -lpthread -o beside_shared
    run_shared beside_shared "$shared"
    ;;
other_rust)
    "$CARGO" build --quiet --locked --offline --release --manifest-path "$here/other_rust/Cargo.toml" --target-dir cargo
    against_output other_rust.c
    "$CC" other_rust.o cargo/release/libother_rust.a -L"$lib" "${group[@]}" -lpthread -o theirs_first
    run_static theirs_first
    "$CC" other_rust.o -L"$lib" "${group[@]}" cargo/release/libother_rust.a -lpthread -o ours_first
    run_static ours_first
    "$CC" other_rust.o -L"$shared" -liot_sdk cargo/release/libother_rust.a -lpthread -o beside_shared
    run_shared beside_shared "$shared"
    ;;
panic)
    name=$("$NM" "$lib/libiot_sdk.a" 2>/dev/null | awk '/ [tT] .*6option13unwrap_failed/ { print $3 }')
    [ -n "$name" ] || fail "libiot_sdk.a has no core::option::unwrap_failed"
    # Where the platform does not need it, it has no name outside.
    "$OBJCOPY" "--globalize-symbol=$name" "$lib/libiot_sdk.a" libiot_sdk.a
    "$CC" -x c++ -Wall -Wextra -Werror -I "$LINK_OUTPUT/include" -I "$LINK_OUTPUT/include/exports" \
        "-DUNWRAP_FAILED=\"$name\"" -c "$here/panic.cpp" -o panic.o
    "$CC" panic.o -L. -L"$lib" "${group[@]}" -lpthread -lstdc++ -o panic
    for backtrace in 0 1 full; do
        status=0
        RUST_BACKTRACE=$backtrace ./panic 2>said || status=$?
        # 134: by SIGABRT.
        [ "$status" = "$([ "$LINK_PANIC" = abort ] && echo 134 || echo 0)" ] ||
            fail "RUST_BACKTRACE=$backtrace: exit code $status, $(cat said)"
        grep -q 'None' said || fail "RUST_BACKTRACE=$backtrace: no message, but $(cat said)"
    done
    # A release build has no reader of debug information.
    if [ "$LINK_BUILD_TYPE" = release ] && "$NM" panic | grep backtrace_rs; then fail "the above is in the program"; fi
    if [ "$LINK_BUILD_TYPE" = release ] && [ "$LINK_PANIC" = abort ]; then
        for archive in "$lib"/*.a; do
            if "$READELF" -SW "$archive" | grep -e '\.eh_frame' -e '\.gcc_except_table'; then fail "the above is in $archive"; fi
            if "$NM" -A "$archive" 2>/dev/null | grep ' U _Unwind_'; then fail "a program would need the unwinder's library"; fi
        done
    fi
    ;;
*)
    fail "there is no case $1"
    ;;
esac
