//! When devices were seen last. In a table of its own: it changes often, and the devices' rows and their indices do not.

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use super::values::{json, params, Param};
use super::Records;
use hub_core::model::Problem;
use hub_core::ports::seen::SeenStore;

/// When device `d` was seen.
pub const SEEN: &str = "(SELECT s.at FROM device_seen s WHERE s.client_id = d.client_id)";

/// Of so many or fewer each is looked up. Among more of them, a page comes together in order of client id.
const FEW: u64 = 2000;

impl<E: Engine> SeenStore for Records<E> {
    fn note_seen(&self, seen: &[(String, u64)]) -> Result<(), Problem> {
        // Time and client id in one text: lists of pairs are in other words in each engine. 13 digits last until 2286.
        let texts: Vec<String> = seen.iter().map(|(client_id, at)| format!("{at:013} {client_id}")).collect();
        let texts = json(&texts);
        self.engine.write(Writer::Hub, |db| {
            let sql = format!(
                "INSERT INTO device_seen (client_id, at)
                 SELECT d.client_id, CAST(substr(named.value, 1, 13) AS BIGINT)
                 FROM {} AS named JOIN devices d ON d.client_id = substr(named.value, 15)
                 WHERE d.client_id > '' ORDER BY d.client_id
                 ON CONFLICT (client_id) DO UPDATE SET at = excluded.at WHERE excluded.at > device_seen.at",
                db.dialect().texts
            );
            db.execute(&sql, params![&texts]).map(drop)
        })
    }
}

/// The devices that were seen since a time, as a condition on `devices d`.
pub enum Since {
    Few(String),
    Many(u64),
}

impl Since {
    pub fn at(db: &dyn Session, since: u64) -> Work<Since> {
        let sql = "SELECT s.client_id FROM device_seen s WHERE s.at >= ?1 ORDER BY s.at DESC LIMIT ?2";
        let some: Vec<String> = db.all(sql, params![since, FEW + 1], |row| row.take(0))?;
        Ok(if some.len() as u64 > FEW { Since::Many(since) } else { Since::Few(json(&some)) })
    }

    /// The condition, and its only parameter, which is the one at this place.
    pub fn condition(&self, db: &dyn Session, at: usize) -> (String, Param<'_>) {
        match self {
            Since::Few(ids) => (format!(" AND d.client_id IN {}", db.dialect().texts_at(at)), Param::from(ids)),
            Since::Many(since) => {
                let seen = format!("SELECT 1 FROM device_seen s WHERE s.client_id = d.client_id AND s.at >= ?{at}");
                (format!(" AND EXISTS ({seen})"), Param::from(*since))
            }
        }
    }
}
