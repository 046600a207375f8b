//! What the tests of all crates share.

mod schema_page;

use proptest::test_runner::{Config, RngSeed};
use std::path::Path;

pub use schema_page::SchemaPage;

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

/// That the file at `path` in the repository's `docs/` holds `text`; with the environment variable `LASER_WRITE_DOCS` set it is
/// written first.
///
/// # Panics
/// If it holds something else.
pub fn hold_docs(path: &str, text: &str) {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).join(path);
    if std::env::var_os("LASER_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("a folder for docs");
        std::fs::write(&file, text).expect("docs can be written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == text, "docs/{path} is old: run this test with LASER_WRITE_DOCS=1");
}
