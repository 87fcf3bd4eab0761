//! Structs of the other interface (versions.md sections 5 and 6): found by the first member, before any that another
//! layout has elsewhere is read. The linker finds most of them earlier, by the headers' marks.

use std::ffi::{c_char, c_int};

use iot_abi::error::QCLOUD_ERR_INVAL;
use iot_abi::mqtt::MQTTInitParams;
use iot_engine::identity::Identity;
use iot_engine::region::Region;

use super::{required_str, str_from_c};

/// Who a device is, as a struct says it.
pub(super) struct Names {
    /// Where its cloud is.
    #[cfg(feature = "abi-3-3")]
    pub(super) region: *const c_char,
    /// Its product.
    pub(super) product_id: *const c_char,
    /// Its name.
    pub(super) device_name: *const c_char,
}

macro_rules! names_in {
    ($params:ty) => {
        impl From<&$params> for Names {
            fn from(params: &$params) -> Self {
                Names {
                    #[cfg(feature = "abi-3-3")]
                    region: params.region,
                    product_id: params.product_id,
                    device_name: params.device_name,
                }
            }
        }
    };
}

names_in!(MQTTInitParams);
#[cfg(feature = "coap")]
names_in!(iot_abi::coap::CoAPInitParams);
#[cfg(feature = "log-upload")]
names_in!(iot_abi::log::LogUploadInitParams);

impl Names {
    /// The device.
    ///
    /// # Errors
    /// `QCLOUD_ERR_INVAL` where there can be no such device, and where the struct is of the other interface; logged.
    ///
    /// # Safety
    /// The texts are NULL or end with a NUL.
    pub(super) unsafe fn device(&self, function: &'static str) -> Result<Identity, c_int> {
        // SAFETY: the caller's promise.
        if unsafe { self.are_of_another_interface(function) } {
            return Err(QCLOUD_ERR_INVAL);
        }
        // SAFETY: as above.
        let product_id = unsafe { required_str(function, "product_id", self.product_id) }?;
        // SAFETY: as above.
        let device_name = unsafe { required_str(function, "device_name", self.device_name) }?;
        let device = Identity::new(product_id, device_name).map_err(|error| {
            ::log::error!(target: function, "{error}");
            QCLOUD_ERR_INVAL
        })?;
        #[cfg(feature = "abi-3-3")]
        // SAFETY: as above.
        let device = device.in_region(named(function, unsafe { str_from_c(self.region) }.unwrap_or_default()));
        Ok(device)
    }

    /// Whether a product id stands where the region belongs: the struct is of 3.2.3, which has none. Then the log says so,
    /// and nothing may be read or written at places where the other layout has something else.
    ///
    /// # Safety
    /// `region` is NULL or ends with a NUL.
    #[cfg(feature = "abi-3-3")]
    pub(super) unsafe fn are_of_another_interface(&self, function: &'static str) -> bool {
        // SAFETY: the caller's promise.
        let region = unsafe { str_from_c(self.region) }.unwrap_or_default();
        let is_mixed = is_product_id(region);
        if is_mixed {
            ::log::error!(
                target: function,
                "region is {region}, a product id: the program was compiled with the headers of the C SDK 3.2 or before, \
                 this library has the interface of 3.3. Build the library with IOT_ABI=3.2, or compile the program with this \
                 library's headers"
            );
        }
        is_mixed
    }

    /// Whether a region stands where the product id belongs: the struct is of 3.3.0. Then the log says so, and nothing may be
    /// read or written at places where the other layout has something else.
    ///
    /// # Safety
    /// The texts are NULL or end with a NUL.
    #[cfg(not(feature = "abi-3-3"))]
    pub(super) unsafe fn are_of_another_interface(&self, function: &'static str) -> bool {
        // SAFETY: the caller's promise.
        let product_id = unsafe { str_from_c(self.product_id) };
        // SAFETY: in both layouts a text, or NULL.
        let device_name = unsafe { str_from_c(self.device_name) }.unwrap_or_default();
        let is_mixed = match product_id {
            None | Some("") => is_product_id(device_name),
            Some(name) => Region::named(name).is_some(),
        };
        if is_mixed {
            ::log::error!(
                target: function,
                "product_id is \"{}\", a region, and device_name is {device_name}: the program was compiled with the headers \
                 of the C SDK 3.3, this library has the interface of 3.2. Build the library with IOT_ABI=3.3, or compile the \
                 program with this library's headers",
                product_id.unwrap_or_default()
            );
        }
        is_mixed
    }
}

/// Whether the struct is of the other interface, or of 3.1 with certificates. The log says so.
///
/// # Safety
/// The texts in `params` are NULL or end with a NUL.
pub(super) unsafe fn is_of_another_layout(function: &'static str, params: &MQTTInitParams) -> bool {
    // SAFETY: the caller's promise.
    if unsafe { Names::from(params).are_of_another_interface(function) } {
        return true;
    }
    #[cfg(feature = "auth-mode-cert")]
    let is_other = has_pointers_for_paths(function, &params.cert_file);
    #[cfg(not(feature = "auth-mode-cert"))]
    let is_other = false;
    is_other
}

/// Whether pointers stand where the paths of certificate and key belong: the struct is of 3.1 (versions.md section 2). Then the
/// log says so, and nothing may be written behind its end, where the arrays of later releases go on. Told by two words in a row
/// that can be addresses: behind a path that is as short as one, there are zeros.
#[cfg(feature = "auth-mode-cert")]
pub(super) fn has_pointers_for_paths(function: &'static str, cert_file: &[c_char; 256]) -> bool {
    let is_mixed = cert_file.chunks_exact(size_of::<u64>()).take(2).all(is_address);
    if is_mixed {
        ::log::error!(
            target: function,
            "cert_file holds no path, but what can be two addresses: the program was compiled with the headers of the C SDK \
             3.1, where cert_file and key_file are pointers. Compile it with this library's headers"
        );
    }
    is_mixed
}

/// One of a process with 64 bits; with 32, texts look the same.
#[cfg(feature = "auth-mode-cert")]
fn is_address(word: &[c_char]) -> bool {
    let mut bytes = [0; size_of::<u64>()];
    bytes.iter_mut().zip(word).for_each(|(byte, c)| *byte = c.to_ne_bytes()[0]);
    cfg!(target_pointer_width = "64") && (0x1000..1 << 48).contains(&u64::from_ne_bytes(bytes))
}

/// How the cloud makes product ids.
fn is_product_id(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The region of that name; an empty one and one that nobody knows mean china.
#[cfg(feature = "abi-3-3")]
pub(super) fn named(function: &'static str, name: &str) -> Region {
    Region::named(name).unwrap_or_else(|| {
        if !name.is_empty() {
            ::log::warn!(target: function, "there is no region {name}: taking {}", Region::default().name());
        }
        Region::default()
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[cfg(all(feature = "auth-mode-cert", target_pointer_width = "64"))]
    #[test]
    fn pointers_in_the_place_of_paths_are_found() {
        let with = |bytes: &[u8]| {
            let mut cert_file = [0; 256];
            cert_file.iter_mut().zip(bytes).for_each(|(c, byte)| *c = c_char::from_ne_bytes([*byte]));
            has_pointers_for_paths("test", &cert_file)
        };
        let words = |first: u64, second: u64| [first.to_ne_bytes(), second.to_ne_bytes()].concat();
        assert!(with(&words(0x0000_5555_6161_6161, 0x0000_7fff_1234_5678)));
        assert!(with(&words(0x0040_4141, 0x0040_4142)), "a program at a fixed place");
        for path in
            [&b""[..], b"a", b"a.crt", b"ab.crt", b"abc.crt", b"abcd.crt", b"certs/abc.crt", b"/etc/certs/abcdefg.crt"]
        {
            assert!(!with(path), "{path:?}");
        }
        assert!(!with(&words(0x0000_5555_6161_6161, 0)), "a path without zeros behind it is one all the same");
    }

    #[cfg(not(feature = "abi-3-3"))]
    #[test]
    fn a_struct_with_a_region_in_front_is_found() {
        let is_mixed = |product_id: Option<&CStr>, device_name: Option<&CStr>| {
            let pointer = |text: Option<&CStr>| text.map_or(std::ptr::null(), CStr::as_ptr);
            let names = Names { product_id: pointer(product_id), device_name: pointer(device_name) };
            // SAFETY: the texts outlive the call.
            unsafe { names.are_of_another_interface("test") }
        };
        for region in [c"china", c"us-east", c"europe", c"ap-bangkok", c""] {
            assert!(is_mixed(Some(region), Some(c"PRODUCTID0")), "{region:?}");
        }
        for (product_id, device_name) in [(c"PRODUCTID0", c"china"), (c"", c"lamp"), (c"mars", c"PRODUCTID0")] {
            assert!(!is_mixed(Some(product_id), Some(device_name)), "{product_id:?}");
        }
        assert!(is_mixed(None, Some(c"PRODUCTID0")));
        assert!(!is_mixed(None, Some(c"lamp")));
        assert!(!is_mixed(None, None));
        assert!(is_mixed(Some(c"china"), None));
        assert!(!is_mixed(Some(c""), None));
    }

    #[cfg(feature = "abi-3-3")]
    fn device(region: Option<&CStr>) -> Result<Identity, c_int> {
        let region = region.map_or(std::ptr::null(), CStr::as_ptr);
        let names = Names { region, product_id: c"PRODUCTID0".as_ptr(), device_name: c"lamp".as_ptr() };
        // SAFETY: the texts outlive the call.
        unsafe { names.device("test") }
    }

    #[cfg(feature = "abi-3-3")]
    #[test]
    fn case_08_a_region_that_is_missing_or_unknown_is_china() {
        for region in [None, Some(c""), Some(c"china"), Some(c"mars"), Some(c"product_id")] {
            assert_eq!(device(region).unwrap().host(), "PRODUCTID0.iotcloud.tencentdevices.com", "{region:?}");
        }
        assert_eq!(device(Some(c"europe")).unwrap().host(), "PRODUCTID0.europe.iothub.tencentdevices.com");
    }

    #[cfg(feature = "abi-3-3")]
    #[test]
    fn a_struct_without_a_region_is_found_before_anything_else_is_read() {
        // What stands behind is no pointer.
        let names = Names {
            region: c"PRODUCTID0".as_ptr(),
            product_id: std::ptr::dangling(),
            device_name: std::ptr::dangling(),
        };
        // SAFETY: the region ends with a NUL, the others must not be looked at.
        assert_eq!(unsafe { names.device("test") }.err(), Some(QCLOUD_ERR_INVAL));
    }
}
