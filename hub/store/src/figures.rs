//! What the store says of itself.

use super::engine::Engine;
use super::reach::OPEN;
use super::values::{params, Row};
use super::Records;
use hub_core::model::State;
use hub_core::ports::figures::{Figures, Orders};
use hub_core::ports::store::Outcome;

impl<E: Engine> Figures for Records<E> {
    fn answers(&self) -> Outcome<()> {
        self.engine.read(|db| db.one("SELECT CAST(1 AS BIGINT)", &[], |row| row.take::<i64>(0)).map(drop))
    }

    fn open_jobs(&self) -> Outcome<Vec<(State, u64)>> {
        // The second half is the condition of an index, which not every engine concludes from the first.
        let sql = format!("SELECT count(*) FROM jobs WHERE state = ?1 AND {OPEN}");
        self.engine.read(|db| {
            let count =
                |state: State| Ok((state, db.one(&sql, params![state], |row| row.take(0))?.unwrap_or_default()));
            [State::Waiting, State::Sent, State::Downloading, State::Burning].into_iter().map(count).collect()
        })
    }

    fn orders(&self) -> Outcome<Orders> {
        let sql = "SELECT count(*), count(cancelled_at) FROM upgrades";
        let counts = |row: &mut Row| Ok((row.take::<u64>(0)?, row.take::<u64>(1)?));
        let (all, cancelled) = self.engine.read(|db| db.one(sql, &[], counts))?.unwrap_or_default();
        Ok(Orders { given: all.saturating_sub(cancelled), cancelled })
    }

    fn failures(&self) -> u64 {
        self.engine.failures()
    }
}
