//! Compiles what is needed of mbedTLS, from the sources that crate `mbedtls-rs-sys` carries, without its build; or, with
//! feature `system`, only our own files for the mbedTLS of the system.

use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::{env, fs};

#[path = "build/system.rs"]
mod system;

/// The crate that carries the sources.
const CARRIER: &str = "mbedtls-rs-sys";

/// Names a folder with an mbedTLS 3.6 to be taken instead: a fix that the carrier does not have yet, or no network.
const FOLDER: &str = "IOT_MBEDTLS_DIR";

/// Where the cycles go.
const FAST: &[&str] = &["aes", "aesce", "aesni", "gcm", "sha1", "sha256"];
const SMALL: &[&str] = &[
    "block_cipher",
    "cipher",
    "cipher_wrap",
    "constant_time",
    "md",
    "platform",
    "platform_util",
    "sha512",
    "ssl_ciphersuites",
    "ssl_msg",
    "ssl_tls",
    "ssl_tls12_client",
    "version",
];

/// Feature `certificates` needs these besides.
const CERTIFICATES_FAST: &[&str] = &["bignum", "bignum_core", "chacha20", "ecp_curves", "poly1305"];
const CERTIFICATES_SMALL: &[&str] = &[
    "asn1parse",
    "asn1write",
    "bignum_mod",
    "bignum_mod_raw",
    "chachapoly",
    "ecdh",
    "hkdf",
    "oid",
    "pk",
    "pk_ecc",
    "pk_wrap",
    "pkparse",
    "psa_crypto",
    "psa_crypto_aead",
    "psa_crypto_cipher",
    "psa_crypto_client",
    "psa_crypto_driver_wrappers_no_static",
    "psa_crypto_ecp",
    "psa_crypto_ffdh",
    "psa_crypto_hash",
    "psa_crypto_mac",
    "psa_crypto_pake",
    "psa_crypto_rsa",
    "psa_crypto_slot_management",
    "psa_util",
    "rsa",
    "rsa_alt_helpers",
    "ssl_debug_helpers_generated",
    "ssl_tls13_client",
    "ssl_tls13_generic",
    "ssl_tls13_keys",
    "threading",
    "x509",
    "x509_crt",
];

fn main() {
    if let Err(error) = compile() {
        eprintln!("{error}");
        process::exit(1);
    }
}

fn compile() -> Result<(), Box<dyn Error>> {
    for path in [
        "build.rs",
        "build/system.rs",
        "c/config.h",
        "c/shim.c",
        "c/shim.h",
        "c/client_hello.c",
        "c/curves.c",
        "c/inverse.c",
        "c/certificates.c",
        "c/signature.c",
        "c/dtls.c",
        "c/gcm.c",
        "c/gcm_alt.h",
        "c/system",
        "sources/Cargo.toml",
        "sources/Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rustc-check-cfg=cfg(curves_in_rust, gcm_by_ring, has_tls_1_3)");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    let (certificates, server, dtls) = (has("CERTIFICATES"), has("SERVER"), has("DTLS"));
    let mut own = vec!["shim"];
    let mut defines = Vec::new();
    if certificates {
        own.extend(["certificates", "signature"]);
        defines.push("IOT_MBEDTLS_CERTIFICATES");
    }
    if dtls {
        own.push("dtls");
        defines.push("IOT_MBEDTLS_DTLS");
    }
    if server {
        defines.push("IOT_MBEDTLS_SERVER");
    }
    if has("SYSTEM") {
        return system::compile(&files(Path::new("c"), &own), &defines);
    }
    println!("cargo:rerun-if-env-changed={FOLDER}");
    let sources = match env::var_os(FOLDER).filter(|folder| !folder.is_empty()).map(PathBuf::from) {
        // It would be one beneath this crate.
        Some(folder) if folder.is_relative() => {
            return Err(format!("{FOLDER} is {}, not an absolute path", folder.display()).into());
        }
        Some(folder) => folder,
        None => carried()?,
    };
    println!("cargo:rustc-env=IOT_MBEDTLS_VERSION={}", version(&sources)?);
    // So that the sources are looked for again where they went, and compiled again where others came.
    for folder in ["include", "library"] {
        println!("cargo:rerun-if-changed={}", sources.join(folder).display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?);
    fs::write(out.join("names.h"), names(&sources)?)?;
    let library = sources.join("library");
    let (mut fast, mut small) = (FAST.to_vec(), SMALL.to_vec());
    own.push("client_hello");
    if certificates {
        fast.extend(CERTIFICATES_FAST);
        small.extend(CERTIFICATES_SMALL);
        println!("cargo:rustc-cfg=has_tls_1_3");
    }
    // Cargo.toml names the same.
    let is_fast = matches!(env::var("CARGO_CFG_TARGET_ARCH")?.as_str(), "x86_64" | "x86" | "aarch64" | "arm");
    if certificates && has("GCM_BY_RING") && is_fast {
        own.push("gcm");
        defines.push("IOT_MBEDTLS_GCM_BY_RING");
        println!("cargo:rustc-cfg=gcm_by_ring");
    }
    let mut own_fast = Vec::new();
    if certificates && has("CURVES_IN_RUST") {
        own.push("inverse");
        own_fast.push("curves");
        println!("cargo:rustc-cfg=curves_in_rust");
    } else if certificates {
        fast.push("ecp");
        small.push("ecdsa");
    }
    if server {
        small.push("ssl_tls12_server");
    }
    if server && certificates {
        small.push("ssl_tls13_server");
    }
    let build = |files: &[PathBuf], level: &str, archive: &str| {
        let mut build = cc::Build::new();
        build.include(&out).include("c").include(sources.join("include")).include(&library);
        build.define("MBEDTLS_CONFIG_FILE", "\"config.h\"").opt_level_str(level).warnings(false);
        build.flag_if_supported("-ffunction-sections").flag_if_supported("-fdata-sections");
        for define in &defines {
            build.define(define, None);
        }
        build.files(files).compile(archive);
    };
    // The linker meets them in this order: the first asks for what the second has.
    build(&[files(Path::new("c"), &own), files(&library, &small)].concat(), "s", "iot_mbedtls");
    build(&[files(Path::new("c"), &own_fast), files(&library, &fast)].concat(), "2", "iot_mbedtls_fast");
    Ok(())
}

fn files(folder: &Path, names: &[&str]) -> Vec<PathBuf> {
    names.iter().map(|name| folder.join(format!("{name}.c"))).collect()
}

/// The version of the sources. c/ knows 3.6 only.
fn version(sources: &Path) -> Result<String, Box<dyn Error>> {
    let path = sources.join("include/mbedtls/build_info.h");
    let text = fs::read_to_string(&path).unwrap_or_default();
    let version = text.lines().find_map(|line| line.strip_prefix("#define MBEDTLS_VERSION_STRING ")).map(str::trim);
    match version.map(|version| version.trim_matches('"')) {
        Some(version) if version.starts_with("3.6.") => Ok(version.to_owned()),
        found => {
            let found = found.unwrap_or("none");
            Err(format!("mbedTLS 3.6 is needed, the version found in {} is: {found}", path.display()).into())
        }
    }
}

/// The folder `mbedtls` of the crate that carries the sources.
///
/// A plain `cargo build` does not download what only sources/Cargo.toml names, so on a fresh machine the first try,
/// without the network, fails; the second makes up for that, once. What was vendored or fetched is found in the first.
fn carried() -> Result<PathBuf, Box<dyn Error>> {
    let mut said = String::new();
    for network in [&["--offline"][..], &[]] {
        let output = Command::new(env::var_os("CARGO").ok_or("no CARGO")?)
            .args(["metadata", "--format-version=1", "--locked", "--manifest-path", "sources/Cargo.toml"])
            .args(["--filter-platform", &env::var("HOST")?])
            .args(network)
            // clippy, or one that counts, for what is compiled around this.
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .output()?;
        if output.status.success() {
            let text = String::from_utf8(output.stdout)?;
            let (_, package) = text
                .split_once(&format!("\"name\":\"{CARRIER}\",\"version\":"))
                .ok_or("cargo does not list the carrier")?;
            let (_, path) = package.split_once("\"manifest_path\":\"").ok_or("no manifest_path")?;
            let (path, _) = path.split_once('"').ok_or("no end of manifest_path")?;
            return Ok(Path::new(path).with_file_name("mbedtls"));
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    Err(format!(
        "cargo does not find {CARRIER}, which has the sources of mbedTLS. Where there is a network, run \
         'cargo fetch --locked --manifest-path platform/mbedtls/sources/Cargo.toml' before; or let {FOLDER} name a \
         folder with mbedTLS 3.6. It said: {said}"
    )
    .into())
}

/// A header that puts "iot_" before every name of mbedTLS: a program may link another mbedTLS beside this one. Where
/// mbedTLS itself makes a macro of a name, that comes later and holds.
fn names(sources: &Path) -> Result<String, Box<dyn Error>> {
    let mut names = BTreeSet::new();
    for folder in ["library", "include/mbedtls", "include/psa"] {
        for entry in fs::read_dir(sources.join(folder))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "c" && extension != "h") {
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            names.extend(
                words.filter(|word| word.starts_with("mbedtls_") || word.starts_with("psa_")).map(str::to_owned),
            );
        }
    }
    Ok(names.iter().map(|name| format!("#define {name} iot_{name}\n")).collect())
}
