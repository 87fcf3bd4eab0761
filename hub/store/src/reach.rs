//! Which devices something is about, for statements on them and on their jobs.

use super::engine::{Dialect, Session};
use super::failed::Work;
use super::values::{json, Param};
use hub_core::model::{DeviceFilter, Firmware};
use hub_core::ports::store::NewOrder;

/// Unfinished jobs: the condition of two indices.
pub const OPEN: &str = "state IN ('waiting', 'sent', 'downloading', 'burning')";

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

/// Whether a text begins as parameter `at` says, as a condition.
pub fn begins_with(column: &str, at: usize) -> String {
    format!("substr({column}, 1, length(CAST(?{at} AS TEXT))) = CAST(?{at} AS TEXT)")
}

/// The lists of an order, as JSON: client ids, and versions.
pub struct Lists {
    named: Option<String>,
    from: Option<String>,
}

impl Lists {
    pub fn of(order: &NewOrder<'_>) -> Self {
        let from = order.from_versions;
        Lists { named: order.named.map(json), from: (!from.is_empty()).then(|| json(from)) }
    }
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
            let (id, name) = (begins_with("d.client_id", at), begins_with("d.device_name", at));
            reached.condition += &format!(" AND ({id} OR {name})");
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

    /// Those that an order for this firmware reaches, which has these `lists`.
    pub fn by_order(dialect: &Dialect, firmware: &'a Firmware, order: &NewOrder<'a>, lists: &'a Lists) -> Self {
        let mut reached = Reached::of_product(&firmware.product_id);
        if let Some(named) = &lists.named {
            let texts = dialect.texts_at(reached.also(named));
            reached.condition += &format!(" AND d.client_id IN {texts}");
        }
        reached.with_tag(order.tag);
        if let Some(from) = &lists.from {
            let texts = dialect.texts_at(reached.also(from));
            reached.condition += &format!(" AND d.version IN {texts}");
        } else if !order.whatever_they_run {
            let at = reached.also(&firmware.version);
            reached.condition += &format!(" AND (d.version IS NULL OR d.version <> ?{at})");
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
