//! Every row.

mod broker;
mod commands;
mod firmware;
mod packets;
mod tls;
mod websocket;

use crate::row::Row;

/// In the order of the table.
pub fn all() -> Vec<Row> {
    [firmware::rows(), tls::rows(), broker::rows(), packets::rows(), commands::rows(), websocket::rows()].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_the_rows_own() {
        let rows = all();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names.len(), rows.len());
    }
}
