//! Compiles the weak `HAL_TLS_*` and `HAL_DTLS_*` definitions into objects of their own: only a program that uses them
//! links TLS.

fn main() {
    println!("cargo:rerun-if-changed=weak/hal_tls.c");
    println!("cargo:rerun-if-changed=../posix/weak/hal_weak.h");
    println!("cargo:rerun-if-changed=../../abi/c/platform_wait.h");
    let mut build = cc::Build::new();
    build.warnings(true).extra_warnings(true).file("weak/hal_tls.c");
    let is_set = |feature: &str| std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    if is_set("COAP") && !is_set("AUTH_WITH_NOTLS") {
        println!("cargo:rerun-if-changed=weak/hal_dtls.c");
        build.file("weak/hal_dtls.c");
    }
    // Programs for KEY devices have none of them (versions.md section 6).
    if is_set("ABI_3_3") && is_set("AUTH_MODE_CERT") && !is_set("AUTH_WITH_NOTLS") {
        println!("cargo:rerun-if-changed=weak/hal_signature.c");
        build.file("weak/hal_signature.c");
    }
    // ring has these tables for 64-bit ARM, too, where this was never run.
    let target = |name: &str| std::env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if is_set("TLS_RUSTLS") && target("ARCH") == "x86_64" {
        println!("cargo:rerun-if-changed=c/base_points.c");
        build.file("c/base_points.c");
    }
    build.compile("iot_platform_tls_weak");
}
