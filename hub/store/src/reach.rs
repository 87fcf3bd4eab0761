//! Which devices something is about, for statements on them and on their jobs.

use super::engine::{Dialect, Session};
use super::failed::Work;
use super::values::Param;
use hub_core::model::DeviceFilter;

/// What all texts that begin so come before: none has this character.
pub fn end_of(begin: &str) -> String {
    format!("{begin}\u{10ffff}")
}

/// How the client ids begin of a product's devices whose client id or name begins as `search` does: a client id is the
/// product's id and the name.
pub fn begins(product_id: &str, search: &str) -> Vec<String> {
    if product_id.starts_with(search) {
        return vec![product_id.to_owned()];
    }
    let mut begins = vec![format!("{product_id}{search}")];
    if search.starts_with(product_id) {
        begins.push(search.to_owned());
    }
    begins
}

/// The devices that something is for, as a condition on `devices d`, and its parameters.
#[derive(Clone)]
pub struct Reached<'a> {
    pub condition: String,
    pub params: Vec<Param<'a>>,
}

impl<'a> Reached<'a> {
    /// Those with these client ids, a JSON array.
    pub fn named(dialect: &Dialect, named: &'a str) -> Self {
        Reached { condition: format!("d.client_id IN {}", dialect.texts), params: vec![named.into()] }
    }

    /// Those of a product.
    pub fn of_product(product_id: &'a str) -> Self {
        Reached { condition: "d.product_id = ?1".to_owned(), params: vec![product_id.into()] }
    }

    /// Those of a filter with a product whose client id or device name begins so.
    pub fn found(filter: &'a DeviceFilter, search: &'a str) -> Self {
        let product_id = filter.product.as_deref().unwrap_or_default();
        let mut reached = Reached::of_product(product_id);
        if !product_id.starts_with(search) {
            let at = reached.also(search);
            let begin = |text: &str| format!("substr({text}, 1, length(CAST(?{at} AS TEXT))) = CAST(?{at} AS TEXT)");
            reached.condition += &format!(" AND ({} OR {})", begin("d.client_id"), begin("d.device_name"));
        }
        match filter.version.as_deref() {
            Some("") => reached.condition += " AND d.version IS NULL",
            Some(version) => {
                let at = reached.also(version);
                reached.condition += &format!(" AND d.version = ?{at}");
            }
            None => {}
        }
        reached.with_tag(filter.tag.as_deref());
        reached
    }

    /// Those of a product that an order reaches. `named` and `from` are JSON arrays; `but` is a version that is not reached.
    pub fn by_order(
        dialect: &Dialect,
        product_id: &'a str,
        (named, tag): (Option<&'a String>, Option<&'a str>),
        from: Option<&'a String>,
        but: Option<&'a str>,
    ) -> Self {
        let mut reached = Reached::of_product(product_id);
        if let Some(named) = named {
            let texts = dialect.texts_at(reached.also(named));
            reached.condition += &format!(" AND d.client_id IN {texts}");
        }
        reached.with_tag(tag);
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

    /// Of a product's devices, whose id is the first parameter, only those with this tag.
    fn with_tag(&mut self, tag: Option<&'a str>) {
        if let Some(tag) = tag {
            let at = self.also(tag);
            self.condition += &format!(
                " AND d.client_id IN (SELECT t.client_id FROM device_tags t WHERE t.product_id = ?1 AND t.tag = ?{at})"
            );
        }
    }

    /// How many these are.
    pub fn count(&self, db: &dyn Session) -> Work<u64> {
        let sql = format!("SELECT count(*) FROM devices d WHERE {}", self.condition);
        Ok(db.one(&sql, &self.params, |row| row.take(0))?.unwrap_or_default())
    }

    /// The client ids of so many of them.
    pub fn some(&self, db: &dyn Session, limit: u64) -> Work<Vec<String>> {
        let mut limited = self.clone();
        let limit = limited.also(limit);
        let sql = format!("SELECT d.client_id FROM devices d WHERE {} LIMIT ?{limit}", self.condition);
        db.all(&sql, &limited.params, |row| row.take(0))
    }

    /// One more parameter; returns its number.
    pub fn also(&mut self, param: impl Into<Param<'a>>) -> usize {
        self.params.push(param.into());
        self.params.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_for_client_ids_and_names() {
        assert_eq!(begins("P1", ""), ["P1"]);
        assert_eq!(begins("P1", "P"), ["P1"]);
        assert_eq!(begins("P1", "a"), ["P1a"]);
        assert_eq!(begins("P1", "P1a"), ["P1P1a", "P1a"]);
    }
}
