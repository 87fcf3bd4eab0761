#!/usr/bin/env bash
# Runs everything that is tested. Installs what is missing (as root or with sudo). Ends with a line per part.
#
#   ./test.sh           all parts but targets
#   ./test.sh targets   cross builds under qemu, and packages, beside the others
#   ./test.sh PART...   some of: lint unit headers abi ctest sizes e2e demo faults database console instructions sanitize fuzz coverage deny
set -uo pipefail
cd "$(dirname "$0")" || exit
source tools/need.sh

ALL=(lint unit headers abi ctest sizes e2e demo faults tls database console instructions sanitize fuzz coverage deny)
parts=("$@")
[ ${#parts[@]} -eq 0 ] && parts=("${ALL[@]}")

need cmake=cmake gcc=gcc g++=g++ make=make pkg-config=pkg-config '/usr/lib/llvm-*/lib/libclang.so=libclang-dev'
for part in "${parts[@]}"; do
    case $part in
    # These need no more, or see to it themselves: a machine without servers runs the crates' tests.
    lint) need python3=python3 shellcheck=shellcheck clang-format=clang-format ;;
    database)
        need python3=python3 mosquitto=mosquitto /usr/lib/rabbitmq/bin/rabbitmq-server=rabbitmq-server \
            '/usr/lib/postgresql/*/bin/initdb=postgresql'
        ;;
    fuzz | deny) need python3=python3 /usr/lib/python3/dist-packages/pip=python3-pip ;;
    unit | headers | coverage | targets) ;;
    *)
        need python3=python3 valgrind=valgrind mosquitto=mosquitto nginx=nginx-light coap-client-openssl=libcoap3-bin tshark=tshark \
            ssh=openssh-client '/usr/lib/*/libwrap.so.0=libwrap0' \
            /usr/lib/rabbitmq/bin/rabbitmq-server=rabbitmq-server \
            /usr/include/mbedtls/ssl.h=libmbedtls-dev
        ;;
    esac
done
need_rust
export CARGO_TARGET_DIR=$PWD/target

FEATURE_SETS=(
    ""
    "--no-default-features"
    "--no-default-features --features iot-bundle/platform,iot-bundle/tls-mbedtls"
    "--no-default-features --features iot-bundle/platform,iot-bundle/tls-mbedtls,iot-bundle/auth-mode-cert"
    "--features iot-bundle/auth-mode-cert"
    "--features iot-bundle/auth-with-notls"
    "--features iot-bundle/coap"
    "--features iot-bundle/log-upload,iot-bundle/upgrade"
    "--features iot-bundle/log-upload,iot-bundle/auth-mode-cert"
    "--features iot-bundle/resource,iot-bundle/resource-use-https,iot-bundle/ssh,iot-bundle/coap,iot-bundle/log-upload"
    "--no-default-features --features iot-bundle/resource"
    "--features iot-bundle/ssh,iot-bundle/auth-mode-cert,iot-bundle/websocket-unverified"
    "--no-default-features --features iot-bundle/ssh,iot-bundle/auth-with-notls"
    "--features iot-bundle/websocket-mqtt"
    "--features iot-bundle/websocket-mqtt,iot-bundle/log-upload,iot-bundle/auth-mode-cert"
    "--no-default-features --features iot-bundle/platform,iot-bundle/tls-mbedtls,iot-bundle/abi-3-3,iot-bundle/auth-mode-cert"
)

# What runs in the background, by name: its group of processes. Nothing of it is left behind.
declare -A background=()
trap 'for running in "${background[@]}"; do kill -- "-$running" 2>/dev/null; done' EXIT

# Waits for one of them; returns what it returned.
end_background() {
    local running=${background[$1]}
    unset "background[$1]"
    wait "$running"
}

lint() {
    cargo fmt --all -- --check || return
    cargo fmt --manifest-path fuzz/Cargo.toml -- --check || return
    # The checks of our own can fail, and don't.
    python3 tools/lint/tests.py && tools/lint/references.py && tools/lint/modules.py && tools/lint/sources.py &&
        tools/lint/shell.sh && tools/lint/c_format.sh || return
    cargo clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings || return
    cargo clippy --locked --workspace --all-targets -- -D warnings || return
    cargo clippy --locked -p hub --features postgres-tests --tests -- -D warnings || return
    local set
    for set in "${FEATURE_SETS[@]:1}"; do
        # shellcheck disable=SC2086
        cargo clippy --locked -p iot-bundle $set -- -D warnings || return
    done
    RUSTDOCFLAGS="-D warnings" cargo doc --locked -q --no-deps --workspace --document-private-items || return
    tools/oldest.sh compiler && tools/oldest.sh dependencies
}

unit() {
    cargo test --locked || return
    # CERT mode has structs and code of its own.
    cargo test --locked -p iot-abi --features auth-mode-cert,dev-dyn-reg,gateway,multithread || return
    # The interface of 3.3.0 has more.
    cargo test --locked -p iot-abi --features abi-3-3,dev-dyn-reg,gateway,multithread || return
    cargo test --locked --lib -p iot-sdk -p iot-platform -p iot-platform-posix -p iot-platform-tls \
        --features iot-sdk/auth-mode-cert,iot-platform/auth-mode-cert || return
    cargo test --locked --lib -p iot-sdk -p iot-platform-posix \
        --features iot-sdk/log-upload,iot-sdk/coap,iot-platform-posix/log-upload || return
    # The smallest one that makes upgrades: no loop thread, and no signatures.
    cargo test --locked --lib -p iot-sdk --no-default-features --features upgrade -- upgrade rest || return
    # What is different in the interface of 3.3.0.
    cargo test --locked --lib -p iot-sdk -p iot-platform -p iot-platform-posix -p iot-platform-tls \
        --features iot-sdk/resource,iot-sdk/resource-use-https,iot-sdk/ssh,iot-sdk/log-upload,iot-platform/abi-3-3,iot-platform-posix/log-upload -- interface region registration devinfo dynreg gateway psk resource ssh upload || return
    # MQTT over WebSocket, and what CERT devices sign with.
    cargo test --locked --lib -p iot-sdk -p iot-platform --features iot-sdk/websocket-mqtt,iot-platform/abi-3-3 -- websocket settings || return
    cargo test --locked --lib -p iot-sdk -p iot-platform -p iot-platform-tls \
        --features iot-sdk/websocket-unverified,iot-sdk/auth-mode-cert,iot-platform/abi-3-3,iot-platform/unverified,iot-platform/auth-mode-cert \
        -- signature registration dynreg roots any_server || return
    cargo test --locked -p headers -p bench || return
}

headers() {
    cargo run --locked -q -p headers -- --check
}

abi() {
    tests/abi/check.sh
}

# Builds the library and the samples in one mode into build/<mode>/output.
build_mode() {
    local mode=$1
    shift
    cmake -S . -B "build/$mode" -DOUTPUT_DIR="$PWD/build/$mode/output" -DCARGO_TARGET_DIR="$CARGO_TARGET_DIR" \
        -DIOT_BUILD_HUB=ON "$@" &&
        cmake --build "build/$mode" -j "$(nproc)"
}

# A mode for its samples only: as a debug build it is compiled in seconds, with crates that `cargo test` has, too.
build_samples() {
    build_mode "$@" -DBUILD_TYPE=debug -DIOT_BUILD_HUB=OFF -DIOT_BUILD_SHARED=OFF -DBUILD_TESTING=OFF
}

# What the other modes know nothing of: log upload, CoAP without TLS and IOT_Upgrade_*.
build_log() {
    build_mode log -DFEATURE_AUTH_WITH_NOTLS=ON -DFEATURE_LOG_UPLOAD_ENABLED=ON -DFEATURE_COAP_COMM_ENABLED=ON -DFEATURE_UPGRADE=ON \
        -DIOT_BUILD_BENCH=ON
}

# Once in a run: the modes share one cargo folder, so each build of all three compiles the library three times.
modes_built=
build_modes() {
    [ -n "$modes_built" ] && return
    build_mode key -DIOT_BUILD_BENCH=ON && build_mode notls -DFEATURE_AUTH_WITH_NOTLS=ON && build_mode cert -DFEATURE_AUTH_MODE=CERT &&
        build_log &&
        build_samples coap -DIOT_ABI=3.3 -DFEATURE_WEBSOCKET_MQTT=ON -DFEATURE_OTA_SIGNAL_CHANNEL=COAP &&
        build_samples websocket -DIOT_ABI=3.3 -DFEATURE_WEBSOCKET_MQTT=ON -DFEATURE_AUTH_WITH_NOTLS=ON -DFEATURE_LOG_UPLOAD_ENABLED=ON &&
        build_samples websocket-cert -DIOT_ABI=3.3 -DFEATURE_WEBSOCKET_MQTT=ON -DFEATURE_AUTH_MODE=CERT -DFEATURE_LOG_UPLOAD_ENABLED=ON &&
        build_mode abi33 -DIOT_ABI=3.3 &&
        modes_built=yes
}

ctest_part() {
    build_modes || return
    local mode config only failed=0 begun=()
    # Beside each other: the longest test of a mode is one thread.
    for mode in key notls cert log abi33; do
        only=()
        case $mode in
        # The rest is notls once more.
        log) only=(-R '^(memory/services|stack/services|power/(saved_lines|slots)|(c|valgrind)/(coap|log_upload|null_upgrade|slots_.*)$|link/symbols$)') ;;
        # The longest prove nothing about the interface: power that is cut, and how much memory a server may ask for.
        abi33) only=(-E '^(power/cuts|memory/(peer|rest))$') ;;
        esac
        ctest --test-dir "build/$mode" -j "$(nproc)" --output-on-failure --no-tests=error "${only[@]}" >"build/ctest-$mode.log" 2>&1 &
        begun+=("$mode:$!")
    done
    for mode in "${begun[@]}"; do
        wait "${mode#*:}" || failed=1
        echo "-- ctest of build/${mode%:*}"
        cat "build/ctest-${mode%:*}.log"
    done
    [ "$failed" = 0 ] || return 1
    for mode in key:key-tls notls:key-notls cert:cert-tls; do
        config=${mode#*:}
        mode=build/${mode%:*}/output
        tests/makefile/run.sh "$mode" "tests/abi/data/$config.json" || return
    done
    # The other interface, and the two mixed up.
    tests/makefile/run.sh build/abi33/output docs/contract/abi-3.3/key-tls.json &&
        tests/interfaces/run.sh build/key/output build/abi33/output
}

# What the compiled samples are tried with, and where they are.
e2e_programs() {
    build_modes && cargo build --locked --release -p hub || return
    export E2E_KEY_DIR=$PWD/build/key/output E2E_NOTLS_DIR=$PWD/build/notls/output E2E_CERT_DIR=$PWD/build/cert/output
    export E2E_LOG_DIR=$PWD/build/log/output E2E_COAP_DIR=$PWD/build/coap/output
    export E2E_WEBSOCKET_DIR=$PWD/build/websocket/output E2E_WEBSOCKET_CERT_DIR=$PWD/build/websocket-cert/output
    export E2E_HUB=$CARGO_TARGET_DIR/release/hub
    E2E_SSHD=$(tools/sshd.sh) && export E2E_SSHD
}

# The rows of the fault matrix, in the background. What they say goes to build/faults.log.
begin_faults() {
    cargo build --locked -q -p faults || return
    set -m
    "$CARGO_TARGET_DIR/debug/faults" >build/faults.log 2>&1 </dev/null &
    background[faults]=$!
    set +m
}

# Each sample of a mode that has no ctest, against the hub.
every_sample() {
    SAMPLES_MODE=$1 cargo test --locked -q -p e2e --test every_sample -- --ignored
}

e2e() {
    e2e_programs && need_python_packages tests/e2e/s3_requirements.txt || return
    export E2E_MOTO=$packages
    # Most of the time of both is waiting, so they are run beside each other.
    case " ${parts[*]} " in *' faults '*) begin_faults || return ;; esac
    # With programs of the other interface once more what has their KEY mode in it; but not the longest, which are about what
    # servers answer, how TLS goes and what valgrind sees (answers, field_tls, valgrind), and not about the interface.
    tests/e2e/run.sh && every_sample websocket && every_sample websocket-cert && E2E_KEY_DIR=$PWD/build/abi33/output \
        tests/e2e/run.sh modes registration resources ssh messages mqtt peers bad_input field_http field_log resume
}

demo() {
    tests/demo/stay.py
}

faults() {
    e2e_programs && cargo test --locked -p faults || return
    [ -n "${background[faults]:-}" ] || begin_faults || return
    tail -n +1 -f --pid="${background[faults]}" build/faults.log
    end_background faults
}

# Everything about certificates once more with mbedTLS instead of rustls: ours, and the system's.
tls() {
    cargo test --locked -p iot-mbedtls --features certificates,curves-in-rust,dtls,gcm-by-ring,server || return
    local features
    for features in tls-mbedtls,coap,curves-in-rust,gcm-by-ring tls-system tls-mbedtls,coap,auth-mode-cert,curves-in-rust,gcm-by-ring; do
        cargo test --locked -p iot-platform-tls --no-default-features --features "$features" || return
    done
    for features in tls-mbedtls tls-system; do
        cargo test --locked --lib -p iot-platform-tls --no-default-features --features "$features,unverified,abi-3-3" -- signature any_server || return
    done
    build_mode mbedtls -DFEATURE_TLS=mbedtls -DIOT_BUILD_BENCH=ON &&
        build_mode system-cert -DFEATURE_TLS=system -DFEATURE_AUTH_MODE=CERT || return
    local mode
    for mode in mbedtls system-cert; do
        ctest --test-dir "build/$mode" -j "$(nproc)" --output-on-failure --no-tests=error -R '^(platform|stack|memory|leaving)' || return
    done
    tests/sizes/check.sh build/mbedtls/output bounds-mbedtls && e2e_programs || return
    (
        export E2E_KEY_DIR=$PWD/build/mbedtls/output E2E_CERT_DIR=$PWD/build/system-cert/output
        tests/e2e/run.sh field_tls modes >build/mbedtls/e2e.log 2>&1 &
        e2e=$! failed=0
        for rows in https certificate CERT; do
            cargo run --locked -q -p faults -- "$rows" || failed=1
        done
        wait "$e2e" || failed=1
        cat build/mbedtls/e2e.log
        exit "$failed"
    )
}

# Hubs on a PostgreSQL server of the tests' own.
database() {
    cargo test --locked -p hub-postgres || return
    cargo test --locked -p hub --features postgres-tests --test postgres --test fleet
}

console() {
    need chromium=chromium node=nodejs npm=npm /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc=fonts-noto-cjk
    [ -n "$modes_built" ] || build_mode key || return
    cargo build --locked --release -p hub || return
    E2E_KEY_DIR=$PWD/build/key/output E2E_HUB=$CARGO_TARGET_DIR/release/hub tests/console/run.sh
}

fuzz() {
    tools/fuzz.sh 10
}

coverage() {
    tools/coverage.sh
}

sanitize() {
    tests/sanitizers/run.sh c && tests/sanitizers/run.sh address && tests/sanitizers/run.sh thread
}

sizes() {
    if [ -z "$modes_built" ]; then
        build_mode key -DIOT_BUILD_BENCH=ON && build_log || return
    fi
    tests/sizes/check.sh build/key/output && tests/sizes/check.sh build/log/output bounds-upgrade || return
    # The smallest one, and what is different in it.
    build_mode small -DFEATURE_TLS=mbedtls -DFEATURE_PANIC=abort -DIOT_BUILD_BENCH=ON &&
        tests/sizes/check.sh build/small/output bounds-small &&
        ctest --test-dir build/small -j "$(nproc)" --output-on-failure --no-tests=error -R '^(leaving|link/panic)'
}

instructions() {
    tests/instructions/check.sh
}

targets() {
    tests/targets/run.sh && tests/packages/run.sh
}

deny() {
    need_cargo_tool cargo-deny 0.20.2 ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee || return
    # Also the crates of other targets, which the builds above did not need. Advisories come from a database on the
    # network that not every place reaches, so they are not part of this.
    local manifest
    # The second brings the sources of mbedTLS, which are under Apache-2.0, too.
    for manifest in Cargo.toml platform/mbedtls/sources/Cargo.toml; do
        cargo fetch --locked --manifest-path "$manifest" &&
            cargo deny --offline --manifest-path "$manifest" check licenses bans sources || return
    done
}

# What each part says is kept, for the end to name what failed; so is how it ended and how long it took.
logs=$CARGO_TARGET_DIR/test-logs
rm -rf "$logs"
mkdir -p "$logs"

run_part() {
    local part=$1 run=$1 begin=$SECONDS outcome='FAILED '
    [ "$part" != ctest ] || run=ctest_part
    # Not through a pipe: what a part builds and begins, later parts know of by variables.
    if $run > >(tee "$logs/$part.log") 2>&1; then outcome='ok     '; fi
    echo "$outcome $part ($((SECONDS - begin)) s)" >"$logs/$part.outcome"
}

# The lines of a part's output that name what failed, and its last ones.
reasons() {
    grep -nE '^test .* FAILED|panicked at|^error|^FAIL|\*\*\*(Failed|Timeout|Exception)|ERROR SUMMARY: [1-9]|SUMMARY: .*Sanitizer' "$logs/$1.log" | tail -n 12
    tail -n 6 "$logs/$1.log"
}

# The parts that only compile and test crates, and those that build and run programs, go beside each other: in each of
# them one processor of two would do nothing for half of the time.
crates=() programs=()
for part in "${parts[@]}"; do
    case " ${ALL[*]} targets " in
    *" $part "*) ;;
    *)
        echo "test.sh: no part '$part'; there are: ${ALL[*]} targets" >&2
        exit 2
        ;;
    esac
    case $part in
    lint | unit | database | coverage | deny) crates+=("$part") ;;
    *) programs+=("$part") ;;
    esac
done

in_turn() {
    local part
    for part in "$@"; do
        echo "==== $part"
        run_part "$part"
    done
}

if [ ${#programs[@]} -eq 0 ]; then
    in_turn "${crates[@]}"
else
    if [ ${#crates[@]} -gt 0 ]; then
        echo "==== Beside what follows, and shown at its end: ${crates[*]}"
        set -m
        in_turn "${crates[@]}" >"$logs/crates.log" 2>&1 </dev/null &
        background[crates]=$!
        set +m
    fi
    in_turn "${programs[@]}"
    if [ ${#crates[@]} -gt 0 ]; then
        tail -n +1 -f --pid="${background[crates]}" "$logs/crates.log"
        end_background crates
    fi
fi

failed=()
echo "==== Summary"
for part in "${parts[@]}"; do
    cat "$logs/$part.outcome" || echo "FAILED  $part"
    grep -q '^ok' "$logs/$part.outcome" || failed+=("$part")
done
for part in "${failed[@]}"; do
    echo "==== Why $part failed ($logs/$part.log)"
    reasons "$part"
done
[ ${#failed[@]} -eq 0 ]
