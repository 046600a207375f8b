//! How much arithmetic the matrix products have done, and how long they took.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

static FLOPS: AtomicU64 = AtomicU64::new(0);
static NANOSECONDS: AtomicU64 = AtomicU64::new(0);

/// The matrix products of this process so far, of all threads together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Products {
    /// Floating-point operations, a multiplication and its addition counted as two.
    pub flops: u64,
    /// Time from the start of each product to its end, added up.
    pub time: Duration,
}

/// What the matrix products have done since the process started.
pub fn products() -> Products {
    Products { flops: FLOPS.load(Relaxed), time: Duration::from_nanos(NANOSECONDS.load(Relaxed)) }
}

/// Runs a product of `[rows, inputs]` and `[inputs, outputs]`, and counts it.
pub(super) fn count<R>(rows: usize, inputs: usize, outputs: usize, product: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = product();
    NANOSECONDS.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
    FLOPS.fetch_add(2 * (rows * inputs * outputs) as u64, Relaxed);
    result
}
