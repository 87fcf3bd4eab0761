//! At most so many of something at a time, which are made as they are needed, and waited for beyond that.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What may have become useless meanwhile.
pub trait Kept {
    /// Whether it can be used again.
    fn is_good(&self) -> bool;
}

/// Where they are kept.
pub struct Slots<T> {
    most: usize,
    patience: Duration,
    free: Mutex<Free<T>>,
    freed: Condvar,
}

struct Free<T> {
    kept: Vec<T>,
    /// Kept, used or being made.
    open: usize,
}

/// None became free in time.
#[derive(Debug)]
pub struct AllTaken;

/// The right to one. It is free again when this is dropped, whatever the reason.
struct Slot<'a, T>(Option<&'a Slots<T>>);

impl<T: Kept> Slots<T> {
    /// At most so many; who wants another one waits so long.
    pub fn new(most: usize, patience: Duration) -> Self {
        Slots { most, patience, free: Mutex::new(Free { kept: Vec::new(), open: 0 }), freed: Condvar::new() }
    }

    /// Does `work` with one that is kept, or was made by `make`, and keeps it.
    pub fn with<R, E: From<AllTaken>>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&T) -> Result<R, E>,
    ) -> Result<R, E> {
        let (slot, kept) = self.slot()?;
        let thing = kept.map_or_else(make, Ok)?;
        let outcome = work(&thing);
        slot.keep(thing);
        outcome
    }

    fn slot(&self) -> Result<(Slot<'_, T>, Option<T>), AllTaken> {
        let begin = Instant::now();
        let mut free = self.free();
        loop {
            while let Some(thing) = free.kept.pop() {
                if thing.is_good() {
                    return Ok((Slot(Some(self)), Some(thing)));
                }
                free.open -= 1;
            }
            if free.open < self.most {
                free.open += 1;
                return Ok((Slot(Some(self)), None));
            }
            let left = self.patience.saturating_sub(begin.elapsed());
            if left.is_zero() {
                return Err(AllTaken);
            }
            free = self.freed.wait_timeout(free, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn free(&self) -> MutexGuard<'_, Free<T>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Kept> Slot<'_, T> {
    fn keep(mut self, thing: T) {
        if !thing.is_good() {
            if let Some(slots) = self.0 {
                // What spoilt this one has spoilt the others, too.
                let mut free = slots.free();
                free.open -= free.kept.len();
                free.kept.clear();
            }
            return;
        }
        if let Some(slots) = self.0.take() {
            slots.free().kept.push(thing);
            slots.freed.notify_one();
        }
    }
}

impl<T> Drop for Slot<'_, T> {
    fn drop(&mut self) {
        if let Some(slots) = self.0 {
            slots.free.lock().unwrap_or_else(PoisonError::into_inner).open -= 1;
            slots.freed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, AssertUnwindSafe};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{mpsc, Arc};
    use std::thread;

    use super::*;

    /// A hang is a failure; this is how long it takes to count as one.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// Who is not woken up does not go on by himself.
    const FOREVER: Duration = Duration::from_secs(3600);

    struct Thing {
        alive: Arc<AtomicUsize>,
        is_spoilt: AtomicBool,
    }

    impl Thing {
        fn new(alive: &Arc<AtomicUsize>) -> Self {
            alive.fetch_add(1, Ordering::SeqCst);
            Thing { alive: alive.clone(), is_spoilt: AtomicBool::new(false) }
        }
    }

    impl Drop for Thing {
        fn drop(&mut self) {
            self.alive.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl Kept for Thing {
        fn is_good(&self) -> bool {
            !self.is_spoilt.load(Ordering::SeqCst)
        }
    }

    #[derive(Debug, PartialEq)]
    enum Trouble {
        AllTaken,
        NotMade,
    }

    impl From<AllTaken> for Trouble {
        fn from(AllTaken: AllTaken) -> Self {
            Trouble::AllTaken
        }
    }

    /// How it goes with one that somebody wants.
    #[derive(Clone, Copy, Debug)]
    enum Course {
        Well,
        NotMade,
        Spoilt,
        Panics,
    }

    fn go(slots: &Slots<Thing>, alive: &Arc<AtomicUsize>, course: Course) {
        // Others come to wait meanwhile.
        let make = || {
            thread::yield_now();
            if matches!(course, Course::NotMade) {
                Err(Trouble::NotMade)
            } else {
                Ok(Thing::new(alive))
            }
        };
        let work = |thing: &Thing| {
            assert!(thing.is_good() && alive.load(Ordering::SeqCst) <= slots.most);
            thread::yield_now();
            thing.is_spoilt.store(matches!(course, Course::Spoilt), Ordering::SeqCst);
            if matches!(course, Course::Panics) {
                std::panic::resume_unwind(Box::new("on purpose"));
            }
            Ok(())
        };
        match catch_unwind(AssertUnwindSafe(|| slots.with(make, work))) {
            Ok(outcome) => assert!(outcome.is_ok() || outcome == Err(Trouble::NotMade), "{course:?}: {outcome:?}"),
            Err(_) => assert!(matches!(course, Course::Panics)),
        }
    }

    #[test]
    fn everybody_gets_one_in_the_end_whatever_goes_wrong_with_others() {
        let all = [Course::Well, Course::NotMade, Course::Spoilt, Course::Panics];
        let alone = all.map(|course| vec![course]);
        for courses in alone.into_iter().chain([all.to_vec()]) {
            let (alive, slots) = (Arc::new(AtomicUsize::new(0)), Arc::new(Slots::new(3, FOREVER)));
            let (done, all_done) = mpsc::channel();
            for who in 0..8 {
                let (slots, alive, courses, done) = (slots.clone(), alive.clone(), courses.clone(), done.clone());
                thread::spawn(move || {
                    (0..1000).for_each(|turn| go(&slots, &alive, courses[(turn + who) % courses.len()]));
                    done.send(()).expect("somebody waits");
                });
            }
            for _ in 0..8 {
                assert_eq!(all_done.recv_timeout(PATIENCE), Ok(()), "{courses:?}: somebody waits for ever");
            }
            let free = slots.free();
            assert_eq!((free.open, alive.load(Ordering::SeqCst)), (free.kept.len(), free.kept.len()), "{courses:?}");
        }
    }

    #[test]
    fn where_all_are_taken_one_is_told_so_after_a_while() {
        let (alive, slots) = (Arc::default(), Slots::new(1, Duration::from_millis(1)));
        let make = || Ok::<_, Trouble>(Thing::new(&alive));
        let outcome = slots.with(make, |_| slots.with(make, |_| Ok(())));
        assert_eq!(outcome, Err(Trouble::AllTaken));
        assert_eq!(slots.with(make, |_| Ok(())), Ok(()));
    }

    #[test]
    fn what_spoils_one_spoils_all_that_are_kept() {
        let (alive, slots) = (Arc::default(), Slots::new(3, FOREVER));
        let make = || Ok::<_, Trouble>(Thing::new(&alive));
        slots.with(make, |_| slots.with(make, |_| Ok(()))).expect("two");
        assert_eq!(alive.load(Ordering::SeqCst), 2);
        let spoil = |thing: &Thing| {
            thing.is_spoilt.store(true, Ordering::SeqCst);
            Ok(())
        };
        slots.with(make, spoil).expect("one of them");
        assert_eq!((alive.load(Ordering::SeqCst), slots.free().open), (0, 0));
    }
}
