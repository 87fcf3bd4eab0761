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
    if std::env::var_os("CARGO_FEATURE_AUTH_WITH_NOTLS").is_some() {
        build.define("QCLOUD_NO_TLS", None);
    }
    if std::env::var_os("CARGO_FEATURE_MULTITHREAD").is_some() {
        build.define("QCLOUD_THREADS", None);
    }
    if std::env::var_os("CARGO_FEATURE_COAP").is_some() {
        build.define("QCLOUD_COAP", None);
    }
    if std::env::var_os("CARGO_FEATURE_GATEWAY").is_some() {
        build.define("QCLOUD_GATEWAY", None);
    }
    if ["CARGO_FEATURE_BROADCAST", "CARGO_FEATURE_RRPC"].iter().any(|name| std::env::var_os(name).is_some()) {
        build.define("QCLOUD_MESSAGES", None);
    }
    if std::env::var_os("CARGO_FEATURE_SHADOW").is_some() {
        build.define("QCLOUD_SHADOW", None);
    }
    if std::env::var_os("CARGO_FEATURE_REMOTE_CONFIG_MQTT").is_some() {
        build.define("QCLOUD_REMOTE_CONFIG", None);
    }
    if std::env::var_os("CARGO_FEATURE_PANIC_ABORT").is_some() {
        build.define("QCLOUD_PANIC_ABORT", None);
    }
    if std::env::var_os("CARGO_FEATURE_LOG_UPLOAD").is_some() {
        build.define("QCLOUD_LOG_UPLOAD", None);
    }
    if std::env::var_os("CARGO_FEATURE_UPGRADE").is_some() {
        build.define("QCLOUD_UPGRADE", None);
    }
    let is_set = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let uploads_signed = is_set("LOG_UPLOAD") && is_set("ABI_3_3");
    if is_set("AUTH_MODE_CERT") && (is_set("WEBSOCKET") || uploads_signed) {
        build.define("QCLOUD_SIGNATURE", None);
    }
    if is_set("AUTH_MODE_CERT") && uploads_signed {
        build.define("QCLOUD_SHA256", None);
    }
    // Unwinding passes through the frames of callout.c.
    build.flag_if_supported("-fasynchronous-unwind-tables");
    build.std("c99").extra_warnings(true).warnings_into_errors(true).compile("iot_sdk_c");
}
