//! What a number over some examples, or a difference between two models on the same examples, is worth.

mod best_value;
mod bootstrap;
mod clusters;
mod hopeless;
mod interval;
mod label_counts;
mod mcnemar;
mod sign_flip;
mod tango;
mod thresholds;

pub use best_value::best_value_by_chance;
pub use bootstrap::{bootstrap_of, paired_bootstrap};
pub use interval::{Interval, clopper_pearson, wilson, wilson_of_groups};
pub use label_counts::{balanced_accuracy, binary_f1, histogram, macro_f1};
pub use mcnemar::mcnemar_exact;
pub use sign_flip::{ChanceGain, best_by_chance, sign_flip_p};
pub use tango::tango;
pub use thresholds::{calibrated, cross_fitted, fit_offsets, recentred};

/// Fails a test where `got` is off by more than `relative` of what was expected.
#[cfg(test)]
fn close(got: f64, expected: f64, relative: f64) {
    let error = (got - expected).abs();
    assert!(error <= relative * expected.abs(), "{got:e} is not {expected:e}");
}
