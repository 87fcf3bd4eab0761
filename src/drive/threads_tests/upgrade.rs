//! One upgrade after the other, with the loop thread on and other threads that look on, cancel and end it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;
use std::thread;

use super::server::{firmware_byte, SIZE};
use super::{client, events, Event, Machine, Reporter};
use crate::drive::mqtt::Client;
use crate::drive::services::ota::Ota;
use crate::drive::services::system_time;

/// How many upgrades must complete, and how many must be cancelled, before the test ends.
const UPGRADES: usize = 3;

/// What the threads share.
struct Shared {
    client: Arc<Client>,
    ota: Ota,
    reporter: Reporter,
    /// How far the present download is.
    fetched: AtomicUsize,
    over: AtomicBool,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Reports the version, which brings the command, and fetches; a few times another thread gets in the way.
    fn upgrade(&self) {
        while !self.is_over() {
            self.fetched.store(0, Ordering::Relaxed);
            let _ = self.ota.report_version("1.0.0");
            for _ in 0..10 {
                if self.ota.is_fetching() {
                    break;
                }
                let _ = self.client.yield_for(100);
            }
            if self.ota.is_fetching() {
                self.reporter.report(if self.fetch() { Event::Upgraded } else { Event::Cancelled });
            }
        }
        self.reporter.report(Event::ThreadEnded);
    }

    /// False when another thread has ended the download.
    fn fetch(&self) -> bool {
        if self.ota.start_download(0, u32::try_from(SIZE).unwrap()).is_err() {
            return false;
        }
        let (mut block, mut count) = ([0; 5000], 0);
        while !self.ota.is_fetch_finished() {
            let Ok(more) = self.ota.fetch(&mut block, 1000) else {
                return false;
            };
            // A report that goes out again after a lost link brings the command again: behind a download that was ended, that is
            // another one, which begins anew.
            let position = self.ota.fetched_size().map(|size| usize::try_from(size).unwrap());
            if position != Ok(count + more) {
                return false;
            }
            for (index, byte) in block[..more].iter().enumerate() {
                assert_eq!(*byte, firmware_byte(count + index), "byte {}", count + index);
            }
            count += more;
            self.fetched.store(count, Ordering::Relaxed);
            let _ = self.client.yield_for(20);
        }
        // Between the last byte and here, too, another thread may have ended it.
        let valid = self.ota.check_firmware();
        assert!(count < SIZE || valid != Ok(false), "the MD5 is wrong after {count} bytes");
        count == SIZE && valid == Ok(true) && self.ota.report_upgrade_success(None).is_ok()
    }

    /// Asks everything that may be asked at any time.
    fn look_on(&self) {
        while !self.is_over() {
            let (fetched, size) = (self.ota.fetched_size(), self.ota.file_size());
            if let (Ok(fetched), Ok(size)) = (fetched, size) {
                assert!(fetched <= size, "{fetched} of {size}");
            }
            let _ = (self.ota.version(), self.ota.md5sum(), self.ota.last_error(), self.ota.is_fetching());
            let _ = self.client.yield_for(40);
        }
        self.reporter.report(Event::ThreadEnded);
    }

    /// Asks for the time, again and again. Without a link there is no answer.
    fn ask_the_time(&self) {
        while !self.is_over() {
            if let Ok(exchanged) = system_time::ask(&self.client) {
                assert_eq!(exchanged.answer.seconds, 1_604_458_421);
            }
            let _ = self.client.yield_for(20);
        }
        self.reporter.report(Event::ThreadEnded);
    }

    /// Ends every other download in the middle.
    fn cancel(&self) {
        let mut number = 0;
        while !self.is_over() {
            let _ = self.client.yield_for(60);
            if self.fetched.load(Ordering::Relaxed) > SIZE / 4 {
                if number % 2 == 0 {
                    let _ = self.ota.report_upgrade_fail(None);
                }
                number += 1;
                while self.fetched.load(Ordering::Relaxed) > SIZE / 4 && !self.is_over() {
                    let _ = self.client.yield_for(60);
                }
            }
        }
        self.reporter.report(Event::ThreadEnded);
    }
}

#[test]
fn upgrades_are_whole_or_cancelled_whatever_other_threads_do() {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();
    client.start_loop().unwrap();
    let ota = Ota::new("PRODUCTIDX", "device", client.clone()).unwrap();
    let shared = Arc::new(Shared { client, ota, reporter, fetched: AtomicUsize::new(0), over: AtomicBool::new(false) });

    let tasks: [fn(&Shared); 6] =
        [Shared::upgrade, Shared::look_on, Shared::look_on, Shared::cancel, Shared::ask_the_time, Shared::ask_the_time];
    let threads = tasks.map(|task| {
        let shared = shared.clone();
        thread::spawn(move || task(&shared))
    });
    reports.wait_for(&[(Event::Upgraded, UPGRADES), (Event::Cancelled, UPGRADES)]);
    // In the middle of whatever is going on.
    shared.ota.destroy();
    shared.client.destroy();
    shared.over.store(true, Ordering::Relaxed);
    reports.wait_for(&[(Event::ThreadEnded, tasks.len())]);
    for thread in threads {
        thread.join().unwrap();
    }
    let shared = Arc::into_inner(shared).expect("somebody still holds the upgrade");
    drop(shared.ota);
    assert_eq!(Arc::strong_count(&shared.client), 1, "somebody still holds the client");
    drop(shared.client);
    machine.join_servers();
}
