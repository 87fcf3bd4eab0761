use std::ffi::CString;

use super::*;

fn params(product_id: &CString, device_name: &CString) -> CoAPInitParams {
    // SAFETY: pointers, numbers and characters.
    let mut params: CoAPInitParams = unsafe { std::mem::zeroed() };
    params.product_id = product_id.as_ptr().cast_mut();
    params.device_name = device_name.as_ptr().cast_mut();
    params
}

#[test]
fn case_06_names_that_can_not_be_are_refused_before_anything_is_sent() {
    let (product, device) = (CString::new("PRODUCTIDX").unwrap(), CString::new("device").unwrap());
    let (long_product, long_device) = (CString::new("PRODUCTIDXY").unwrap(), CString::new("d".repeat(49)).unwrap());
    let empty = CString::default();
    for (product, device) in [(&empty, &device), (&product, &empty), (&long_product, &device), (&product, &long_device)]
    {
        // SAFETY: valid parameters.
        assert!(unsafe { IOT_COAP_Construct(&mut params(product, device)) }.is_null(), "{product:?} {device:?}");
    }
    let mut nameless = params(&product, &device);
    nameless.device_name = ptr::null_mut();
    // SAFETY: valid parameters, or NULL.
    unsafe {
        assert!(IOT_COAP_Construct(&mut nameless).is_null());
        assert!(IOT_COAP_Construct(ptr::null_mut()).is_null());
    }
}

#[cfg(not(any(feature = "auth-mode-cert", feature = "auth-with-notls")))]
#[test]
fn case_06_a_secret_that_is_none_is_refused() {
    let (product, device) = (CString::new("PRODUCTIDX").unwrap(), CString::new("device").unwrap());
    for secret in ["", "no base64!", "===="] {
        let secret = CString::new(secret).unwrap();
        let mut params = params(&product, &device);
        params.device_secret = secret.as_ptr().cast_mut();
        // SAFETY: valid parameters.
        assert!(unsafe { IOT_COAP_Construct(&mut params) }.is_null(), "{secret:?}");
    }
    // SAFETY: valid parameters, without a secret.
    assert!(unsafe { IOT_COAP_Construct(&mut params(&product, &device)) }.is_null());
}

#[test]
fn null_and_what_is_no_handle_are_told_of() {
    let mut none = ptr::null_mut();
    let unknown = ptr::without_provenance_mut::<c_void>(4711);
    let (mut payload, mut len) = (ptr::null_mut(), 7);
    // SAFETY: NULL, or valid outputs; handles are looked up.
    unsafe {
        IOT_COAP_Destroy(ptr::null_mut());
        IOT_COAP_Destroy(&mut none);
        for handle in [ptr::null_mut(), unknown] {
            assert_eq!(IOT_COAP_Yield(handle, 0), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_COAP_SendMessage(handle, ptr::null_mut(), ptr::null_mut()), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_COAP_GetMessageId(handle), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_COAP_GetMessageCode(handle), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_COAP_GetMessagePayload(handle, &mut payload, &mut len), QCLOUD_ERR_INVAL);
            assert_eq!(IOT_COAP_GetMessagePayload(handle, ptr::null_mut(), &mut len), QCLOUD_ERR_INVAL);
            assert!(IOT_COAP_GetDeviceInfo(handle).is_null());
        }
    }
    assert_eq!((payload, len), (ptr::null_mut(), 7));
}
