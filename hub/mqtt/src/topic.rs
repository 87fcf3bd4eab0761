//! Topic names and filters of MQTT 3.1.1, section 4.7.
//!
//! The codec's own matcher refuses topics that begin with `$`, which are the very topics of this platform.

/// Whether a device may publish to this name.
pub fn is_name(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['+', '#', '\0'])
}

/// Whether this is a well-formed filter: wildcards fill a whole level and `#` is the last one.
pub fn is_filter(filter: &str) -> bool {
    let levels: Vec<&str> = filter.split('/').collect();
    let last = levels.len().saturating_sub(1);
    !filter.is_empty()
        && !filter.contains('\0')
        && levels.iter().enumerate().all(|(at, level)| match *level {
            "+" => true,
            "#" => at == last,
            text => !text.contains(['+', '#']),
        })
}

/// Whether a message published to `topic` goes to a subscription of `filter`.
/// A wildcard at the first level does not match a topic that begins with `$`.
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return false;
    }
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        if wanted == "#" {
            return true;
        }
        match levels.next() {
            Some(level) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching() {
        for (filter, topic, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/c", false),
            ("a/+", "a/b", true),
            ("a/+", "a/b/c", false),
            ("a/+", "a", false),
            ("a/+", "a/", true),
            ("+/+", "/a", true),
            ("a/#", "a", true),
            ("a/#", "a/b/c", true),
            ("#", "a/b", true),
            ("#", "$ota/update/P/d", false),
            ("+/update/P/d", "$ota/update/P/d", false),
            ("$ota/#", "$ota/update/P/d", true),
            ("$ota/report/+/+", "$ota/report/P/d", true),
            ("$ota/update/P/d", "$ota/update/P/d", true),
            ("é/+", "é/b", true),
        ] {
            assert_eq!(matches(filter, topic), expected, "{filter} on {topic}");
        }
    }

    #[test]
    fn filters_and_names() {
        for good in ["a", "#", "+", "a/+/b", "a/#", "/", "$ota/+"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "a#", "#/a", "a+", "a/+b", "a\0"] {
            assert!(!is_filter(bad), "{bad:?}");
        }
        assert!(is_name("$ota/report/P/d"));
        for bad in ["", "a/+", "#", "a\0b"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
