//! Files that go to devices and come from them.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::values::{params, Param, Row};
use super::Records;
use hub_core::model::{Direction, Resource};
use hub_core::ports::resources::{ResourceReport, ResourceStore};
use hub_core::ports::store::Outcome;

const OPEN: &str = "client_id = ?1 AND direction = ?2 AND state NOT IN ('done', 'fail')";

impl<E: Engine> ResourceStore for Records<E> {
    fn add_resource(&self, resource: &Resource, now: u64) -> Outcome<i64> {
        let Resource { client_id, direction, name, size, md5, state, stored, .. } = resource;
        let sql = "INSERT INTO resources (client_id, direction, name, size, md5, state, stored, created_at, changed_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8) RETURNING id";
        self.engine.write(Writer::Device(client_id), |db| {
            db.insert(sql, params![client_id, direction.word(), name, *size, md5, state, *stored, now])
        })
    }

    fn resource(&self, id: i64) -> Outcome<Option<Resource>> {
        self.engine.read(|db| Ok(find(db, "id = ?1", params![id])?.pop()))
    }

    fn resources(&self, client_id: &str) -> Outcome<Vec<Resource>> {
        self.engine.read(|db| find(db, "client_id = ?1 ORDER BY id DESC", params![client_id]))
    }

    fn open_download(&self, client_id: &str) -> Outcome<Option<Resource>> {
        let condition = format!("{OPEN} ORDER BY id LIMIT 1");
        self.engine.read(|db| Ok(find(db, &condition, params![client_id, Direction::Download.word()])?.pop()))
    }

    fn report_resource(&self, client_id: &str, report: &ResourceReport<'_>, now: u64) -> Outcome<Option<Resource>> {
        let condition = format!("{OPEN} AND name = ?3 ORDER BY id LIMIT 1");
        let sql = "UPDATE resources SET state = ?2, percent = coalesce(?3, percent), result_code = ?4, result_msg = ?5,
                   changed_at = ?6 WHERE id = ?1";
        self.engine.write(Writer::Device(client_id), |db| {
            let params = params![client_id, report.direction.word(), report.name];
            let Some(resource) = find(db, &condition, params)?.pop() else {
                return Ok(None);
            };
            let ResourceReport { state, percent, result_code, result_msg, .. } = report;
            db.execute(sql, params![resource.id, *state, *percent, *result_code, *result_msg, now])?;
            Ok(find(db, "id = ?1", params![resource.id])?.pop())
        })
    }

    fn resource_stored(&self, id: i64, now: u64) -> Outcome<()> {
        self.engine.write(Writer::People, |db| {
            db.execute("UPDATE resources SET stored = ?2, changed_at = ?3 WHERE id = ?1", params![id, true, now])?;
            Ok(())
        })
    }
}

fn find(db: &dyn Session, condition: &str, params: &[Param<'_>]) -> Work<Vec<Resource>> {
    let sql = format!(
        "SELECT id, client_id, direction, name, size, md5, state, percent, result_code, result_msg, stored, created_at,
         changed_at FROM resources WHERE {condition}"
    );
    let read = |row: &mut Row| {
        let direction: String = row.take(2)?;
        let is_upload = direction == Direction::Upload.word();
        Ok(Resource {
            id: row.take(0)?,
            client_id: row.take(1)?,
            direction: if is_upload { Direction::Upload } else { Direction::Download },
            name: row.take(3)?,
            size: row.take(4)?,
            md5: row.take(5)?,
            state: row.take(6)?,
            percent: row.take(7)?,
            result_code: row.take(8)?,
            result_msg: row.take(9)?,
            stored: row.take(10)?,
            created_at: row.take(11)?,
            changed_at: row.take(12)?,
        })
    };
    db.all(&sql, params, read)
}
