//! A written model, opened and run once before it is put in place.

use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Intervention};
use laser_engine::Editor;
use laser_kernels::Cpu;
use laser_model::Model;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

/// A larger model than this, in bytes of f32, is not run: that would take longer than writing it.
const LARGEST: u64 = 2_000_000_000;

/// How many tokens are run.
const TOKENS: usize = 8;

/// What may differ, relative to the logits' norm: by the order of sums, or by the rounding of what was
/// written and of the factors.
const ROUNDING: f64 = 0.1;

/// Whether the written model can be run in a moment.
pub(crate) fn is_small(checkpoint: &Checkpoint) -> bool {
    let parameters: usize =
        checkpoint.params().iter().map(|&param| checkpoint.shape(param).iter().product::<usize>()).sum();
    (parameters as u64).saturating_mul(4) <= LARGEST
}

/// Runs the model at `path` on a few tokens, and if `edits` are given compares it with the edited `source`.
pub(crate) fn check_logits(
    source: &Checkpoint,
    edits: Option<&[Intervention]>,
    path: &Path,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let written = logits(&Arc::new(Checkpoint::open_as(path, source.custom_architecture())?), &[])?;
    let Some(edits) = edits else { return Ok(()) };
    let expected = logits(&Arc::new(Checkpoint::open_as(source.path(), source.custom_architecture())?), edits)?;
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>().sqrt();
    let change = norm(&mut written.iter().zip(&expected).map(|(&a, &b)| f64::from(a) - f64::from(b)));
    let whole = norm(&mut expected.iter().map(|&value| f64::from(value)));
    if change <= ROUNDING * whole {
        return Ok(());
    }
    Err(format!("its logits differ by {:.1} % from those of the edited model", 100.0 * change / whole).into())
}

fn logits(checkpoint: &Arc<Checkpoint>, edits: &[Intervention]) -> Result<Vec<f32>, Box<dyn Error + Send + Sync>> {
    let model = Model::load(checkpoint, &Cpu, usize::MAX, |_| ())?;
    let model = Editor::new(checkpoint, &model).edit(&Candidate::new(edits.to_vec())?)?;
    let config = checkpoint.config();
    let count = TOKENS.min(config.context_length);
    let tokens: Vec<u32> = (0..count).map(|i| (i * 31 % config.vocab_size) as u32).collect();
    let logits = model.logits(&tokens)?.into_data();
    if logits.iter().all(|logit| logit.is_finite()) { Ok(logits) } else { Err("its logits are not finite".into()) }
}
