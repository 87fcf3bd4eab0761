//! `config.h` as CMake's `configure_file` would make it from `config.h.in`.

/// What is on in the committed `include/config.h`: the C SDK's default configuration.
pub const DEFAULTS: &[&str] = &[
    "AUTH_MODE_KEY",
    "GATEWAY_ENABLED",
    "OTA_MQTT_CHANNEL",
    "SYSTEM_COMM",
    "DEV_DYN_REG_ENABLED",
    "OTA_USE_HTTPS",
    "MULTITHREAD_ENABLED",
    "BROADCAST_ENABLED",
    "RRPC_ENABLED",
    "REMOTE_CONFIG_MQTT",
];

/// Puts guards around each `#cmakedefine NAME`: makefiles of the C SDK's first releases define the switches themselves
/// (versions.md section 3).
pub fn guarded(template: &str) -> String {
    let mut text = String::new();
    for line in template.lines() {
        match line.strip_prefix("#cmakedefine ") {
            Some(name) => text.push_str(&format!("#ifndef {name}\n{line}\n#endif\n")),
            None => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

/// Replaces each `#cmakedefine NAME` by a definition when `on` has the name, else by a comment.
pub fn configure(template: &str, on: &[&str]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        match line.strip_prefix("#cmakedefine ") {
            Some(name) if on.contains(&name) => text.push_str(&format!("#define {name}")),
            Some(name) => text.push_str(&format!("/* #undef {name} */")),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}
