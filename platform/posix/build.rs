//! Compiles the weak `HAL_*` definitions, one object per subject, so that a program links only what it uses.

fn main() {
    const FILES: [&str; 10] =
        ["memory", "print", "time", "timer", "mutex", "semaphore", "thread", "optional", "tcp", "devinfo"];
    let mut build = cc::Build::new();
    build.warnings(true).extra_warnings(true);
    for file in FILES {
        let path = format!("weak/hal_{file}.c");
        println!("cargo:rerun-if-changed={path}");
        build.file(path);
    }
    for (feature, path) in
        [("COAP", "weak/hal_udp.c"), ("LOG_UPLOAD", "weak/hal_log.c"), ("ABI_3_3", "weak/hal_order.c")]
    {
        if std::env::var_os(format!("CARGO_FEATURE_{feature}")).is_some() {
            println!("cargo:rerun-if-changed={path}");
            build.file(path);
        }
    }
    println!("cargo:rerun-if-changed=weak/hal_weak.h");
    println!("cargo:rerun-if-changed=../../abi/c/platform_wait.h");
    build.compile("iot_platform_posix_weak");
}
