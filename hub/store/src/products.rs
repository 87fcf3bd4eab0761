//! The products whose devices may register.

use super::engine::{Engine, Writer};
use super::values::{params, Row};
use super::Records;
use hub_core::model::Product;
use hub_core::ports::products::Products;
use hub_core::ports::store::Outcome;

impl<E: Engine> Products for Records<E> {
    fn products(&self) -> Outcome<Vec<Product>> {
        let product = |row: &mut Row| Ok(Product { product_id: row.take(0)?, registration: row.take(1)? });
        self.engine.read(|db| db.all("SELECT product_id, enabled FROM products ORDER BY product_id", &[], product))
    }

    fn product_secret(&self, product_id: &str) -> Outcome<Option<(String, bool)>> {
        self.engine.read(|db| {
            let sql = "SELECT secret, enabled FROM products WHERE product_id = ?1";
            let found = |row: &mut Row| Ok((row.take(0)?, row.take(1)?));
            db.one(sql, params![product_id], found)
        })
    }

    fn set_registration(
        &self,
        product_id: &str,
        enabled: bool,
        given: Option<&str>,
        make: &mut dyn FnMut() -> Outcome<String>,
    ) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            let sql = "SELECT secret FROM products WHERE product_id = ?1";
            let there: Option<String> = db.one(sql, params![product_id], |row| row.take(0))?;
            let secret = match (given, there) {
                (Some(given), _) => given.to_owned(),
                (None, Some(there)) => there,
                (None, None) => make()?,
            };
            let sql = "INSERT INTO products (product_id, secret, enabled) VALUES (?1, ?2, ?3)
                       ON CONFLICT (product_id) DO UPDATE SET secret = excluded.secret, enabled = excluded.enabled";
            db.execute(sql, params![product_id, &secret, enabled])?;
            Ok(())
        })
    }
}
