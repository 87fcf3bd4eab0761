//! Compiles what stable Rust has no words for: functions that take a variable number of arguments, a weak reference,
//! frames that end unwinding. Makes the built-in roots small.

use std::path::Path;

use base64::engine::general_purpose::STANDARD;
use base64::Engine;

/// Writes the certificates of a PEM file as DER, one after the other: a quarter less for the firmware to carry.
fn write_der(pem_file: &str) {
    println!("cargo::rerun-if-changed={pem_file}");
    let pem = std::fs::read_to_string(pem_file).expect(pem_file);
    let mut der = Vec::new();
    for rest in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let body: String = rest.split("-----END").next().unwrap_or_default().split_whitespace().collect();
        der.extend(STANDARD.decode(body).expect(pem_file));
    }
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    let name = Path::new(pem_file).with_extension("der");
    std::fs::write(Path::new(&out).join(name.file_name().expect(pem_file)), der).expect(pem_file);
}

/// Whether this feature is on.
fn is_set(feature: &str) -> bool {
    std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some()
}

/// Has the Rust code know `name` and the C code `define` where it holds: what depends on several features has one name.
fn declare(name: &str, define: &str, holds: bool, build: &mut cc::Build) {
    println!("cargo::rustc-check-cfg=cfg({name})");
    if holds {
        println!("cargo::rustc-cfg={name}");
        build.define(define, None);
    }
}

fn main() {
    write_der("certs/https_roots.pem");
    write_der("certs/tencent_iot_ca.pem");
    const FILES: [&str; 4] =
        ["src/ffi/varargs.c", "src/hal/callout.c", "src/hal/platform_cause.c", "src/hal/platform_wait.c"];
    println!("cargo::rerun-if-changed=abi/c/platform_wait.h");
    let mut build = cc::Build::new();
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
        build.file(file);
    }
    if is_set("AUTH_WITH_NOTLS") {
        build.define("QCLOUD_NO_TLS", None);
    }
    if is_set("MULTITHREAD") {
        build.define("QCLOUD_THREADS", None);
    }
    if is_set("COAP") {
        build.define("QCLOUD_COAP", None);
    }
    if is_set("GATEWAY") {
        build.define("QCLOUD_GATEWAY", None);
    }
    if is_set("BROADCAST") || is_set("RRPC") {
        build.define("QCLOUD_MESSAGES", None);
    }
    if is_set("SHADOW") {
        build.define("QCLOUD_SHADOW", None);
    }
    if is_set("REMOTE_CONFIG_MQTT") {
        build.define("QCLOUD_REMOTE_CONFIG", None);
    }
    if is_set("PANIC_ABORT") {
        build.define("QCLOUD_PANIC_ABORT", None);
    }
    if is_set("LOG_UPLOAD") {
        build.define("QCLOUD_LOG_UPLOAD", None);
    }
    if is_set("UPGRADE") {
        build.define("QCLOUD_UPGRADE", None);
    }
    // What devices with a certificate sign with their key: their way into WebSocket, and the log lines they upload.
    let is_certificate = is_set("AUTH_MODE_CERT");
    let uploads_signed = is_set("LOG_UPLOAD") && is_set("ABI_3_3");
    declare(
        "rsa_signatures",
        "QCLOUD_SIGNATURE",
        is_certificate && (is_set("WEBSOCKET") || uploads_signed),
        &mut build,
    );
    declare("signed_logs", "QCLOUD_SHA256", is_certificate && uploads_signed, &mut build);
    // Unwinding passes through the frames of callout.c.
    build.flag_if_supported("-fasynchronous-unwind-tables");
    build.std("c99").extra_warnings(true).warnings_into_errors(true).compile("iot_sdk_c");
}
