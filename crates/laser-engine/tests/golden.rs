//! Log-probabilities and greedy continuations against transformers, base and reduced.

#[path = "support/golden.rs"]
mod golden;
mod support;

use golden::compare;
use laser_kernels::Cpu;
use support::{families, folder};

/// Every fixture, through the plain forward pass and through the sweep engine, base and reduced.
#[test]
fn every_family_agrees_with_transformers() {
    let families = families();
    assert!(families.len() >= 19, "{families:?}");
    for name in families {
        let agreement = compare(&folder(&name), &Cpu);
        assert!(agreement.wrong.is_empty(), "{name}: {:#?}", agreement.wrong);
        println!("{name}: {} rows, {} edits", agreement.rows, agreement.edits);
    }
}
