//! The documents that a device builds (shadow.md section 2).

use std::fmt::{self, Write};

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Properties as they are.
    Report,
    /// As `Report`, in place of all that was reported before.
    OverwriteReport,
    /// As `Report`, and what was desired is done.
    ReportAndDesireNull,
    /// What was desired is done.
    DesireAllNull,
    /// What is desired of the properties.
    Desire,
}

impl Form {
    fn head(self) -> &'static str {
        match self {
            Form::Report | Form::ReportAndDesireNull => r#"{"state":{"reported":{"#,
            Form::OverwriteReport => r#"{"overwriteUpdate":true, "state":{"reported":{"#,
            Form::DesireAllNull => r#"{"state":{"desired": null"#,
            Form::Desire => r#"{"state":{"desired":{"#,
        }
    }

    /// What stands between the last property and the token.
    fn tail(self) -> &'static str {
        match self {
            Form::Report | Form::OverwriteReport | Form::Desire => r#"}}, "clientToken":""#,
            Form::ReportAndDesireNull => r#"},"desired": null}, "clientToken":""#,
            Form::DesireAllNull => r#"}, "clientToken":""#,
        }
    }
}

/// A property's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `null`: the cloud deletes the property.
    Null,
    /// A whole number.
    Whole(i64),
    /// Any number, written with six decimals.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A string whose `"` and `\` the program has escaped itself.
    Text(&'a [u8]),
    /// JSON as it stands.
    Json(&'a [u8]),
}

/// Why a document is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Document and NUL don't fit into the room.
    NoRoom,
    /// JSON has no infinity and no NaN.
    NotFinite,
    /// No memory.
    Memory,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::NoRoom => "the buffer is too small for the document",
            Fault::NotFinite => "JSON has no infinity and no NaN",
            Fault::Memory => "out of memory",
        })
    }
}

/// A document that grows property by property, up to the room that there is for it.
#[derive(Debug)]
pub struct Document {
    form: Form,
    text: Vec<u8>,
    /// How long the text may become, without its NUL.
    room: usize,
    is_empty: bool,
}

impl Document {
    /// An empty document for a buffer of `size` bytes, of which the last is the NUL's.
    #[must_use]
    pub fn new(form: Form, size: usize) -> Self {
        Document { form, text: Vec::new(), room: size.saturating_sub(1), is_empty: true }
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Writes what stands before the first property.
    ///
    /// # Errors
    /// The room is too small for it; the text holds what fits. So it is for the other functions.
    pub fn begin(&mut self) -> Result<(), Fault> {
        self.put(self.form.head().as_bytes())
    }

    /// Writes a property. Its key stands in the document as it is.
    ///
    /// # Errors
    /// As [`begin`](Self::begin), and where JSON has no such value; nothing is written of it then.
    pub fn property(&mut self, key: &[u8], value: Value<'_>) -> Result<(), Fault> {
        if matches!(value, Value::Number(number) if !number.is_finite()) {
            return Err(Fault::NotFinite);
        }
        if !std::mem::take(&mut self.is_empty) {
            self.put(b",")?;
        }
        self.put(b"\"")?;
        self.put(key)?;
        self.put(b"\":")?;
        match value {
            Value::Null => self.put(b"null"),
            Value::Whole(number) => self.format(format_args!("{number}")),
            Value::Number(number) => self.format(format_args!("{number:.6}")),
            Value::Bool(value) => self.put(if value { b"true" } else { b"false" }),
            Value::Json(json) => self.put(json),
            Value::Text(text) => {
                self.put(b"\"")?;
                self.string(text)?;
                self.put(b"\"")
            }
        }
    }

    /// Ends the document with its token.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn end(&mut self, product_id: &str, number: u32) -> Result<(), Fault> {
        self.put(self.form.tail().as_bytes())?;
        self.format(format_args!("{product_id}-{number}\"}}"))
    }

    /// Raw control characters are escaped, all other bytes stay: the program has seen to them.
    fn string(&mut self, text: &[u8]) -> Result<(), Fault> {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|byte| *byte < 0x20) {
            self.put(&rest[..at])?;
            match rest[at] {
                b'\n' => self.put(b"\\n")?,
                b'\r' => self.put(b"\\r")?,
                b'\t' => self.put(b"\\t")?,
                other => self.format(format_args!("\\u{other:04x}"))?,
            }
            rest = &rest[at + 1..];
        }
        self.put(rest)
    }

    fn format(&mut self, arguments: fmt::Arguments<'_>) -> Result<(), Fault> {
        let mut sink = Sink { document: self, fault: None };
        // The sink's error has no room for its reason.
        let _ = sink.write_fmt(arguments);
        sink.fault.map_or(Ok(()), Err)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let fits = bytes.len().min(self.room - self.text.len());
        self.text.try_reserve(fits).map_err(|_| Fault::Memory)?;
        self.text.extend_from_slice(&bytes[..fits]);
        if fits < bytes.len() {
            return Err(Fault::NoRoom);
        }
        Ok(())
    }
}

struct Sink<'a> {
    document: &'a mut Document,
    fault: Option<Fault>,
}

impl Write for Sink<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.document.put(text.as_bytes()).map_err(|fault| {
            self.fault = Some(fault);
            fmt::Error
        })
    }
}

#[cfg(test)]
mod tests;
