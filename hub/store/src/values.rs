//! What goes into statements and comes out of them, whatever the engine.

use super::failed::{Failed, Work};
use hub_core::model::{Problem, ProblemKind, Role, Scope, State};

/// What a statement is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param<'a> {
    /// NULL.
    Null,
    /// Also a boolean, as 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

impl<'a> Param<'a> {
    /// A value as it came out of a column.
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Param::Null,
            Value::Integer(number) => Param::Integer(*number),
            Value::Text(text) => Param::Text(text),
            Value::Blob(bytes) => Param::Blob(bytes),
        }
    }
}

/// What a row has in a column.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    #[default]
    Null,
    /// Also a boolean, as 0 or 1.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

/// A row of an answer.
#[derive(Debug)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// Takes a column's value out; a second time it would be NULL.
    pub fn take<T: FromValue>(&mut self, at: usize) -> Work<T> {
        let value = self.0.get_mut(at).map(std::mem::take).unwrap_or_default();
        T::from_value(value).ok_or_else(|| nonsense(&format!("column {at} is of another kind")))
    }
}

/// The database has what no hub put there.
pub fn nonsense(what: &str) -> Failed {
    let text = format!("The hub's database: it has something that no hub put there ({what}).");
    Problem::new(ProblemKind::Internal, text).into()
}

/// What a column's value can be read as.
pub trait FromValue: Sized {
    /// `None`: it is of another kind.
    fn from_value(value: Value) -> Option<Self>;
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl<'a, T: Into<Param<'a>>> From<Option<T>> for Param<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Param::Null, Into::into)
    }
}

impl<'a> From<&'a str> for Param<'a> {
    fn from(text: &'a str) -> Self {
        Param::Text(text)
    }
}

impl<'a> From<&'a String> for Param<'a> {
    fn from(text: &'a String) -> Self {
        Param::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Param<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Param::Blob(bytes)
    }
}

impl From<bool> for Param<'_> {
    fn from(value: bool) -> Self {
        Param::Integer(value.into())
    }
}

macro_rules! integers {
    ($($kind:ty),+) => {
        $(impl From<$kind> for Param<'_> {
            fn from(number: $kind) -> Self {
                // Later than any time, more than any file has: what is beyond is all the same.
                Param::Integer(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }

        impl FromValue for $kind {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Integer(number) => number.try_into().ok(),
                    _ => None,
                }
            }
        })+
    };
}

integers!(i64, u64, u32, u16, u8);

macro_rules! stored_by_name {
    ($kind:ty: $($value:path = $name:literal),+) => {
        // Under the name that the API has for it.
        impl From<$kind> for Param<'_> {
            fn from(value: $kind) -> Self {
                Param::Text(match value { $($value => $name),+ })
            }
        }

        impl FromValue for $kind {
            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::Text(name) => match name.as_str() {
                        $($name => Some($value),)+
                        _ => None,
                    },
                    _ => None,
                }
            }
        }
    };
}

stored_by_name!(Role: Role::View = "view", Role::Order = "order", Role::Administer = "administer");
stored_by_name!(Scope: Scope::All = "all", Scope::Chosen = "chosen", Scope::Listed = "listed",
    Scope::Tagged = "tagged");
stored_by_name!(State: State::Waiting = "waiting", State::Sent = "sent", State::Downloading = "downloading",
    State::Burning = "burning", State::Done = "done", State::Failed = "failed", State::Cancelled = "cancelled");

/// A list as one parameter: a JSON array.
pub fn json<T: serde::Serialize>(list: &[T]) -> String {
    serde_json::to_string(list).unwrap_or_else(|_| "[]".to_owned())
}

/// Parameters of a statement, of whatever kinds.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::values::Param::from($value)),*]
    };
}
pub(crate) use params;
