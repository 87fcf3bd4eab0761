//! Uses what a Rust library shares with others in one program: allocator, threads, thread locals, panics.

use std::cell::Cell;
use std::collections::HashMap;
use std::panic;
use std::thread;

thread_local! {
    static CALLS: Cell<i64> = const { Cell::new(0) };
}

/// The sum of the numbers below `count`, on four threads.
#[no_mangle]
pub extern "C" fn other_rust_work(count: i64) -> i64 {
    let workers = (0..4).map(|part| {
        thread::spawn(move || {
            let mut numbers = HashMap::new();
            for number in (0..count).filter(|number| number % 4 == part) {
                CALLS.set(CALLS.get() + 1);
                numbers.insert(format!("{number}"), number);
            }
            assert_eq!(CALLS.get(), numbers.len() as i64);
            numbers.values().sum::<i64>()
        })
    });
    workers.collect::<Vec<_>>().into_iter().map(|worker| worker.join().unwrap_or(-1)).sum()
}

/// 1: a panic was raised and caught.
#[no_mangle]
pub extern "C" fn other_rust_panics() -> i32 {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let caught = panic::catch_unwind(|| panic!("{}", String::from("on purpose")));
    panic::set_hook(hook);
    i32::from(caught.is_err() && !thread::panicking())
}
