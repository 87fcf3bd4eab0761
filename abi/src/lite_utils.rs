//! `lite-utils.h`: text and JSON helpers.

use std::ffi::c_char;

use crate::lite_list::list_head_t;

/// An entry of the list that LITE_json_keys_of makes.
#[repr(C)]
pub struct json_key_t {
    /// The key with its prefix; NULL in the entry that ends the list.
    pub key: *mut c_char,
    /// The entry's place in the list.
    pub list: list_head_t,
}
