//! The two topics of a device (wire.md section 3).

/// Longest product id in bytes.
pub const MAX_PRODUCT_ID_LEN: usize = 10;
/// Longest device name in bytes.
pub const MAX_DEVICE_NAME_LEN: usize = 48;

/// A device's update and report topics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topics {
    /// Subscribed to with QoS 1.
    pub update: String,
    /// Published to.
    pub report: String,
}

impl Topics {
    /// The topics of a device.
    ///
    /// # Errors
    /// Says which name is empty, too long, or can't stand in a topic.
    pub fn new(product_id: &str, device_name: &str) -> Result<Self, String> {
        check("product id", product_id, MAX_PRODUCT_ID_LEN)?;
        check("device name", device_name, MAX_DEVICE_NAME_LEN)?;
        Ok(Topics {
            update: format!("$ota/update/{product_id}/{device_name}"),
            report: format!("$ota/report/{product_id}/{device_name}"),
        })
    }
}

fn check(what: &str, name: &str, limit: usize) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{what} is empty"));
    }
    if name.len() > limit {
        return Err(format!("{what} has {} characters, more than {limit}", name.len()));
    }
    if name.contains(['/', '+', '#', '\0']) {
        return Err(format!("{what} contains a character that a topic level can't hold"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_hold_the_longest_names() {
        let topics = Topics::new("P123456789", &"d".repeat(48)).unwrap();
        assert_eq!(topics.update, format!("$ota/update/P123456789/{}", "d".repeat(48)));
        assert_eq!(topics.report, format!("$ota/report/P123456789/{}", "d".repeat(48)));
    }

    #[test]
    fn what_is_too_long_or_no_name_is_refused() {
        assert_eq!(Topics::new("", "d").unwrap_err(), "product id is empty");
        assert_eq!(Topics::new("P1234567890", "d").unwrap_err(), "product id has 11 characters, more than 10");
        assert_eq!(Topics::new("P", &"d".repeat(49)).unwrap_err(), "device name has 49 characters, more than 48");
        assert!(Topics::new("P", "a/b").is_err());
        assert!(Topics::new("+", "d").is_err());
    }
}
