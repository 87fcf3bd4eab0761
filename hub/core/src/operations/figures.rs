//! How the hub is, for those who watch over it.

use crate::hub::Hub;
use crate::metrics::Count;
use crate::model::State;
use crate::ports::figures::Orders;
use crate::ports::store::Outcome;
use crate::ports::LinkFigures;

/// How the hub is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The way to the devices.
    pub link: LinkFigures,
    /// Unfinished jobs by state.
    pub open_jobs: Vec<(State, u64)>,
    /// Orders.
    pub orders: Orders,
}

impl Hub {
    /// What was counted since the start.
    pub fn count(&self, count: Count) -> u64 {
        self.events.get(count)
    }

    /// How many of the database's transactions have failed since the start.
    pub fn database_failures(&self) -> u64 {
        self.store.failures()
    }

    /// How many are being told of every change.
    pub fn watchers(&self) -> usize {
        self.changes.receiver_count()
    }

    /// How the hub is now.
    pub fn standing(&self) -> Outcome<Standing> {
        Ok(Standing { link: self.downlink.figures(), open_jobs: self.store.open_jobs()?, orders: self.store.orders()? })
    }

    /// What keeps the hub from serving, for a person; `Ok`: nothing.
    ///
    /// # Errors
    /// What is in the way.
    pub fn health(&self) -> Result<(), &'static str> {
        if self.store.answers().is_err() {
            return Err("the database does not answer");
        }
        if !self.downlink.figures().connected {
            return Err("there is no connection to the broker");
        }
        Ok(())
    }
}
