//! `qcloud_iot_export.h`: who a device is.

use std::ffi::c_char;
#[cfg(feature = "gateway")]
use std::ffi::c_uint;

/// Version that the library reports for itself in its log.
#[cfg(not(feature = "abi-3-3"))]
pub const QCLOUD_IOT_DEVICE_SDK_VERSION: &str = "3.2.2";
/// Version that the library reports for itself in its log.
#[cfg(feature = "abi-3-3")]
pub const QCLOUD_IOT_DEVICE_SDK_VERSION: &str = "3.3.0";

/// Longest client id: product id and device name, with room to spare. Characters, without the NUL.
pub const MAX_SIZE_OF_CLIENT_ID: usize = 80;
/// Length of a product id in characters.
pub const MAX_SIZE_OF_PRODUCT_ID: usize = 10;
/// Longest product secret in characters.
pub const MAX_SIZE_OF_PRODUCT_SECRET: usize = 32;
/// Longest device name in characters.
pub const MAX_SIZE_OF_DEVICE_NAME: usize = 48;
/// Longest device secret in characters, base64 as the console shows it.
pub const MAX_SIZE_OF_DEVICE_SECRET: usize = 64;
/// Longest path of a client certificate in characters.
pub const MAX_SIZE_OF_DEVICE_CERT_FILE_NAME: usize = 128;
/// Longest path of a client private key in characters.
pub const MAX_SIZE_OF_DEVICE_SECRET_FILE_NAME: usize = 128;
/// Room for a region's name, in bytes with the NUL.
#[cfg(feature = "abi-3-3")]
pub const MAX_SIZE_OF_REGION: usize = 64;

/// Identity of a device. Every text ends with a NUL; an empty text means "not set".
#[derive(Clone, Copy)]
#[repr(C)]
pub struct DeviceInfo {
    /// Product id, MAX_SIZE_OF_PRODUCT_ID characters.
    pub product_id: [c_char; 11],
    /// Device name, up to MAX_SIZE_OF_DEVICE_NAME characters.
    pub device_name: [c_char; 49],
    /// Product id and device name in one; filled in by the library.
    pub client_id: [c_char; 81],
    /// File name of the client certificate (PEM).
    #[cfg(feature = "auth-mode-cert")]
    pub dev_cert_file_name: [c_char; 129],
    /// File name of the client certificate's private key (PEM).
    #[cfg(feature = "auth-mode-cert")]
    pub dev_key_file_name: [c_char; 129],
    /// Device secret, base64.
    #[cfg(not(feature = "auth-mode-cert"))]
    pub device_secret: [c_char; 65],
    /// Product secret, only for registering a device at run time.
    #[cfg(feature = "dev-dyn-reg")]
    pub product_secret: [c_char; 33],
    /// Region of the cloud, such as "china".
    #[cfg(feature = "abi-3-3")]
    pub region: [c_char; 64],
}

/// Identity of a gateway and of the devices behind it.
#[cfg(feature = "gateway")]
#[repr(C)]
pub struct GatewayDeviceInfo {
    /// The gateway itself.
    pub gw_info: DeviceInfo,
    /// Array of sub_dev_num devices.
    pub sub_dev_info: *mut DeviceInfo,
    /// Number of devices behind the gateway.
    pub sub_dev_num: c_uint,
}
