//! Weight matrices in the order in which AVX-512 multiplies by them, and `y = x W'`, which nearly
//! all of the time is spent in.
//!
//! A matrix is packed once, when it is loaded or edited, into panels of [`WIDTH`](line::WIDTH)
//! outputs: for each input the panel's weights side by side. A product then reads them as they lie.
//! In f32 every output is the sum over the inputs in their order, by fused multiplications and
//! additions into one sum; in bf16, of which two make up 32 bits, over pairs of inputs. A result
//! therefore depends neither on the rows beside it nor on how the work is cut.

mod factor;
mod line;
#[cfg(target_arch = "x86_64")]
mod micro;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_micro.rs"]
mod micro;
mod packed_matrix;
mod tasks;

pub use factor::Factor;
pub use packed_matrix::PackedMatrix;

use crate::parts::Precision;
use std::sync::OnceLock;

/// Whether there are products of a precision by these kernels: this processor has the instructions, and they are not hidden by
/// `LASER_KERNELS=plain`, with which results are those of a processor without AVX-512.
pub fn available(precision: Precision) -> bool {
    static HIDDEN: OnceLock<bool> = OnceLock::new();
    let hidden = *HIDDEN.get_or_init(|| std::env::var_os("LASER_KERNELS").is_some_and(|value| value == "plain"));
    !hidden && micro::has_instructions(precision)
}
