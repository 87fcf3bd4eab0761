//! What the hub counts of what happens. Nothing that a device says becomes a name here: there are as many counts as this
//! file has, whatever comes in.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

use crate::events::Event;
use crate::ports::Events;

/// What is counted since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Connections that devices were let in by.
    Connected,
    /// Connections that were refused.
    Refused,
    /// Messages of devices.
    Messages,
    /// Reports of a running version.
    Version,
    /// Reports of a download that goes on.
    Downloading,
    /// Reports of firmware that is being written.
    Burning,
    /// Reports of an upgrade that is done.
    Done,
    /// Reports of one that has failed.
    Failed,
    /// Reports of a state that the platform has no name for.
    Other,
    /// Update commands that went out.
    Commands,
    /// Jobs that were claimed from the database.
    Claims,
    /// Answers of the firmware servers that went out whole.
    Downloads,
    /// Such answers that were cut.
    CutDownloads,
    /// Requests that those servers have refused.
    RefusedRequests,
    /// Bytes that went out in all answers of those servers.
    Bytes,
    /// Warnings.
    Warnings,
}

/// How many counts there are.
const COUNTS: usize = Count::Warnings as usize + 1;

/// Passes events on, and counts them.
pub(crate) struct Meter {
    events: Arc<dyn Events>,
    counts: [AtomicU64; COUNTS],
}

impl Meter {
    pub fn new(events: Arc<dyn Events>) -> Self {
        Meter { events, counts: [const { AtomicU64::new(0) }; COUNTS] }
    }

    pub fn emit(&self, event: &Event) {
        if let Some(count) = counted(event) {
            self.add(count, 1);
        }
        if let Event::Http { bytes, .. } = event {
            self.add(Count::Bytes, *bytes);
        }
        self.events.emit(event);
    }

    pub fn add(&self, count: Count, number: u64) {
        if let Some(counter) = self.counts.get(count as usize) {
            counter.fetch_add(number, Ordering::Relaxed);
        }
    }

    pub fn get(&self, count: Count) -> u64 {
        self.counts.get(count as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

/// What an event counts as.
fn counted(event: &Event) -> Option<Count> {
    Some(match event {
        Event::Connected { .. } | Event::Admitted { .. } => Count::Connected,
        Event::Refused { .. } => Count::Refused,
        Event::Message { .. } => Count::Messages,
        Event::Version { .. } => Count::Version,
        Event::Ordered { .. } => Count::Commands,
        Event::Upgrade { state, .. } => match state.as_str() {
            "downloading" => Count::Downloading,
            "burning" => Count::Burning,
            "done" => Count::Done,
            "fail" => Count::Failed,
            _ => Count::Other,
        },
        Event::Http { status: 200 | 206, complete: true, .. } => Count::Downloads,
        Event::Http { status: 200 | 206, .. } => Count::CutDownloads,
        Event::Http { .. } => Count::RefusedRequests,
        Event::Warning { .. } => Count::Warnings,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Seen(Mutex<usize>);

    impl Events for Seen {
        fn emit(&self, _event: &Event) {
            *self.0.lock().expect("seen") += 1;
        }
    }

    fn upgrade(state: &str) -> Event {
        Event::Upgrade {
            client_id: String::new(),
            version: String::new(),
            state: state.to_owned(),
            percent: None,
            result_code: None,
            result_msg: None,
        }
    }

    fn http(status: u16, bytes: u64, complete: bool) -> Event {
        Event::Http {
            method: "GET".to_owned(),
            target: "/".to_owned(),
            range: None,
            if_range: None,
            accept_encoding: None,
            status,
            bytes,
            complete,
            reason: None,
        }
    }

    #[test]
    fn events_are_counted_and_passed_on() {
        let seen = Arc::new(Seen::default());
        let meter = Meter::new(seen.clone());
        let events = [
            upgrade("done"),
            upgrade("fail"),
            upgrade("done"),
            upgrade("a state of\nits own"),
            http(200, 70, true),
            http(206, 7, false),
            http(403, 0, true),
            Event::Note { text: String::new() },
        ];
        events.iter().for_each(|event| meter.emit(event));
        meter.add(Count::Claims, 5);
        let expected = [
            (Count::Done, 2),
            (Count::Failed, 1),
            (Count::Other, 1),
            (Count::Downloading, 0),
            (Count::Downloads, 1),
            (Count::CutDownloads, 1),
            (Count::RefusedRequests, 1),
            (Count::Bytes, 77),
            (Count::Claims, 5),
        ];
        for (count, number) in expected {
            assert_eq!(meter.get(count), number, "{count:?}");
        }
        assert_eq!(*seen.0.lock().expect("seen"), events.len());
    }
}
