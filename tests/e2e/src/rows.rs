//! The rows of a table, some at a time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Rows at a time: most of the time of each is waiting, and each has a hub of its own.
const THREADS: usize = 4;

/// Runs every row. One that panics fails the test when the others are done.
pub fn each_row<T: Sync>(rows: &[T], run: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    run(row);
                }
            });
        }
    });
}
