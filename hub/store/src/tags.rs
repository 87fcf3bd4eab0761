//! The devices' tags, and how many devices have each: to count them would cost all that have them.

use std::collections::BTreeMap;

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::reach::{end_of, Reached};
use super::values::{json, params, Row};
use super::{devices, Records};
use hub_core::devices::MAX_TAGS;
use hub_core::model::{Page, RunningVersion, Tag};
use hub_core::ports::store::Outcome;
use hub_core::ports::tags::{Tagged, Tags};
use hub_core::problems;

impl<E: Engine> Tags for Records<E> {
    fn set_tags(&self, client_id: &str, tags: &[String]) -> Outcome<()> {
        self.engine.write(Writer::People, |db| set(db, client_id, tags))
    }

    fn change_tags(
        &self,
        devices: Tagged<'_>,
        add: &[String],
        remove: &[String],
        named: u64,
    ) -> Outcome<(u64, Vec<String>)> {
        self.engine.write(Writer::People, |db| {
            let client_ids;
            let reached = match devices {
                Tagged::Named(list) => {
                    let known = devices::find_all(db, &list.iter().map(String::as_str).collect::<Vec<_>>())?;
                    if let Some(unknown) = list.iter().find(|id| !known.contains_key(*id)) {
                        return Err(problems::no_device(unknown).into());
                    }
                    client_ids = json(list);
                    Reached::named(db.dialect(), &client_ids)
                }
                Tagged::Found(filter, search) => Reached::found(filter, search),
            };
            let found = reached.some(db, named)?;
            Ok((change(db, &reached, &json(add), &json(remove))?, found))
        })
    }

    fn tags(&self, product_id: &str, page: &Page) -> Outcome<Vec<Tag>> {
        let sql =
            format!("SELECT tag, devices FROM tags WHERE product_id = ?1 AND {} ORDER BY tag LIMIT ?5", from("tag"));
        let entry = |row: &mut Row| Ok(Tag { tag: row.take(0)?, devices: row.take(1)? });
        self.engine.read(|db| listed(db, &sql, product_id, page, entry))
    }

    fn running_versions(&self, product_id: &str, page: &Page) -> Outcome<Vec<RunningVersion>> {
        let sql = format!(
            "SELECT version, count(*) FROM devices WHERE product_id = ?1 AND {} GROUP BY version
             ORDER BY version LIMIT ?5",
            from("version")
        );
        let entry = |row: &mut Row| Ok(RunningVersion { version: row.take(0)?, devices: row.take(1)? });
        self.engine.read(|db| listed(db, &sql, product_id, page, entry))
    }
}

/// The part of a list of texts that a page is from.
fn from(column: &str) -> String {
    format!("{column} >= ?2 AND {column} < ?3 AND {column} <> ?4")
}

fn listed<T>(
    db: &dyn Session,
    sql: &str,
    product_id: &str,
    page: &Page,
    entry: impl Fn(&mut Row) -> Work<T>,
) -> Work<Vec<T>> {
    let after = page.after.as_deref().unwrap_or_default();
    let end = end_of(&page.search);
    db.all(sql, params![product_id, after.max(&page.search), &end, after, page.limit], entry)
}

/// Gives a device these tags and takes all others from it.
pub fn set(db: &dyn Session, client_id: &str, tags: &[String]) -> Work<()> {
    devices::find(db, client_id)?.ok_or_else(|| problems::no_device(client_id))?;
    set_all(db, [(client_id, tags)].into_iter())
}

/// Gives each of these devices its tags and takes all others from it. Those for which the same is to be done are changed
/// together: a list may be long.
pub fn set_all<'a>(db: &dyn Session, given: impl Iterator<Item = (&'a str, &'a [String])>) -> Work<()> {
    let given: Vec<_> = given.collect();
    let mut there = BTreeMap::<String, Vec<String>>::new();
    let sql = format!("SELECT client_id, tag FROM device_tags WHERE client_id IN {}", db.dialect().texts);
    for some in given.chunks(devices::SOME) {
        let client_ids = json(&some.iter().map(|(client_id, _)| client_id).collect::<Vec<_>>());
        for (client_id, tag) in db.all(&sql, params![&client_ids], |row| Ok((row.take(0)?, row.take(1)?)))? {
            there.entry(client_id).or_default().push(tag);
        }
    }
    let none = Vec::new();
    let mut groups = BTreeMap::<(Vec<String>, Vec<String>), Vec<&str>>::new();
    for (client_id, tags) in given {
        let there = there.get(client_id).unwrap_or(&none);
        let lacking = |of: &[String], others: &[String]| -> Vec<String> {
            of.iter().filter(|tag| !others.contains(tag)).cloned().collect()
        };
        groups.entry((lacking(tags, there), lacking(there, tags))).or_default().push(client_id);
    }
    for ((add, remove), client_ids) in groups.iter().filter(|((add, remove), _)| !add.is_empty() || !remove.is_empty())
    {
        let named = json(client_ids);
        change(db, &Reached::named(db.dialect(), &named), &json(add), &json(remove))?;
    }
    Ok(())
}

/// `add` and `remove` are JSON arrays that have no tag in common. Returns how many devices are reached.
fn change(db: &dyn Session, reached: &Reached<'_>, add: &str, remove: &str) -> Work<u64> {
    let condition = &reached.condition;
    let count = reached.count(db)?;
    // What is taken away comes last: it may be what the devices are found by.
    give(db, reached, add)?;
    let mut full = reached.clone();
    let (texts, most) = (db.dialect().texts_at(full.also(remove)), full.also(MAX_TAGS as u64));
    let sql = format!(
        "SELECT d.client_id FROM devices d WHERE {condition} AND (SELECT count(*) FROM device_tags t
         WHERE t.client_id = d.client_id AND t.tag NOT IN {texts}) > ?{most} ORDER BY d.client_id LIMIT 1"
    );
    if let Some(client_id) = db.one(&sql, &full.params, |row| row.take::<String>(0))? {
        return Err(problems::too_many_tags(&client_id).into());
    }
    take(db, reached, remove)?;
    Ok(count)
}

fn give(db: &dyn Session, reached: &Reached<'_>, tags: &str) -> Work<()> {
    let mut reached = reached.clone();
    let texts = db.dialect().texts_at(reached.also(tags));
    let given = format!("FROM devices d CROSS JOIN {texts} AS named WHERE {}", reached.condition);
    // PostgreSQL would read all tags for a NOT EXISTS.
    let sql = format!(
        "INSERT INTO tags (product_id, tag, devices)
         SELECT d.product_id, named.value, count(DISTINCT d.client_id) {given} AND
             (SELECT count(*) FROM device_tags o WHERE o.client_id = d.client_id AND o.tag = named.value) = 0
         GROUP BY d.product_id, named.value
         ON CONFLICT (product_id, tag) DO UPDATE SET devices = tags.devices + excluded.devices"
    );
    db.execute(&sql, &reached.params)?;
    let sql = format!(
        "INSERT INTO device_tags (client_id, product_id, tag)
         SELECT d.client_id, d.product_id, named.value {given} ON CONFLICT (client_id, tag) DO NOTHING"
    );
    db.execute(&sql, &reached.params)?;
    Ok(())
}

fn take(db: &dyn Session, reached: &Reached<'_>, tags: &str) -> Work<()> {
    let mut reached = reached.clone();
    let texts = db.dialect().texts_at(reached.also(tags));
    let those = format!("client_id IN (SELECT d.client_id FROM devices d WHERE {})", reached.condition);
    let sql = format!(
        "UPDATE tags SET devices = devices - (SELECT count(*) FROM device_tags o
             WHERE o.product_id = tags.product_id AND o.tag = tags.tag AND o.{those})
         WHERE tag IN {texts}"
    );
    db.execute(&sql, &reached.params)?;
    db.execute("DELETE FROM tags WHERE devices = 0", &[])?;
    db.execute(&format!("DELETE FROM device_tags WHERE tag IN {texts} AND {those}"), &reached.params)?;
    Ok(())
}
