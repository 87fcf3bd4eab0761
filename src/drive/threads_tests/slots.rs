//! Upgrades into the other slot that several threads carry on, decide on, look at and end, with the loop thread on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use iot_engine::upgrade::{judge, Phase};

use super::server::SIZE;
use super::{client, events, Event, Machine, Reporter};
use crate::drive::services::upgrade::store::{Store, StoreError};
use crate::drive::services::upgrade::{Event as Told, Plan, Settings, Upgrade};
use crate::hal::sync::Mutex;

/// How many orders must be cancelled, before the next one is let through.
const CANCELLED: usize = 3;

/// Two slots and a record in memory.
struct Memory(Mutex<[Vec<u8>; 4]>);

impl Memory {
    fn new() -> Self {
        Memory(Mutex::new([vec![], vec![0; SIZE], vec![0; 512], vec![0; 512]]))
    }
}

impl Store for Memory {
    fn running(&self) -> Result<u8, StoreError> {
        Ok(0)
    }

    fn open(&self, _: u8, _: u32) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(&self, area: u8, offset: u32, data: &mut [u8]) -> Result<(), StoreError> {
        data.copy_from_slice(&self.0.lock()[usize::from(area)][offset as usize..][..data.len()]);
        Ok(())
    }

    fn write(&self, area: u8, offset: u32, data: &[u8]) -> Result<(), StoreError> {
        self.0.lock()[usize::from(area)][offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }

    fn sync(&self, _: u8) -> Result<(), StoreError> {
        Ok(())
    }

    fn erase(&self, _: u8, _: u32) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&self, _: u8, _: bool) -> Result<(), StoreError> {
        Ok(())
    }

    fn erase_size(&self) -> u32 {
        0
    }
}

/// What the threads share.
struct Shared {
    upgrade: Upgrade,
    reporter: Reporter,
    cancelled: AtomicUsize,
    over: AtomicBool,
}

impl Shared {
    fn until_over(&self, turn: impl Fn()) {
        while !self.over.load(Ordering::Relaxed) {
            turn();
            thread::yield_now();
        }
        self.reporter.report(Event::ThreadEnded);
    }

    fn carry_on(&self) {
        self.until_over(|| {
            self.upgrade.yield_for(50);
        });
    }

    fn decide(&self) {
        self.until_over(|| {
            let _ = (self.upgrade.defer(0), self.upgrade.accept());
        });
    }

    /// Ends orders as soon as bytes are stored, or before that.
    fn cancel(&self) {
        self.until_over(|| {
            if self.cancelled.load(Ordering::Relaxed) < CANCELLED && self.upgrade.cancel().is_ok() {
                self.cancelled.fetch_add(1, Ordering::Relaxed);
                self.reporter.report(Event::Cancelled);
            }
        });
    }

    fn look_on(&self) {
        self.until_over(|| {
            let status = self.upgrade.status();
            assert!(
                status.stored as usize <= SIZE && status.running == 0 && status.phase != Phase::Trial,
                "{status:?}"
            );
            assert!(self.upgrade.confirm().is_err());
        });
    }
}

#[test]
fn one_thread_carries_an_upgrade_on_and_any_may_decide_or_end_it() {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();
    client.start_loop().unwrap();
    let is_told = AtomicBool::new(false);
    let told = {
        let reporter = reporter.clone();
        Box::new(move |event: &Told| {
            assert!(!is_told.swap(true, Ordering::Relaxed), "two threads tell the program");
            if matches!(event, Told::Restart(_)) {
                reporter.report(Event::Upgraded);
            }
            is_told.store(false, Ordering::Relaxed);
        })
    };
    let plan = Plan { is_automatic: false, record_every: 4096, confirm_ms: 0, trial_starts: 1 };
    let version = "1.0.0".to_owned();
    let settings = Settings { version, judge, keys: vec![], minimum: None, may_downgrade: false, plan };
    let upgrade = Upgrade::new(client.clone(), Box::new(Memory::new()), settings, told).unwrap();
    let shared = Arc::new(Shared { upgrade, reporter, cancelled: AtomicUsize::new(0), over: AtomicBool::new(false) });

    let tasks: [fn(&Shared); 6] =
        [Shared::carry_on, Shared::carry_on, Shared::decide, Shared::decide, Shared::cancel, Shared::look_on];
    let threads = tasks.map(|task| {
        let shared = shared.clone();
        thread::spawn(move || task(&shared))
    });
    reports.wait_for(&[(Event::Upgraded, 1), (Event::Cancelled, CANCELLED)]);
    // In the middle of whatever is going on.
    shared.upgrade.destroy();
    client.destroy();
    shared.over.store(true, Ordering::Relaxed);
    reports.wait_for(&[(Event::ThreadEnded, tasks.len())]);
    for thread in threads {
        thread.join().unwrap();
    }
    drop(Arc::into_inner(shared).expect("somebody still holds the upgrade"));
    assert_eq!(Arc::strong_count(&client), 1, "somebody still holds the client");
    drop(client);
    machine.join_servers();
}
