//! What goes into PostgreSQL's columns and comes out of them.

use std::error::Error;

use hub_store::values::{Param, Value};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

type Outcome<T> = Result<T, Box<dyn Error + Sync + Send>>;

/// A parameter.
#[derive(Debug)]
pub struct Bound<'a>(pub Param<'a>);

impl ToSql for Bound<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Outcome<IsNull> {
        match self.0 {
            Param::Null => Ok(IsNull::Yes),
            Param::Integer(number) => number.to_sql(kind, out),
            // No text has this character here. A device may say it, and would say it again.
            Param::Text(text) if text.contains('\0') => text.replace('\0', "\u{fffd}").to_sql(kind, out),
            Param::Text(text) => text.to_sql(kind, out),
            Param::Blob(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::TEXT, Type::BYTEA, Type::JSON].contains(kind)
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Outcome<IsNull> {
        let fits = match self.0 {
            Param::Null => true,
            Param::Integer(_) => *kind == Type::INT8,
            Param::Text(_) => *kind == Type::TEXT || *kind == Type::JSON,
            Param::Blob(_) => *kind == Type::BYTEA,
        };
        if fits {
            self.to_sql(kind, out)
        } else {
            Err(format!("{:?} is no {kind}", self.0).into())
        }
    }
}

/// What a row has.
pub struct Column(pub Value);

impl FromSql<'_> for Column {
    fn from_sql(kind: &Type, raw: &[u8]) -> Outcome<Self> {
        Ok(Column(match *kind {
            Type::INT8 => Value::Integer(i64::from_sql(kind, raw)?),
            Type::INT4 => Value::Integer(i32::from_sql(kind, raw)?.into()),
            Type::BOOL => Value::Integer(bool::from_sql(kind, raw)?.into()),
            Type::BYTEA => Value::Blob(raw.to_vec()),
            _ => Value::Text(String::from_sql(kind, raw)?),
        }))
    }

    fn from_sql_null(_kind: &Type) -> Outcome<Self> {
        Ok(Column(Value::Null))
    }

    fn accepts(kind: &Type) -> bool {
        [Type::INT8, Type::INT4, Type::BOOL, Type::BYTEA, Type::TEXT].contains(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_column_takes_is_an_error() {
        let mut out = BytesMut::new();
        assert!(Bound(Param::Integer(1)).to_sql_checked(&Type::TEXT, &mut out).is_err());
        assert!(Bound(Param::Text("a")).to_sql_checked(&Type::BYTEA, &mut out).is_err());
        assert!(out.is_empty());
        assert!(Bound(Param::Text("a\0b")).to_sql_checked(&Type::TEXT, &mut out).is_ok());
        assert_eq!(&out[..], "a\u{fffd}b".as_bytes());
    }
}
