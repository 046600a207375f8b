//! What the tests of all crates share.

use proptest::test_runner::{Config, RngSeed};

/// How a property test draws its cases: the same ones each time, so that a test run has one outcome. With the environment
/// variable `LASER_FRESH_SEEDS` set they are new ones. Stands at the head of each `proptest!` block:
/// `#![proptest_config(laser_testing::cases())]`.
pub fn cases() -> Config {
    let default = Config::default();
    // PROPTEST_RNG_SEED has been read already.
    let rng_seed = match default.rng_seed {
        RngSeed::Random if std::env::var_os("LASER_FRESH_SEEDS").is_none() => RngSeed::Fixed(2312),
        seed => seed,
    };
    Config { rng_seed, ..default }
}
