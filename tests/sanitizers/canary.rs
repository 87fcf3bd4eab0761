//! Does what a sanitizer must catch: that a build said to be sanitized is. `canary heap|race`. And what it must not:
//! `canary lock` hands a Mutex from thread to thread, again and again.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::spawn;
use std::time::Duration;

const TURNS: usize = 5_000;

/// Takes the values in turns with other threads, now and then by way of the condition, which hands them over, too.
fn hand_over(values: &Mutex<Vec<usize>>, woken: &Condvar) {
    for turn in 0..TURNS {
        let mut values = values.lock().unwrap();
        if turn % 50 == 0 {
            woken.notify_all();
            values = woken.wait_timeout(values, Duration::from_micros(100)).unwrap().0;
        }
        // Never: run.sh looks for this function in the program.
        if std::hint::black_box(turn) == TURNS {
            values = woken.wait(values).unwrap();
        }
        values.push(turn);
        drop(values);
    }
}

struct Shared(*mut u8);

// SAFETY: none. That is the point.
unsafe impl Send for Shared {}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    let block = Box::into_raw(vec![0_u8; 16].into_boxed_slice()).cast::<u8>();
    match what.as_str() {
        // SAFETY: none.
        "heap" => unsafe { block.add(std::hint::black_box(16)).write_volatile(1) },
        "race" => {
            let writers = [Shared(block), Shared(block)].map(|shared| {
                spawn(move || {
                    let shared = shared;
                    // SAFETY: none.
                    unsafe { shared.0.write_volatile(1) }
                })
            });
            for writer in writers {
                writer.join().unwrap();
            }
        }
        "lock" => {
            let shared = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
            let threads = [0; 4].map(|_| {
                let shared = Arc::clone(&shared);
                spawn(move || hand_over(&shared.0, &shared.1))
            });
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(shared.0.lock().unwrap().len(), 4 * TURNS);
        }
        _ => {}
    }
}
