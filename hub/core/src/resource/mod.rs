//! The resource service: files that the cloud hands to a device and a device to the cloud (resource.md section 8). No I/O
//! and no clock.

pub mod message;

/// Topics of devices that the hub listens to on a broker.
pub const FILTER: &str = "$resource/up/service/+/+";
/// What a device's topics begin with where it speaks.
pub const UP: &str = "$resource/up/service/";

/// Longest name that a device takes, in bytes.
pub const MAX_NAME: usize = 64;
/// Bytes of a file that this hub takes: it lies in memory while it comes.
pub const MAX_SIZE: usize = 64 << 20;

/// What files of resources are called in the firmware folder and in URLs. Firmware's have an underscore.
const FILE: &str = "resource-";

/// The topic of what a device hears.
pub fn topic(product_id: &str, device_name: &str) -> String {
    format!("$resource/down/service/{product_id}/{device_name}")
}

/// The file of a resource, in the firmware folder and in URLs.
pub fn file_name(id: i64) -> String {
    format!("{FILE}{id}")
}

/// The resource whose file is called so.
pub fn id_of(file_name: &str) -> Option<i64> {
    file_name.strip_prefix(FILE)?.parse().ok()
}

/// Whether a resource can be called so.
pub fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control)
}
