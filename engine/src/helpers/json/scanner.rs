//! The scanner: walks through a text once, checks its grammar (RFC 8259) and says where each member lies.

use super::number::{self, Whole};
use super::text::Text;
use super::Error;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A number.
    Number,
    /// `true` or `false`.
    Bool,
    /// `null`.
    Null,
    /// An object.
    Object,
    /// An array.
    Array,
}

/// A value as it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    kind: Kind,
    source: &'a [u8],
}

impl<'a> Value<'a> {
    /// What the value is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The value's piece of the text. A string comes without its quotes and with its escapes as they are.
    #[must_use]
    pub fn source(&self) -> &'a [u8] {
        self.source
    }

    /// The string; `None` for other values.
    #[must_use]
    pub fn text(&self) -> Option<Text<'a>> {
        (self.kind == Kind::Text).then_some(Text(self.source))
    }

    /// The whole number that a number or a string of digits stands for. `1e3` and `5.0` are whole numbers, too, as some
    /// libraries write them. Beyond 64 bits it is the nearest `i64`. `None` for a fraction and for everything else.
    #[must_use]
    pub fn whole(&self) -> Option<i64> {
        match self.kind {
            Kind::Number => number::whole(self.source, Whole::AnyNotation),
            Kind::Text => number::whole(self.source.trim_ascii(), Whole::Digits),
            _ => None,
        }
    }
}

/// How many open brackets the scanner remembers the kind of. Deeper ones are only counted.
const KNOWN_DEPTH: usize = 1024;

/// The brackets that are open: one bit for each.
struct Open {
    depth: usize,
    objects: [u64; KNOWN_DEPTH / 64],
}

impl Open {
    fn none() -> Self {
        Open { depth: 0, objects: [0; KNOWN_DEPTH / 64] }
    }

    fn is_full(&self) -> bool {
        self.depth == KNOWN_DEPTH
    }

    /// The kind of the innermost bracket: whether it is an object's.
    fn innermost(&self) -> Option<bool> {
        let index = self.depth.checked_sub(1)?;
        Some(self.objects[index / 64] >> (index % 64) & 1 == 1)
    }

    fn push(&mut self, is_object: bool) {
        let (word, bit) = (self.depth / 64, 1_u64 << (self.depth % 64));
        if is_object {
            self.objects[word] |= bit;
        } else {
            self.objects[word] &= !bit;
        }
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.depth -= 1;
    }
}

/// An object on the way through its members: a key ([`next_key`](Self::next_key)), its value ([`value`](Self::value)), and
/// so on. Nothing behind the member that was read last has been looked at.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a> {
    text: &'a [u8],
    at: usize,
    is_first: bool,
}

impl<'a> Object<'a> {
    /// Opens the object that `text` holds.
    ///
    /// # Errors
    /// It begins with something else.
    pub fn open(text: &'a [u8]) -> Result<Self, Error> {
        let mut object = Object { text, at: 0, is_first: true };
        object.skip_blanks();
        object.expect(b'{', "no opening brace")?;
        Ok(object)
    }

    /// The next member's key; `None` at the end of the object. Its value must be read before the next one.
    ///
    /// # Errors
    /// The text is not JSON.
    pub fn next_key(&mut self) -> Result<Option<Text<'a>>, Error> {
        self.skip_blanks();
        let is_first = std::mem::replace(&mut self.is_first, false);
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(None);
        }
        if !is_first {
            self.expect(b',', "no comma between members")?;
        }
        self.key().map(Some)
    }

    /// The value of the key that was read last.
    ///
    /// # Errors
    /// The text is not JSON up to the value's end.
    pub fn value(&mut self) -> Result<Value<'a>, Error> {
        let begin = self.at;
        let kind = match self.peek() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            _ => {
                let kind = self.scalar()?;
                let source = self.piece(begin);
                return Ok(match kind {
                    Kind::Text => Value { kind, source: &source[1..source.len() - 1] },
                    _ => Value { kind, source },
                });
            }
        };
        self.container()?;
        Ok(Value { kind, source: self.piece(begin) })
    }

    /// The members of the value of the key that was read last, where that is an object.
    #[must_use]
    pub fn enter(&self) -> Option<Object<'a>> {
        (self.peek() == Some(b'{')).then(|| Object { text: self.text, at: self.at + 1, is_first: true })
    }

    /// What to say of the key that was read last, where its escapes can't be decoded.
    pub(super) fn unreadable_key(&self) -> Error {
        Error::Syntax("half a character in a key", self.at)
    }

    /// What follows the byte that was read last.
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn piece(&self, begin: usize) -> &'a [u8] {
        &self.text[begin..self.at]
    }

    fn error<T>(&self, what: &'static str) -> Result<T, Error> {
        let what = if self.at < self.text.len() { what } else { "it ends too early" };
        Err(Error::Syntax(what, self.at))
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8, otherwise: &'static str) -> Result<(), Error> {
        if self.peek() != Some(byte) {
            return self.error(otherwise);
        }
        self.at += 1;
        Ok(())
    }

    /// A key with what stands around it, up to its value.
    fn key(&mut self) -> Result<Text<'a>, Error> {
        self.skip_blanks();
        let begin = self.at;
        self.string("no key")?;
        let key = self.piece(begin);
        self.skip_blanks();
        self.expect(b':', "no colon behind a key")?;
        self.skip_blanks();
        Ok(Text(&key[1..key.len() - 1]))
    }

    /// A string with its quotes. Its escapes are checked.
    fn string(&mut self, otherwise: &'static str) -> Result<(), Error> {
        self.expect(b'"', otherwise)?;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(_) => self.at += 1,
                None => return self.error(""),
            }
        }
    }

    /// What follows a backslash.
    fn escape(&mut self) -> Result<(), Error> {
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                self.at += 1;
                for _ in 0..4 {
                    if !self.peek().is_some_and(|digit| digit.is_ascii_hexdigit()) {
                        return self.error("no hex digit in an escape");
                    }
                    self.at += 1;
                }
            }
            _ => return self.error("no such escape"),
        }
        Ok(())
    }

    /// A value that holds no others.
    fn scalar(&mut self) -> Result<Kind, Error> {
        let kind = match self.peek() {
            Some(b'"') => return self.string("").map(|()| Kind::Text),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| Kind::Number),
            Some(b't') => self.word(b"true").map(|()| Kind::Bool),
            Some(b'T') => self.word(b"TRUE").map(|()| Kind::Bool),
            Some(b'f') => self.word(b"false").map(|()| Kind::Bool),
            Some(b'F') => self.word(b"FALSE").map(|()| Kind::Bool),
            Some(b'n') => self.word(b"null").map(|()| Kind::Null),
            Some(b'N') if self.text[self.at..].starts_with(b"NU") => self.word(b"NULL").map(|()| Kind::Null),
            Some(b'N') => self.word(b"NaN").map(|()| Kind::Number),
            Some(b'I') => self.word(b"Infinity").map(|()| Kind::Number),
            _ => self.error("no value"),
        }?;
        match self.peek() {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}') => Ok(kind),
            Some(_) => self.error("something else right behind a value"),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Error> {
        for letter in word {
            self.expect(*letter, "no value")?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'I') => return self.word(b"Infinity"),
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Error> {
        let begin = self.at;
        while self.peek().is_some_and(|digit| digit.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == begin {
            return self.error("no digit in a number");
        }
        Ok(())
    }

    /// An object or array with all that it holds.
    fn container(&mut self) -> Result<(), Error> {
        let mut open = Open::none();
        loop {
            if self.begin_value(&mut open)? && !self.end_values(&mut open)? {
                return Ok(());
            }
        }
    }

    /// Reads a value. Of a container that is not empty, reads only what stands before its first value, and returns false:
    /// that value comes next.
    fn begin_value(&mut self, open: &mut Open) -> Result<bool, Error> {
        let (is_object, end) = match self.peek() {
            Some(b'{') => (true, b'}'),
            Some(b'[') => (false, b']'),
            _ => return self.scalar().map(|_| true),
        };
        if open.is_full() {
            return self.skip_deep().map(|()| true);
        }
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(true);
        }
        open.push(is_object);
        if is_object {
            self.key()?;
        }
        Ok(false)
    }

    /// Closes the brackets that end behind a value. True: another value comes next; false: all are closed.
    fn end_values(&mut self, open: &mut Open) -> Result<bool, Error> {
        while let Some(is_object) = open.innermost() {
            self.skip_blanks();
            match (self.peek(), is_object) {
                (Some(b','), true) => {
                    self.at += 1;
                    return self.key().map(|_| true);
                }
                (Some(b','), false) => {
                    self.at += 1;
                    self.skip_blanks();
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.at += 1;
                    open.pop();
                }
                _ => return self.error("neither a comma nor the right bracket"),
            }
        }
        Ok(false)
    }

    /// An object or array that lies too deep to be checked: strings and brackets are enough to find its end.
    fn skip_deep(&mut self) -> Result<(), Error> {
        let mut depth = 0_usize;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string("")?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth -= 1,
                Some(_) => {}
                None => return self.error(""),
            }
            self.at += 1;
            if depth == 0 {
                return Ok(());
            }
        }
    }
}

/// An array on the way through its items. Nothing behind the item that was read last has been looked at.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a>(Object<'a>);

impl<'a> Items<'a> {
    /// Opens the array that `text` holds.
    ///
    /// # Errors
    /// It begins with something else.
    pub fn open(text: &'a [u8]) -> Result<Self, Error> {
        let mut cursor = Object { text, at: 0, is_first: true };
        cursor.skip_blanks();
        cursor.expect(b'[', "no opening bracket")?;
        Ok(Items(cursor))
    }

    /// The next item; `None` at the end of the array.
    ///
    /// # Errors
    /// The text is not JSON up to the item's end.
    pub fn next_item(&mut self) -> Result<Option<Value<'a>>, Error> {
        let cursor = &mut self.0;
        cursor.skip_blanks();
        let is_first = std::mem::replace(&mut cursor.is_first, false);
        if cursor.peek() == Some(b']') {
            return Ok(None);
        }
        if !is_first {
            cursor.expect(b',', "no comma between items")?;
            cursor.skip_blanks();
        }
        cursor.value().map(Some)
    }
}
