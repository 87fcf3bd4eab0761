//! The answer's body: a part of the file, read while it is sent.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::task::{spawn_blocking, JoinHandle};

use hub_core::events::Event;
use hub_core::hub::Hub;
use hub_core::ports::Events;

/// Bytes read from the file at a time; the next read runs while this is sent.
const CHUNK: u64 = 256 * 1024;

/// Tells of the request when the answer is over, one way or the other.
pub struct Ticket {
    hub: Arc<Hub>,
    event: Event,
    expected: u64,
}

impl Ticket {
    /// `event` is an [`Event::Http`] whose byte count is filled in at the end; `expected` is how many are due.
    pub fn new(hub: Arc<Hub>, event: Event, expected: u64) -> Self {
        Ticket { hub, event, expected }
    }

    /// So many more bytes of the body have gone out.
    pub fn add(&mut self, count: u64) {
        if let Event::Http { bytes, .. } = &mut self.event {
            *bytes += count;
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Event::Http { bytes, complete, .. } = &mut self.event {
            *complete = *bytes == self.expected;
        }
        self.hub.emit(&self.event);
    }
}

/// A body.
pub struct Answer {
    source: Source,
    remaining: u64,
    /// `None`: nobody is told.
    ticket: Option<Ticket>,
}

enum Source {
    Text(Bytes),
    Reading(JoinHandle<io::Result<(File, Bytes)>>),
    End,
}

impl Answer {
    /// No body, and nobody is told of the request.
    pub fn untold() -> Self {
        Answer { source: Source::End, remaining: 0, ticket: None }
    }

    /// A body in memory; empty for a HEAD request.
    pub fn text(text: impl Into<Bytes>, ticket: Ticket) -> Self {
        let text = text.into();
        let remaining = text.len() as u64;
        let source = if text.is_empty() { Source::End } else { Source::Text(text) };
        Answer { source, remaining, ticket: Some(ticket) }
    }

    /// `count` bytes of the file from `first` on.
    pub fn file(path: &Path, first: u64, count: u64, ticket: Ticket) -> Self {
        let path = path.to_owned();
        let read = spawn_blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(first))?;
            read_chunk(file, count.min(CHUNK))
        });
        Answer { source: Source::Reading(read), remaining: count, ticket: Some(ticket) }
    }
}

fn read_chunk(mut file: File, count: u64) -> io::Result<(File, Bytes)> {
    let mut chunk = Vec::with_capacity(usize::try_from(count).unwrap_or_default());
    Read::by_ref(&mut file).take(count).read_to_end(&mut chunk)?;
    if chunk.len() as u64 == count {
        Ok((file, chunk.into()))
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the firmware file became shorter"))
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let chunk = match &mut self.source {
            Source::End => return Poll::Ready(None),
            Source::Text(text) => {
                let text = std::mem::take(text);
                self.source = Source::End;
                text
            }
            Source::Reading(read) => {
                let outcome = match Pin::new(read).poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(outcome)) => outcome,
                    Poll::Ready(Err(error)) => Err(io::Error::other(error)),
                };
                match outcome {
                    Err(error) => {
                        self.source = Source::End;
                        return Poll::Ready(Some(Err(error)));
                    }
                    Ok((file, chunk)) => {
                        let left = self.remaining - (chunk.len() as u64).min(self.remaining);
                        self.source = match left.min(CHUNK) {
                            0 => Source::End,
                            next => Source::Reading(spawn_blocking(move || read_chunk(file, next))),
                        };
                        chunk
                    }
                }
            }
        };
        let count = chunk.len() as u64;
        self.remaining -= count.min(self.remaining);
        if let Some(ticket) = &mut self.ticket {
            ticket.add(count);
        }
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::End)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
