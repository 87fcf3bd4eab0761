//! Which devices something is about, for statements on them and on their jobs.

use super::engine::Dialect;
use super::values::Param;

/// What all client ids that begin so come before: no client id has this character.
pub fn end_of(begin: &str) -> String {
    format!("{begin}\u{7f}")
}

/// The devices that an order reaches, as a condition on `devices d`, and its parameters.
pub struct Reached<'a> {
    pub condition: String,
    pub params: Vec<Param<'a>>,
}

impl<'a> Reached<'a> {
    /// `named` and `from` are JSON arrays; `but` is a version that is not reached.
    pub fn new(
        dialect: &Dialect,
        product_id: &'a str,
        named: Option<&'a String>,
        from: Option<&'a String>,
        but: Option<&'a str>,
    ) -> Self {
        let mut reached = Reached { condition: "d.product_id = ?1".to_owned(), params: vec![product_id.into()] };
        if let Some(named) = named {
            let texts = dialect.texts_at(reached.also(named));
            reached.condition += &format!(" AND d.client_id IN {texts}");
        }
        match (from, but) {
            (Some(from), _) => {
                let texts = dialect.texts_at(reached.also(from));
                reached.condition += &format!(" AND d.version IN {texts}");
            }
            (None, Some(but)) => {
                let at = reached.also(but);
                reached.condition += &format!(" AND (d.version IS NULL OR d.version <> ?{at})");
            }
            (None, None) => {}
        }
        reached
    }

    /// One more parameter; returns its number.
    pub fn also(&mut self, param: impl Into<Param<'a>>) -> usize {
        self.params.push(param.into());
        self.params.len()
    }
}
