//! Compiles what stable Rust has no words for: functions that take a variable number of arguments, and a weak reference.

fn main() {
    const FILES: [&str; 2] = ["src/ffi/varargs.c", "src/hal/platform_cause.c"];
    let mut build = cc::Build::new();
    for file in FILES {
        println!("cargo::rerun-if-changed={file}");
        build.file(file);
    }
    build.std("c99").extra_warnings(true).warnings_into_errors(true).compile("iot_sdk_c");
}
