//! Trains the demo model and writes it with its task:
//!
//!     cargo run --release -p laser-rank --example train-demo-model -- crates/laser/assets/demo
//!
//! The task is noisy in-context recall (Chen, Bruna, Bietti, arXiv 2406.03068). Characters follow the bigrams of our own
//! `facts` task; after each trigger character comes the sequence's own random target or, half of the time in training, one
//! fixed noise character. Attention learns to recall the target and the feed-forward weights memorise the noise, so that
//! reducing the right feed-forward matrix leaves the recall. Test sequences have no noise.
//!
//! A text is its characters with spaces between, the space itself written `_`; each character is one token.
//!
//! Weights and data come from one seeded generator, and every sum is taken in a fixed order: the same kind of machine makes
//! the same files again, byte for byte. Then the table of what each reduction does to the accuracy goes to stderr. An
//! optional second argument is the number of steps.
//!
//! The program runs two threads of its own; `CANDLE_NUM_THREADS=1 RAYON_NUM_THREADS=1` keeps candle from adding more that
//! spin, and with glibc `MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=8589934592` keeps memory from being
//! given back at each step: two minutes on two cores. Neither changes a byte.

mod files;
mod language;
mod model;
mod settings;
mod training;

use anyhow::{Context, Result};
use files::{write_checkpoint, write_task};
use language::{Language, SplitMix64};
use settings::{CORPUS, SEED, STEPS, TEST_EXAMPLES};
use std::path::PathBuf;
use std::{env, fs};
use training::{report, train};

fn main() -> Result<()> {
    let mut args = env::args().skip(1);
    let out = PathBuf::from(args.next().context("usage: train-demo-model OUT [STEPS]")?);
    let steps = args.next().map_or(Ok(STEPS), |s| s.parse())?;

    let mut rng = SplitMix64(SEED);
    let language = Language::count(CORPUS)?;
    let model = train(&language, &mut rng, steps)?;
    let examples: Vec<_> = (0..TEST_EXAMPLES).map(|_| language.example(&mut rng)).collect();

    fs::create_dir_all(&out)?;
    write_checkpoint(&out, &language, &model)?;
    write_task(&out, &language, &examples)?;
    report(&model, &examples)
}
