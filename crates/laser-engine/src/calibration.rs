//! What goes through a model's matrices on a calibration text, for edits that ask for it.

use crate::error::Result;
use crate::reference_text::HalfText;
use laser_edit::MatrixId;
use laser_kernels::{Differentiable, KvIndices};
use laser_matrix::{Basis, Observed};
use laser_model::{LossTerm, Model, Sample, Streams};
use std::sync::{Arc, Mutex, PoisonError};

/// Who has observed what goes through a model's matrices. It may compute with all threads, so that one thread asks.
pub trait Observer: Sync {
    /// What goes through a matrix of the unedited model, as far as `basis` needs it.
    ///
    /// # Errors
    /// If the model lacks the matrix, or cannot be run.
    fn observe(&self, layer: usize, matrix: MatrixId, basis: Basis) -> Result<Arc<Observed>>;
}

/// A model on the windows of a text. The loss of the gradients is that of the text's own tokens, each predicted from those
/// before it in its window.
///
/// The residual streams are kept, and what goes through the matrices of one layer.
pub struct Calibration<'a, B: Differentiable> {
    model: &'a Model<B>,
    samples: Vec<Sample>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    streams: Option<Streams>,
    layer: Option<OfLayer>,
}

struct OfLayer {
    layer: usize,
    has_gradients: bool,
    observed: Vec<(MatrixId, Arc<Observed>)>,
}

impl<'a, B: Differentiable> Calibration<'a, B> {
    /// Of the unedited `model` on `text`; nothing is computed yet.
    pub fn new(model: &'a Model<B>, text: &HalfText) -> Self {
        let samples = text.windows.iter().map(|window| sample(window, text.special)).collect();
        Self { model, samples, seen: Mutex::default() }
    }

    fn of_layer(&self, seen: &mut Seen, layer: usize, gradients: bool) -> Result<OfLayer> {
        let streams = match seen.streams.take() {
            Some(streams) if streams.have_gradients() || !gradients => streams,
            others => {
                // They make room.
                drop(others);
                self.model.streams(&self.samples, gradients)?
            }
        };
        let config = self.model.config();
        let ids: Vec<MatrixId> = config.matrices.iter().flat_map(|&kind| MatrixId::from(kind).each(config)).collect();
        let observed = self.model.observe(&streams, layer, &ids)?;
        let has_gradients = streams.have_gradients();
        seen.streams = Some(streams);
        Ok(OfLayer {
            layer,
            has_gradients,
            observed: ids.into_iter().zip(observed.into_iter().map(Arc::new)).collect(),
        })
    }
}

impl<B: Differentiable> Observer for Calibration<'_, B> {
    fn observe(&self, layer: usize, matrix: MatrixId, basis: Basis) -> Result<Arc<Observed>> {
        let gradients = basis == Basis::InputsAndGradients;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let of_layer = match seen.layer.take() {
            Some(known) if known.layer == layer && (known.has_gradients || !gradients) => known,
            other => {
                drop(other);
                self.of_layer(&mut seen, layer, gradients)?
            }
        };
        let found = of_layer.observed.iter().find(|(id, _)| *id == matrix).map(|(_, observed)| observed.clone());
        seen.layer = Some(of_layer);
        let missing = || laser_model::Error::Model { why: format!("it has no {matrix}") };
        Ok(found.ok_or_else(missing)?)
    }
}

/// A window, of whose tokens the first `special` and the next one are not predicted.
fn sample(window: &[u32], special: usize) -> Sample {
    let count = window.len() as u32;
    let mut indices = KvIndices::default();
    (0..count).for_each(|row| indices.push((0..=row).collect::<Vec<u32>>()));
    let predicted = window.iter().enumerate().skip(special + 1);
    Sample {
        tokens: window.to_vec(),
        positions: (0..count).collect(),
        indices,
        loss: predicted.map(|(at, &token)| LossTerm { row: at as u32 - 1, token, weight: 1.0 }).collect(),
    }
}
