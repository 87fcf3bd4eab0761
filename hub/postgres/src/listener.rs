//! How hubs tell each other that something has changed: NOTIFY, on a connection of its own.
//!
//! Commits that notify wait for each other on the server, so it is told after them, and of many at once.

use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, Notify};
use tokio_postgres::{AsyncMessage, Config, Error};

use super::tls::Tls;

/// No more often than this.
const PAUSE: Duration = Duration::from_millis(100);
/// Until a server that is gone is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// What is heard of other hubs, and told to them.
#[derive(Default)]
pub struct Changes {
    /// Counts what others have changed.
    foreign: AtomicI64,
    /// This hub has changed something.
    own: Notify,
}

impl Changes {
    /// Another number than before means that another hub has changed something.
    pub fn foreign(&self) -> i64 {
        self.foreign.load(Ordering::Relaxed)
    }

    /// Tells the others of a change.
    pub fn tell(&self) {
        self.own.notify_one();
    }

    fn heard(&self) {
        self.foreign.fetch_add(1, Ordering::Relaxed);
    }
}

/// Listens until the runtime ends.
pub async fn listen(config: Config, tls: Tls, name: String, changes: Arc<Changes>) {
    loop {
        // What went wrong is told by those who need an answer.
        let _ = listen_once(&config, &tls, &name, &changes).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen_once(config: &Config, tls: &Tls, name: &str, changes: &Changes) -> Result<(), Error> {
    let (client, mut connection) = config.connect(tls.clone()).await?;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let driver = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                // Where nobody hears, the client is gone, too.
                let _ = sender.send(notification.payload().to_owned());
            }
        }
    });
    client.batch_execute("LISTEN hub").await?;
    // Something may have been missed.
    changes.heard();
    loop {
        tokio::select! {
            payload = heard.recv() => match payload {
                Some(payload) if payload != name => changes.heard(),
                Some(_) => {}
                None => return driver.await.map_or(Ok(()), Ok),
            },
            () = changes.own.notified() => {
                let told = client.batch_execute(&format!("NOTIFY hub, '{name}'")).await;
                if told.is_err() {
                    changes.tell();
                    return told;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
