//! Compiles the weak `HAL_TLS_*` definitions into an object of their own: only a program that uses them links TLS.

fn main() {
    println!("cargo:rerun-if-changed=weak/hal_tls.c");
    println!("cargo:rerun-if-changed=../posix/weak/hal_weak.h");
    println!("cargo:rerun-if-changed=../../abi/c/platform_wait.h");
    cc::Build::new().warnings(true).extra_warnings(true).file("weak/hal_tls.c").compile("iot_platform_tls_weak");
}
