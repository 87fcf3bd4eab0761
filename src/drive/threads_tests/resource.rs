//! Downloads and uploads beside each other, with the loop thread on and other threads that look on, until it is closed in the
//! middle of them (resource.md section 6).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::thread;

use iot_engine::services::resource::Direction;

use super::server::{firmware_byte, MD5, SIZE};
use super::{client, events, Event, Machine, Reporter};
use crate::drive::mqtt::Client;
use crate::drive::services::resource::Resource;

/// How many of each must complete before the test ends.
const TRANSFERS: usize = 3;

/// What the threads share.
struct Shared {
    client: Arc<Client>,
    resource: Resource,
    reporter: Reporter,
    over: AtomicBool,
}

impl Shared {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Waits for the task that was asked for. The link may be down meanwhile.
    fn is_begun(&self, direction: Direction) -> bool {
        (0..10).any(|_| {
            let _ = self.client.yield_for(100);
            self.resource.is_started(direction)
        })
    }

    fn download(&self) {
        while !self.is_over() {
            let _ = self.resource.ask_download();
            if self.is_begun(Direction::Download) {
                if self.fetch() {
                    self.reporter.report(Event::Upgraded);
                }
                let _ = self.resource.report_download(None, true);
            }
        }
        self.reporter.report(Event::ThreadEnded);
    }

    fn fetch(&self) -> bool {
        if self.resource.start_download(0).is_err() {
            return false;
        }
        let (mut block, mut count) = ([0; 5000], 0);
        while !self.resource.is_finished(Direction::Download) {
            let Ok(more) = self.resource.fetch(&mut block, 1000) else { return false };
            for (index, byte) in block[..more].iter().enumerate() {
                assert_eq!(*byte, firmware_byte(count + index), "byte {}", count + index);
            }
            count += more;
        }
        assert_eq!(count, SIZE);
        assert_eq!(self.resource.check(Direction::Download), Ok(true));
        true
    }

    fn upload(&self) {
        while !self.is_over() {
            let _ = self.resource.ask_upload("n", i32::try_from(SIZE).unwrap(), MD5);
            if self.is_begun(Direction::Upload) {
                let is_sent = self.send();
                // Without a link there is no answer.
                if self.resource.report_upload(None, is_sent) == Ok(0) && is_sent {
                    self.reporter.report(Event::Answered);
                }
            }
        }
        self.reporter.report(Event::ThreadEnded);
    }

    fn send(&self) -> bool {
        if self.resource.start_upload().is_err() {
            return false;
        }
        let file: Vec<u8> = (0..SIZE).map(firmware_byte).collect();
        let mut left = &file[..];
        while !self.resource.is_finished(Direction::Upload) {
            let piece = &left[..left.len().min(5000)];
            match self.resource.send(piece, 5000) {
                Ok(count) => left = &left[count..],
                Err(_) => return false,
            }
        }
        assert_eq!(self.resource.check(Direction::Upload), Ok(true));
        true
    }

    /// Asks everything that may be asked at any time.
    fn look_on(&self) {
        while !self.is_over() {
            for direction in [Direction::Download, Direction::Upload] {
                assert!(self.resource.count(direction) as usize <= SIZE);
                let _ = (self.resource.task(direction), self.resource.last_error(direction));
                let _ = self.resource.is_finished(direction);
            }
            let _ = self.client.yield_for(40);
        }
        self.reporter.report(Event::ThreadEnded);
    }
}

/// Case 28.
#[test]
fn both_ways_go_at_once_whatever_other_threads_do() {
    let (reporter, mut reports) = events();
    let machine = Arc::new(Machine::new());
    let client = client(&machine, &reporter);
    client.connect().unwrap();
    client.start_loop().unwrap();
    let resource = Resource::new("PRODUCTIDX", "device", client.clone()).unwrap();
    let shared = Arc::new(Shared { client, resource, reporter, over: AtomicBool::new(false) });

    let tasks: [fn(&Shared); 4] = [Shared::download, Shared::upload, Shared::look_on, Shared::look_on];
    let threads = tasks.map(|task| {
        let shared = shared.clone();
        thread::spawn(move || task(&shared))
    });
    reports.wait_for(&[(Event::Upgraded, TRANSFERS), (Event::Answered, TRANSFERS)]);
    // In the middle of whatever is going on.
    shared.resource.destroy();
    shared.client.destroy();
    shared.over.store(true, Ordering::Relaxed);
    reports.wait_for(&[(Event::ThreadEnded, tasks.len())]);
    for thread in threads {
        thread.join().unwrap();
    }
    let shared = Arc::into_inner(shared).expect("somebody still holds the service");
    drop(shared.resource);
    assert_eq!(Arc::strong_count(&shared.client), 1, "somebody still holds the client");
    drop(shared.client);
    machine.join_servers();
}
