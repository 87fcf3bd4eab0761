//! Where the `Location` of a redirect leads: RFC 3986 section 5.2, with raw bytes, blanks and backslashes taken as
//! browsers take them (WHATWG URL section 4.4).

/// The longest scheme that a message names, in characters: "gopher".
const MAX_SHOWN_SCHEME: usize = 6;

/// A reference that has been resolved.
#[derive(Debug, PartialEq, Eq)]
pub struct Resolved {
    pub tls: bool,
    /// `None`: that of the base.
    pub authority: Option<String>,
    /// Path and query.
    pub target: String,
}

/// Resolves `reference` against a base with this scheme, path and query.
///
/// # Errors
/// Why it leads nowhere, worded to follow the word "url". Never quotes the reference.
pub fn resolve(base_tls: bool, base_target: &str, reference: &[u8]) -> Result<Resolved, String> {
    let text = encoded(reference)?;
    let (scheme, rest) = split_scheme(&text);
    let tls = match scheme {
        None => base_tls,
        Some(scheme) => is_tls(scheme)?,
    };
    if let Some(rest) = rest.strip_prefix("//") {
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = split_query(target);
        let target = joined(&["", path], query)?;
        return Ok(Resolved { tls, authority: Some(authority.to_owned()), target });
    }
    if tls != base_tls {
        return Err("names no host".to_owned());
    }
    // With the base's scheme and without slashes it is as if there were no scheme (RFC 3986 section 5.2.2).
    let (base_path, base_query) = split_query(base_target);
    let (path, query) = split_query(rest);
    let target = if path.is_empty() {
        // The base's path, as it is.
        concatenated(&[base_path, query.or(base_query).unwrap_or_default()])?
    } else if path.starts_with('/') {
        joined(&["", path], query)?
    } else {
        let folder = base_path.rfind('/').and_then(|slash| base_path.get(..=slash)).unwrap_or("/");
        joined(&[folder, path], query)?
    };
    Ok(Resolved { tls, authority: None, target })
}

/// The reference without blanks around it and without its fragment, every byte that no URL may have escaped.
fn encoded(reference: &[u8]) -> Result<String, String> {
    let reference = reference.trim_ascii();
    let reference = reference.split(|byte| *byte == b'#').next().unwrap_or_default();
    let mut text = String::new();
    // An escape has three characters.
    text.try_reserve_exact(reference.len().saturating_mul(3)).map_err(|_| NO_MEMORY.to_owned())?;
    let mut in_query = false;
    for &byte in reference {
        match byte {
            b'\t' | b'\r' | b'\n' => {}
            b'\\' if !in_query => text.push('/'),
            0..=b' ' | 0x7F.. | b'"' | b'<' | b'>' => escape(byte, &mut text),
            b'`' | b'{' | b'}' if !in_query => escape(byte, &mut text),
            _ => {
                in_query |= byte == b'?';
                text.push(char::from(byte));
            }
        }
    }
    Ok(text)
}

/// Longer words before a colon are no scheme.
const LONGEST_SCHEME: usize = 32;

/// Follows the word "url".
pub const NO_MEMORY: &str = "is longer than the memory holds";

fn escape(byte: u8, text: &mut String) {
    text.push('%');
    text.extend(crate::helpers::hex::digits(byte, true).map(char::from));
}

/// Whether `scheme` is https, or else http.
///
/// # Errors
/// It is another one.
pub fn is_tls(scheme: &str) -> Result<bool, String> {
    if scheme.eq_ignore_ascii_case("https") {
        Ok(true)
    } else if scheme.eq_ignore_ascii_case("http") {
        Ok(false)
    } else {
        // What is longer than the schemes that one meets may be something else, such as the name before a password.
        let shown = if scheme.len() <= MAX_SHOWN_SCHEME { format!("{scheme}:") } else { "another scheme".to_owned() };
        Err(format!("begins with {shown}, only http:// and https:// are possible"))
    }
}

/// The scheme, and what is behind its colon.
pub fn split_scheme(text: &str) -> (Option<&str>, &str) {
    let is_scheme = |text: &str| {
        text.len() <= LONGEST_SCHEME
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    };
    match text.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
        _ => (None, text),
    }
}

/// Path, and query with its question mark.
fn split_query(target: &str) -> (&str, Option<&str>) {
    match target.find('?') {
        Some(mark) => (target.get(..mark).unwrap_or_default(), target.get(mark..)),
        None => (target, None),
    }
}

/// The path that `parts` are together, without its dot segments, and the query.
fn joined(parts: &[&str; 2], query: Option<&str>) -> Result<String, String> {
    let path = concatenated(&[parts[0], parts[1]])?;
    let mut target = String::new();
    target.try_reserve(path.len() + 1 + query.map_or(0, str::len)).map_err(|_| NO_MEMORY.to_owned())?;
    remove_dot_segments(&path, &mut target);
    target.push_str(query.unwrap_or_default());
    Ok(target)
}

fn concatenated(parts: &[&str; 2]) -> Result<String, String> {
    let mut text = String::new();
    text.try_reserve_exact(parts[0].len() + parts[1].len()).map_err(|_| NO_MEMORY.to_owned())?;
    text.push_str(parts[0]);
    text.push_str(parts[1]);
    Ok(text)
}

/// RFC 3986 section 5.2.4, for a path that begins with a slash or is empty.
fn remove_dot_segments(path: &str, out: &mut String) {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    out.truncate(out.rfind('/').unwrap_or(0));
                }
                if is_last {
                    out.push('/');
                }
            }
            _ => {
                out.push('/');
                out.push_str(segment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shown as a whole URL.
    fn leads(base_target: &str, reference: &str) -> Result<String, String> {
        resolve(false, base_target, reference.as_bytes()).map(|resolved| {
            let scheme = if resolved.tls { "https" } else { "http" };
            let authority = resolved.authority.unwrap_or_else(|| "a".to_owned());
            format!("{scheme}://{authority}{}", resolved.target)
        })
    }

    /// The table of RFC 3986 section 5.4, as far as its references are http. Fragments are not sent.
    #[test]
    fn the_table_of_rfc_3986() {
        for (reference, expected) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("g?y", "http://a/b/c/g?y"),
            ("#s", "http://a/b/c/d;p?q"),
            ("g#s", "http://a/b/c/g"),
            ("g?y#s", "http://a/b/c/g?y"),
            (";x", "http://a/b/c/;x"),
            ("g;x", "http://a/b/c/g;x"),
            ("g;x?y#s", "http://a/b/c/g;x?y"),
            ("", "http://a/b/c/d;p?q"),
            (".", "http://a/b/c/"),
            ("./", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../..", "http://a/"),
            ("../../", "http://a/"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
            ("../../../../g", "http://a/g"),
            ("/./g", "http://a/g"),
            ("/../g", "http://a/g"),
            ("g.", "http://a/b/c/g."),
            (".g", "http://a/b/c/.g"),
            ("g..", "http://a/b/c/g.."),
            ("..g", "http://a/b/c/..g"),
            ("./../g", "http://a/b/g"),
            ("./g/.", "http://a/b/c/g/"),
            ("g/./h", "http://a/b/c/g/h"),
            ("g/../h", "http://a/b/c/h"),
            ("g;x=1/./y", "http://a/b/c/g;x=1/y"),
            ("g;x=1/../y", "http://a/b/c/y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("g?y/../x", "http://a/b/c/g?y/../x"),
            ("g#s/../x", "http://a/b/c/g"),
            ("http:g", "http://a/b/c/g"),
        ] {
            assert_eq!(leads("/b/c/d;p?q", reference).as_deref(), Ok(expected), "{reference}");
        }
        assert_eq!(
            resolve(false, "/b/c/d;p?q", b"g:h"),
            Err("begins with g:, only http:// and https:// are possible".to_owned())
        );
    }

    /// Case redirect_query_only, and its neighbours.
    #[test]
    fn a_query_keeps_the_path_and_its_dots() {
        for (base, reference, expected) in [
            ("/dir/get", "?sig=abc", "http://a/dir/get?sig=abc"),
            ("/dir/get?id=5", "?sig=abc", "http://a/dir/get?sig=abc"),
            ("/startx/", "?a=b/../c", "http://a/startx/?a=b/../c"),
            ("/dir/get?id=5", "x?y/../z", "http://a/dir/x?y/../z"),
            ("/dir/get?id=a/b/../c", "x", "http://a/dir/x"),
            ("/dir/get", "//host/x", "http://host/x"),
            ("/dir/get", "//host", "http://host"),
            ("/dir/get", "//host?x", "http://host?x"),
            ("/dir/get", "/a//b/./c", "http://a/a//b/c"),
            ("/dir/get", "HTTPS://u:p@H:1/a/../b?c/../d", "https://u:p@H:1/b?c/../d"),
            ("/dir/get", "/x:y", "http://a/x:y"),
            ("/dir/get", "?x:y", "http://a/dir/get?x:y"),
            ("/dir/get", "1:2", "http://a/dir/1:2"),
            ("/a/./b/../get", "?x", "http://a/a/./b/../get?x"),
            ("/", "..", "http://a/"),
            ("/dir/get", "?", "http://a/dir/get?"),
        ] {
            assert_eq!(leads(base, reference).as_deref(), Ok(expected), "{reference}");
        }
    }

    #[test]
    fn what_a_url_may_not_have_is_escaped_as_in_browsers() {
        for (reference, expected) in [
            ("/a b?c d", "http://a/a%20b?c%20d"),
            ("  /f \t", "http://a/f"),
            ("/\u{56fa}?\u{4ef6}", "http://a/%E5%9B%BA?%E4%BB%B6"),
            ("/\"<>`{}?\"<>`{}", "http://a/%22%3C%3E%60%7B%7D?%22%3C%3E`{}"),
            ("/100%?%zz%20", "http://a/100%?%zz%20"),
            ("\\x\\y?a\\b", "http://a/x/y?a\\b"),
            ("http:\\\\h\\x", "http://h/x"),
            ("/a\tb", "http://a/ab"),
        ] {
            assert_eq!(leads("/d/f", reference).as_deref(), Ok(expected), "{reference}");
        }
        assert_eq!(resolve(false, "/", b"/\xb9\xcc").map(|resolved| resolved.target), Ok("/%B9%CC".to_owned()));
    }

    #[test]
    fn what_leads_nowhere_says_why_without_quoting() {
        for reference in ["ftp://h/s3cret", "mailto:s3cret", "javascript:s3cret", "https:s3cret", "https:/s3cret"] {
            let why = resolve(false, "/", reference.as_bytes()).unwrap_err();
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
