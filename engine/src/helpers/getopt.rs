//! Short options as POSIX `getopt` parses them (`utils_getopt`).

/// How far the parse has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The argument to look at; 0 is the program's name.
    index: usize,
    /// The next option character in it, 0 when it was not looked at yet.
    offset: usize,
}

impl Place {
    /// Before the first option.
    pub const START: Place = Place { index: 1, offset: 0 };
}

/// What the next option is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A listed option.
    Option {
        /// Its character.
        character: u8,
        /// Where its argument begins, when it takes one.
        argument: Option<Position>,
    },
    /// An option that is not listed.
    Unknown(u8),
    /// A listed option whose argument is missing.
    MissingArgument(u8),
    /// No more options. The place is back at its start.
    End,
}

/// A byte of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Which argument.
    pub index: usize,
    /// Which byte of it.
    pub offset: usize,
}

/// Whether `options` asks for silence and for `':'` when an argument is missing.
#[must_use]
pub fn is_quiet(options: &[u8]) -> bool {
    options.first() == Some(&b':')
}

/// Finds the next option and moves `place` on. `argument(i)` is the i-th argument, `None` from the end on.
///
/// `options` lists the option characters, each followed by `:` when it takes an argument. Options end at the first
/// argument that is not one, at a lone `-`, and after `--`.
pub fn next<'a>(place: &mut Place, options: &[u8], argument: impl Fn(usize) -> Option<&'a [u8]>) -> Found {
    let Some((current, character)) = current_option(place, &argument) else {
        *place = Place::START;
        return Found::End;
    };
    let index = place.index;
    place.offset += 1;
    let rest = place.offset;
    let last = rest >= current.len();
    if last {
        *place = Place { index: index + 1, offset: 0 };
    }
    let listed = options.iter().position(|&option| option == character && option != b':');
    let Some(listed) = listed else {
        return Found::Unknown(character);
    };
    if options.get(listed + 1) != Some(&b':') {
        return Found::Option { character, argument: None };
    }
    let position = if last { Position { index: index + 1, offset: 0 } } else { Position { index, offset: rest } };
    if argument(position.index).is_none() {
        return Found::MissingArgument(character);
    }
    *place = Place { index: position.index + 1, offset: 0 };
    Found::Option { character, argument: Some(position) }
}

/// The argument at `place` and its next option character.
fn current_option<'a>(place: &mut Place, argument: &impl Fn(usize) -> Option<&'a [u8]>) -> Option<(&'a [u8], u8)> {
    let current = argument(place.index)?;
    if place.offset == 0 {
        if current.len() < 2 || current.first() != Some(&b'-') || current == b"--" {
            return None;
        }
        place.offset = 1;
    }
    // None when the caller began with other arguments in mid-cluster.
    Some((current, *current.get(place.offset)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole parse: option characters with their arguments.
    fn parse(arguments: &[&str], options: &str) -> Vec<String> {
        let mut place = Place::START;
        let mut found = Vec::new();
        let argument = |index: usize| arguments.get(index).map(|text| text.as_bytes());
        loop {
            found.push(match next(&mut place, options.as_bytes(), argument) {
                Found::Option { character, argument: None } => format!("{}", character as char),
                Found::Option { character, argument: Some(at) } => {
                    format!("{}={}", character as char, &arguments[at.index][at.offset..])
                }
                Found::Unknown(character) => format!("?{}", character as char),
                Found::MissingArgument(character) => format!(":{}", character as char),
                Found::End => {
                    assert_eq!(place, Place::START);
                    return found;
                }
            });
            assert!(found.len() < 100);
        }
    }

    #[test]
    fn options_alone_and_in_clusters() {
        assert_eq!(parse(&["p", "-a", "-b"], "ab"), ["a", "b"]);
        assert_eq!(parse(&["p", "-ab", "-c"], "abc"), ["a", "b", "c"]);
        assert_eq!(parse(&["p"], "abc"), [""; 0]);
        assert_eq!(parse(&[], "abc"), [""; 0]);
    }

    #[test]
    fn arguments_joined_or_apart() {
        assert_eq!(parse(&["p", "-ofile", "-o", "file", "-abofile"], "abo:"), ["o=file", "o=file", "a", "b", "o=file"]);
        assert_eq!(parse(&["p", "-o", "-a", "-a"], "ao:"), ["o=-a", "a"]);
        assert_eq!(parse(&["p", "-o", "--", "-a"], "ao:"), ["o=--", "a"]);
        assert_eq!(parse(&["p", "-o", "", "-a"], "ao:"), ["o=", "a"]);
    }

    #[test]
    fn options_end_at_what_is_none() {
        assert_eq!(parse(&["p", "-a", "x", "-b"], "ab"), ["a"]);
        assert_eq!(parse(&["p", "-a", "-", "-b"], "ab"), ["a"]);
        assert_eq!(parse(&["p", "-a", "--", "-b"], "ab"), ["a"]);
        assert_eq!(parse(&["p", "-a", "", "-b"], "ab"), ["a"]);
    }

    #[test]
    fn unknown_options_and_missing_arguments_are_told_apart() {
        assert_eq!(parse(&["p", "-axb", "-o"], "abo:"), ["a", "?x", "b", ":o"]);
        assert_eq!(parse(&["p", "-:", "-a"], ":a"), ["?:", "a"]);
        assert_eq!(parse(&["p", "--long"], "long"), ["?-", "l", "o", "n", "g"]);
    }

    #[test]
    fn a_leading_colon_asks_for_silence() {
        assert!(is_quiet(b":ab"));
        assert!(!is_quiet(b"a:b"));
        assert!(!is_quiet(b""));
    }

    #[test]
    fn other_arguments_in_mid_parse_do_no_harm() {
        let mut place = Place::START;
        let long: [&[u8]; 3] = [b"p", b"-abc", b"-d"];
        let short: [&[u8]; 2] = [b"p", b"-a"];
        assert!(matches!(next(&mut place, b"abcd", |i| long.get(i).copied()), Found::Option { character: b'a', .. }));
        assert!(matches!(next(&mut place, b"abcd", |i| long.get(i).copied()), Found::Option { character: b'b', .. }));
        assert_eq!(next(&mut place, b"abcd", |i| short.get(i).copied()), Found::End);
        assert!(matches!(next(&mut place, b"abcd", |i| short.get(i).copied()), Found::Option { character: b'a', .. }));
    }
}
