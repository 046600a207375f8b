//! How much arithmetic the matrix products have done, and how long they took.

use crate::parts::Precision;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The products of one precision.
struct Meter {
    flops: AtomicU64,
    nanoseconds: AtomicU64,
}

static IN_F32: Meter = Meter { flops: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) };
static IN_BF16: Meter = Meter { flops: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) };

/// Some matrix products of one precision, by matrices in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Products {
    /// Floating-point operations, a multiplication and its addition counted as two.
    pub flops: u64,
    /// Time from the start of each product to its end, added up. Where a head's logits are read as
    /// they are made, the reading is in it.
    pub time: Duration,
}

impl Sub for Products {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { flops: self.flops - before.flops, time: self.time - before.time }
    }
}

/// What the matrix products of this process have done so far, in f32 and in bf16.
pub fn products() -> [Products; 2] {
    [&IN_F32, &IN_BF16].map(|meter| Products {
        flops: meter.flops.load(Relaxed),
        time: Duration::from_nanos(meter.nanoseconds.load(Relaxed)),
    })
}

/// Runs a product of `[rows, inputs]` and `[inputs, outputs]`, given as `[rows, inputs, outputs]`,
/// and counts it.
pub(super) fn count<R>(precision: Precision, shape: [usize; 3], product: impl FnOnce() -> R) -> R {
    let meter = match precision {
        Precision::F32 => &IN_F32,
        Precision::Bf16 => &IN_BF16,
    };
    let start = Instant::now();
    let result = product();
    meter.nanoseconds.fetch_add(start.elapsed().as_nanos() as u64, Relaxed);
    meter.flops.fetch_add(2 * shape.iter().product::<usize>() as u64, Relaxed);
    result
}
