//! The hub's end of the way to devices over somebody else's broker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

use rumqttc::mqttbytes::v4::Publish;
use tokio::sync::mpsc;
use tokio::time::Instant;

use hub_core::ports::{Downlink, LinkFigures};

use super::places::Standing;
use super::turn::Note;

/// The way to the devices.
#[derive(Clone)]
pub struct Client {
    pub(super) queue: mpsc::Sender<Message>,
    pub(super) connected: Arc<AtomicBool>,
    pub(super) standing: Arc<Standing>,
}

/// A message to a device or the hubs.
pub(super) struct Message {
    pub publish: Publish,
    /// The job whose command it is.
    pub job: Option<i64>,
    /// What the hubs are told once the broker has it.
    pub next: Option<Note>,
    /// When somebody looked last whether it is still wanted.
    pub looked_at: Instant,
}

impl Client {
    /// Puts a message into the queue. It is kept until the broker has acknowledged it. False where the queue is full.
    fn publish(&self, publish: Publish, job: Option<i64>) -> bool {
        self.queue.try_send(Message { publish, job, next: None, looked_at: Instant::now() }).is_ok()
    }
}

impl Downlink for Client {
    fn send(&self, message: Publish) -> bool {
        self.publish(message, None)
    }

    fn send_command(&self, message: Publish, job: i64) -> bool {
        self.publish(message, Some(job))
    }

    /// The broker does that.
    fn pass_on(&self, _message: &Publish) {}

    fn is_shared(&self) -> bool {
        true
    }

    fn is_online(&self, _client_id: &str) -> Option<bool> {
        None
    }

    fn may_repeat(&self) -> bool {
        self.standing.may_repeat.load(Ordering::Relaxed)
    }

    fn figures(&self) -> LinkFigures {
        LinkFigures {
            online: None,
            queued: (self.queue.max_capacity() - self.queue.capacity()) as u64,
            hubs: Some(self.standing.members.load(Ordering::Relaxed).count_ones().into()),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }

    /// Only the broker knows.
    fn listens(&self, _client_id: &str, _topic: &str) -> bool {
        true
    }

    fn cut(&self, _client_id: &str) -> std::result::Result<(), String> {
        Err("the connections are another broker's: drop works with the own one only".to_owned())
    }

    fn forget(&self, _client_id: &str) {}

    /// As far as that broker has rights, they are its own.
    fn revoke(&self, _client_id: &str, _is_over: &dyn Fn(&str) -> bool) {}
}
