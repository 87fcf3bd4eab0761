//! Functions of `qcloud_iot_export_dynreg.h` without a Rust definition.

extern "C" {
    /// Registers a device at run time: takes product id, product secret and device name, fills in the device's secret or
    /// certificate. Returns 0 or an error code.
    pub fn IOT_DynReg_Device(pDevInfo: *mut DeviceInfo) -> c_int;
}
