//! What several fuzz targets share.

// Brings the `HAL_*` that the library links.
use iot_platform_posix as _;

/// Where a stream is cut: the same places for the same seed.
pub struct Cuts(u32);

impl Cuts {
    /// 0 makes the largest pieces, 1 single bytes, everything else random ones.
    #[must_use]
    pub fn new(seed: u8) -> Self {
        Cuts(u32::from(seed))
    }

    /// The length of the next piece, 1 to `most` (which is at least 1).
    pub fn next(&mut self, most: usize) -> usize {
        match self.0 {
            0 => most,
            1 => 1,
            _ => {
                // A linear congruential generator; its high bits are the good ones.
                self.0 = (self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223)).max(2);
                // Half of the pieces are short: cuts inside headers are the interesting ones.
                let most = if self.0 >> 31 == 0 { most.min(4) } else { most };
                1 + (self.0 >> 8) as usize % most
            }
        }
    }
}

/// Throws away what the library logs.
pub fn silence() {
    unsafe extern "C" fn handled(_line: *const std::ffi::c_char) -> bool {
        true
    }
    iot_sdk::ffi::log::install();
    iot_sdk::ffi::log::IOT_Log_Set_MessageHandler(Some(handled));
}

/// Whether the outermost object names one of the keys that count twice.
#[must_use]
pub fn has_a_key_twice(text: &str) -> bool {
    let mut seen = std::collections::HashSet::new();
    let Ok(mut object) = iot_engine::helpers::json::Object::open(text.as_bytes()) else { return false };
    while let Ok(Some(key)) = object.next_key() {
        if !key.decoded().is_ok_and(|key| seen.insert(key)) {
            return true;
        }
        if object.value().is_err() {
            return false;
        }
    }
    false
}
