//! Values by their keys; values and keys by their paths (`LITE_json_*`, behaviour.md section 6).

use super::{Error, Object, Value};

/// How deep objects may lie in each other for [`keys_of`].
pub const MAX_DEPTH: usize = 128;
/// How long a dotted path may become in [`keys_of`], in bytes. Without a limit one long key around many short ones would
/// make the answer much larger than the text.
pub const MAX_PATH: usize = 1024;

/// The values of `keys` in the object that `source` holds, each `None` where its key is missing. Where a key comes twice,
/// its first value counts.
///
/// # Errors
/// `source` is not a JSON object up to its end.
pub fn values<'a, const N: usize>(source: &'a [u8], keys: [&str; N]) -> Result<[Option<Value<'a>>; N], Error> {
    match Object::open(source)?.values(keys) {
        (values, None) => Ok(values),
        (_, Some(error)) => Err(error),
    }
}

impl<'a> Object<'a> {
    /// As [`values`], of what is left of the object: the values up to the first error, and that error.
    pub fn values<const N: usize>(mut self, keys: [&str; N]) -> ([Option<Value<'a>>; N], Option<Error>) {
        let mut values = [None; N];
        let mut read = || {
            while let Some(key) = self.next_key()? {
                let value = self.value()?;
                if let Some(index) = keys.iter().position(|wanted| key.is(wanted.as_bytes())) {
                    values[index].get_or_insert(value);
                }
            }
            Ok(())
        };
        let error = read().err();
        (values, error)
    }
}

/// The source text of the value that [`find`] finds. A string comes without its quotes and with its escapes as they are;
/// everything else as it stands.
///
/// # Errors
/// As [`find`].
pub fn value_of<'a>(source: &'a [u8], path: &[u8]) -> Result<Option<&'a [u8]>, Error> {
    Ok(find(source, path)?.map(|value| value.source()))
}

/// The value at `path`, keys joined by dots: `report.progress.state`. `None` where nothing lies at `path`.
/// Where a key comes twice, its first value counts. Paths don't lead into arrays. What stands behind the value is not
/// looked at: there are documents that are cut off there.
///
/// # Errors
/// `source` is not a JSON object up to the end of the value.
pub fn find<'a>(source: &'a [u8], path: &[u8]) -> Result<Option<Value<'a>>, Error> {
    let mut object = Object::open(source)?;
    let mut wanted = path.split(|byte| *byte == b'.').peekable();
    loop {
        // There is always a next one: after the last, this returns.
        let key = wanted.next().unwrap_or_default();
        let found = loop {
            match object.next_key()? {
                Some(member) if member.is(key) => break true,
                Some(_) => drop(object.value()?),
                None => break false,
            }
        };
        if found && wanted.peek().is_none() {
            return object.value().map(Some);
        }
        match object.enter() {
            Some(inner) if found => object = inner,
            _ => return Ok(None),
        }
    }
}

/// The paths of all keys, in the order of the text: each key, then the keys of the object that it may hold, joined by
/// dots. `prefix`, where it is not empty, goes before each, with a dot. Objects inside arrays are not looked into.
///
/// # Errors
/// `source` is not one JSON object, or too deep, or its paths are too long.
pub fn keys_of(source: &[u8], prefix: &[u8]) -> Result<Vec<Vec<u8>>, Error> {
    let mut paths: Vec<Vec<u8>> = Vec::new();
    // The objects that are open, each with the length of its path.
    let mut open = vec![(Object::open(source)?, prefix.len())];
    let mut path = copied(prefix)?;
    while let Some((object, length)) = open.last_mut() {
        path.truncate(*length);
        let Some(key) = object.next_key()? else {
            // Past the end of an inner object its outer one goes on.
            open.pop();
            continue;
        };
        let key = key.decoded().map_err(|_| object.unreadable_key())?;
        if !path.is_empty() {
            path.push(b'.');
        }
        if path.len() + key.len() > MAX_PATH {
            return Err(Error::Path);
        }
        path.extend_from_slice(&key);
        paths.try_reserve(1).map_err(|_| Error::Memory)?;
        paths.push(copied(&path)?);
        let inner = object.enter();
        object.value()?;
        if let Some(inner) = inner {
            if open.len() == MAX_DEPTH {
                return Err(Error::Depth);
            }
            open.push((inner, path.len()));
        }
    }
    Ok(paths)
}

fn copied(path: &[u8]) -> Result<Vec<u8>, Error> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(path.len()).map_err(|_| Error::Memory)?;
    copy.extend_from_slice(path);
    Ok(copy)
}

/// `value` without any backslash (`LITE_json_string_value_strip_transfer`).
#[must_use]
pub fn without_backslashes(value: &[u8]) -> Vec<u8> {
    value.iter().copied().filter(|byte| *byte != b'\\').collect()
}
