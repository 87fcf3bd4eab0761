//! Feature `system`: TLS by the mbedTLS that the system has, found where the compiler looks, or where `MBEDTLS_INCLUDE`
//! and `MBEDTLS_LIB` say. Shared or static is the choice of who links.

use std::env;
use std::error::Error;
use std::path::PathBuf;

const INCLUDE: &str = "MBEDTLS_INCLUDE";
const LIB: &str = "MBEDTLS_LIB";

/// A folder that a variable names.
fn folder(variable: &str) -> Option<PathBuf> {
    println!("cargo:rerun-if-env-changed={variable}");
    env::var_os(variable).filter(|folder| !folder.is_empty()).map(PathBuf::from)
}

pub fn compile(own: &[PathBuf], defines: &[&str]) -> Result<(), Box<dyn Error>> {
    let mut build = cc::Build::new();
    build.include("c/system").include("c").opt_level_str("s").warnings(true).std("c11");
    if let Some(include) = folder(INCLUDE) {
        println!("cargo:rerun-if-changed={}", include.join("mbedtls").display());
        build.flag("-isystem").flag(include);
    }
    // For strdup and syscall.
    build.define("_GNU_SOURCE", None).define("IOT_MBEDTLS_SYSTEM", None);
    for define in defines {
        build.define(define, None);
    }
    build.flag_if_supported("-ffunction-sections").flag_if_supported("-fdata-sections");
    let seen = build.clone().file("c/system/version.c").try_expand().map_err(|error| {
        format!(
            "mbedTLS's headers are not found: install libmbedtls-dev, or let {INCLUDE} and {LIB} name the folders of its \
             headers and libraries ({error})"
        )
    })?;
    let seen = String::from_utf8_lossy(&seen);
    let version = seen.split_once("iot_mbedtls_version").and_then(|(_, rest)| rest.split('"').nth(1));
    println!("cargo:rustc-env=IOT_MBEDTLS_VERSION={}", version.ok_or("mbedTLS's headers name no version")?);
    if defines.contains(&"IOT_MBEDTLS_CERTIFICATES") && seen.contains("iot_mbedtls_has_tls_1_3") {
        println!("cargo:rustc-cfg=has_tls_1_3");
    }
    build.files(own).try_compile("iot_mbedtls")?;
    // For programs that cargo links, which are tests. The whole name, since a crate of theirs brings archives of these
    // names, too.
    if let Some(lib) = folder(LIB) {
        println!("cargo:rustc-link-search=native={}", lib.display());
    }
    for library in ["mbedtls", "mbedx509", "mbedcrypto"] {
        println!("cargo:rustc-link-lib=dylib:+verbatim=lib{library}.so");
    }
    Ok(())
}
