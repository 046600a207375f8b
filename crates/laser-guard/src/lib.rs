//! Borders to what comes from outside: libraries that panic on damaged input, paths that are not files, sizes without end, and
//! names that do not exist.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod files;
mod input_limits;
mod near_miss;

pub use files::{open_file, read_file, read_text};
pub use input_limits::{LIMITS, check_limits, how_to_raise, raised, raised_size};
pub use near_miss::{did_you_mean, nearest};

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
};

thread_local! {
    static GUARDED: Cell<usize> = const { Cell::new(0) };
}

/// Whether a panic of this thread would be caught and become an error: a program's panic hook need not show it.
pub fn panics_are_caught() -> bool {
    GUARDED.try_with(Cell::get).is_ok_and(|depth| depth > 0)
}

/// What a library gives, or none if it panics. What `work` changes must not be used after that.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let _guarded = Guarded::new();
    catch_unwind(AssertUnwindSafe(work)).ok()
}

struct Guarded;

impl Guarded {
    fn new() -> Self {
        GUARDED.set(GUARDED.get() + 1);
        Self
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        GUARDED.set(GUARDED.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_none() {
        assert!(!panics_are_caught());
        let nested = caught(|| (caught(|| "abc"[5..].len()), panics_are_caught()));
        assert_eq!(nested, Some((None, true)));
        assert!(!panics_are_caught());
    }
}
