//! Topic names and filters: limits, syntax, matching (MQTT 3.1.1 section 4.7, wire.md section 1).

/// Longest topic in bytes: device name, product id, 64 and 6 more (wire.md section 1).
pub const MAX_TOPIC_LEN: usize = 128;

/// Whether a message on `topic` belongs to `filter`.
///
/// A wildcard in the first level does not match topics that begin with `$` (MQTT 3.1.1, 4.7.2); a filter that
/// itself begins with `$` matches them as any other.
#[must_use]
pub fn matches(topic: &str, filter: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    let mut patterns = filter.split('/');
    loop {
        match (patterns.next(), levels.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some("+"), Some(_)) => {}
            (Some(pattern), Some(level)) if pattern == level => {}
            _ => return false,
        }
    }
}

/// Whether `filter` may be subscribed to: not empty, `#` only as the last level, `+` only as a whole level.
#[must_use]
pub fn is_filter(filter: &str) -> bool {
    if filter.is_empty() || filter.contains('\0') {
        return false;
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let is_last = levels.peek().is_none();
        match level {
            "+" => {}
            "#" if is_last => {}
            _ if level.contains(['+', '#']) => return false,
            _ => {}
        }
    }
    true
}

/// Whether `topic` may be published to: not empty, no wildcards.
#[must_use]
pub fn is_topic(topic: &str) -> bool {
    !topic.is_empty() && !topic.contains(['\0', '+', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matching_follows_the_standard() {
        let cases = [
            ("a/b/c", "a/b/c", true),
            ("a/b/c", "a/b", false),
            ("a/b", "a/b/c", false),
            ("a/b/c", "a/+/c", true),
            ("a/b/c", "a/+", false),
            ("a/b/c", "a/#", true),
            ("a", "a/#", true),
            ("a", "a/+", false),
            ("a/", "a/+", true),
            ("$ota/update/p/d", "$ota/update/p/d", true),
            ("$ota/update/p/d", "$ota/update/+/d", true),
            ("$ota/update/p/d", "$ota/#", true),
            ("$ota/update/p/d", "#", false),
            ("$ota/update/p/d", "+/update/p/d", false),
            ("ü/b", "ü/+", true),
            ("", "#", true),
        ];
        for (topic, filter, expected) in cases {
            assert_eq!(matches(topic, filter), expected, "{topic} against {filter}");
        }
    }

    #[test]
    fn wildcards_only_where_they_may_stand() {
        for filter in ["#", "+", "a/#", "a/+/b", "$ota/+/x"] {
            assert!(is_filter(filter), "{filter}");
        }
        for filter in ["", "a#", "a/#/b", "a/b+", "a+/b", "a\0b"] {
            assert!(!is_filter(filter), "{filter}");
        }
        assert!(is_topic("a/b"));
        for topic in ["", "a/+", "#", "a\0"] {
            assert!(!is_topic(topic), "{topic}");
        }
    }
}
