//! Counts what an engine fails at.

use std::sync::atomic::{AtomicU64, Ordering};

use super::engine::{Engine, Session, Writer};
use super::failed::Work;
use hub_core::model::ProblemKind;
use hub_core::ports::store::Outcome;

/// An engine, and how often it has failed.
pub struct Counted<E> {
    pub(crate) inner: E,
    failures: AtomicU64,
}

impl<E> Counted<E> {
    pub(crate) fn new(inner: E) -> Self {
        Counted { inner, failures: AtomicU64::new(0) }
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn counting<T>(&self, outcome: Outcome<T>) -> Outcome<T> {
        outcome.inspect_err(|problem| {
            // The others are what people and devices ask for in vain.
            if matches!(problem.kind, ProblemKind::Internal | ProblemKind::NoSpace) {
                self.failures.fetch_add(1, Ordering::Relaxed);
            }
        })
    }
}

impl<E: Engine> Engine for Counted<E> {
    fn read<T>(&self, work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        self.counting(self.inner.read(work))
    }

    fn write<T>(&self, writer: Writer<'_>, work: impl FnMut(&dyn Session) -> Work<T>) -> Outcome<T> {
        self.counting(self.inner.write(writer, work))
    }

    fn foreign_changes(&self) -> Outcome<i64> {
        self.counting(self.inner.foreign_changes())
    }

    fn exclusively(&self, work: &mut dyn FnMut()) -> Outcome<()> {
        self.counting(self.inner.exclusively(work))
    }

    fn agree(&self, change: &mut dyn FnMut(&str) -> Option<String>) -> Outcome<()> {
        self.counting(self.inner.agree(change))
    }
}
