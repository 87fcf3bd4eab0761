//! What is abandoned where a program leaves a callback by `longjmp`, over this library's frames.
//!
//! Nothing runs when that happens. So whoever holds something while the program's code runs notes it here, together with
//! the place of its frame on the stack. The next call of the same thread, or the thread's end, finds notes whose frames
//! can't exist any more, and gives back what they held. What such frames own besides (memory) stays lost.

use std::cell::Cell;
use std::sync::Arc;

/// How many notes a thread can have: one for each pump and each log line that waits for the program. More are not noted.
const ROOM: usize = 16;

#[derive(Clone, Copy)]
struct Note {
    /// An address in the frame that holds something. Stacks grow down.
    frame: usize,
    give_back: unsafe fn(*const ()),
    what: *const (),
}

struct Notes {
    count: Cell<usize>,
    all: [Cell<Option<Note>>; ROOM],
}

thread_local! {
    static NOTES: Notes = const { Notes { count: Cell::new(0), all: [const { Cell::new(None) }; ROOM] } };
}

impl Notes {
    fn give_back_below(&self, frame: usize) {
        while let Some(last) = self.count.get().checked_sub(1) {
            let note = self.all.get(last).and_then(Cell::get);
            if note.is_some_and(|note| note.frame >= frame) {
                return;
            }
            self.count.set(last);
            if let Some(note) = note {
                // SAFETY: `hold`'s promise.
                unsafe { (note.give_back)(note.what) };
            }
        }
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.give_back_below(usize::MAX);
    }
}

/// A note, taken back when dropped.
pub struct Holding {
    /// How many notes there were before; `None` where there was no room.
    before: Option<usize>,
}

/// Notes that the caller's frame holds `what` until the result is dropped.
///
/// # Safety
/// `give_back` can be called with `what` on this thread as long as the frame has not ended, and for ever where it is
/// abandoned.
#[must_use]
pub unsafe fn hold(give_back: unsafe fn(*const ()), what: *const ()) -> Holding {
    let here = 0_u8;
    let note = Note { frame: (&raw const here).addr(), give_back, what };
    let before = NOTES.try_with(|notes| {
        let count = notes.count.get();
        let slot = notes.all.get(count)?;
        slot.set(Some(note));
        notes.count.set(count + 1);
        Some(count)
    });
    Holding { before: before.ok().flatten() }
}

/// Something that frames hold while the program's code runs.
pub trait Held: 'static {
    /// The frames that held it were abandoned on this thread.
    fn give_back(&self);
}

/// As [`Holding`], for something that is shared.
pub struct HoldingOf<T> {
    _holding: Holding,
    // Dropped behind the note; kept for ever where the frame is abandoned.
    _what: Arc<T>,
}

/// Notes that the caller's frame holds `what` until the result is dropped.
#[must_use]
pub fn hold_shared<T: Held>(what: &Arc<T>) -> HoldingOf<T> {
    /// # Safety
    /// `what` is a `T`.
    unsafe fn give_back<T: Held>(what: *const ()) {
        // SAFETY: the caller's promise.
        unsafe { &*what.cast::<T>() }.give_back();
    }
    let what = what.clone();
    // SAFETY: the result, or the frame that was abandoned with it, keeps `what` alive.
    HoldingOf { _holding: unsafe { hold(give_back::<T>, Arc::as_ptr(&what).cast()) }, _what: what }
}

impl Drop for Holding {
    fn drop(&mut self) {
        if let Some(before) = self.before {
            // Not reached at a thread's end: notes are taken back by then.
            let _ = NOTES.try_with(|notes| notes.count.set(before.min(notes.count.get())));
        }
    }
}

/// Gives back what frames held that can't exist any more: those below the caller's.
#[inline(never)]
pub fn give_back() {
    let here = 0_u8;
    let _ = NOTES.try_with(|notes| {
        if notes.count.get() > 0 {
            notes.give_back_below((&raw const here).addr());
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    unsafe fn count(what: *const ()) {
        // SAFETY: the tests hand over counters.
        unsafe { &*what.cast::<AtomicUsize>() }.fetch_add(1, Ordering::Relaxed);
    }

    fn hold_counter(counter: &AtomicUsize) -> Holding {
        // SAFETY: the counters outlive their notes.
        unsafe { hold(count, std::ptr::from_ref(counter).cast()) }
    }

    #[inline(never)]
    fn deeper(body: &dyn Fn()) {
        let room = [0_u8; 4096];
        std::hint::black_box(&room);
        body();
        std::hint::black_box(&room);
    }

    #[test]
    fn what_a_live_frame_holds_stays_and_what_an_abandoned_one_held_goes_back() {
        let counter = AtomicUsize::new(0);
        let holding = hold_counter(&counter);
        deeper(&give_back);
        assert_eq!(counter.load(Ordering::Relaxed), 0);
        drop(holding);
        deeper(&|| std::mem::forget(hold_counter(&counter)));
        give_back();
        assert_eq!(counter.load(Ordering::Relaxed), 1);
        give_back();
        assert_eq!(counter.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_thread_that_ends_gives_back_what_it_abandoned() {
        static COUNTER: AtomicUsize = AtomicUsize::new(0);
        std::thread::spawn(|| std::mem::forget(hold_counter(&COUNTER))).join().unwrap();
        assert_eq!(COUNTER.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn more_than_there_is_room_for_is_let_be() {
        let counter = AtomicUsize::new(0);
        let all: Vec<Holding> = (0..ROOM + 3).map(|_| hold_counter(&counter)).collect();
        drop(all);
        give_back();
        assert_eq!(counter.load(Ordering::Relaxed), 0);
    }
}
