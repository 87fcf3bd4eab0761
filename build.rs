//! Compiles the C functions that take a variable number of arguments, which stable Rust can't define.

fn main() {
    println!("cargo::rerun-if-changed=src/ffi/varargs.c");
    cc::Build::new()
        .file("src/ffi/varargs.c")
        .std("c99")
        .extra_warnings(true)
        .warnings_into_errors(true)
        .compile("iot_sdk_varargs");
}
