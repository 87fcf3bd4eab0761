//! Does what a sanitizer must catch: that a build said to be sanitized is. `canary heap|race`

use std::thread::spawn;

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
        _ => {}
    }
}
