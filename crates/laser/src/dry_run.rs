//! What a search would take, before it is started.

use crate::error::Result;
use crate::loaded_model::WEIGHTS_IN_MEMORY;
use crate::machine_memory::MachineMemory;
use crate::prepared_search::Part;
use crate::search_plan::SearchPlan;
use crate::session::Session;
use crate::task_source::OpenTask;
use laser_checkpoint::Config;
use laser_files::StagedFolder;
use laser_model::layer_bytes;
use laser_search::Rehearsal;
use schemars::JsonSchema;
use serde::Serialize;

/// What of an example's time does not depend on the layer at which an edited model starts: the head, and new tokens, which have
/// to go through the unedited layers, too.
const FIXED_SHARE: f64 = 0.3;
/// An example of a backward pass takes so many times as long as one of a forward pass.
const BACKWARD: f64 = 3.0;

/// What a search would take.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DryRun {
    /// The strategy.
    pub strategy: &'static str,
    /// Candidates of the space.
    pub space: usize,
    /// Validation examples.
    pub validation: usize,
    /// Test examples.
    pub test: usize,
    /// Validation examples that candidates would be scored on, summed over the candidates; an example of a backward pass counts
    /// three times.
    pub evaluations: usize,
    /// The same of an exhaustive search.
    pub exhaustive: usize,
    /// How often costs would be measured.
    pub costs: usize,
    /// Seconds that an example took under the unedited model, tried on a few.
    pub example_seconds: f64,
    /// Seconds in all, about.
    pub seconds: f64,
    /// Bytes of weights in memory.
    pub weights: usize,
    /// Bytes of activations and decompositions that would be kept at most; none on a device with memory of its own, of which half
    /// of what is free would be used.
    pub kept: Option<usize>,
}

impl Session {
    /// What a search would take, by a rehearsal on chance and a little of the work. Nothing is written but to a temporary folder.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub fn dry_run(&self, task: &OpenTask, plan: &SearchPlan) -> Result<DryRun> {
        // It never comes to its place: as a temporary of our own it is removed also if a signal ends the process.
        let path = std::env::temp_dir().join("rehearsal");
        let folder = StagedFolder::begin(&path).map_err(|source| laser_run::Error::Io { path, source })?;
        // Folders of temporary files are for all users; what is tried here is not.
        #[cfg(unix)]
        let _ = std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let run = folder.path().join("run");
        let rehearsal = self.conduct(task, plan, &Part::Whole, &run, laser_search::rehearse)?.end;
        let layers = self.config().layers;
        let [validation, test] = rehearsal.examples;
        let own_memory = self.options.device == laser_model::DeviceKind::Cuda;
        let weights = weights_in_memory(self.config(), if own_memory { usize::MAX } else { WEIGHTS_IN_MEMORY });
        // What is estimated of a budget may be any number.
        let forward = rehearsal.evaluations.values().fold(0, |sum: usize, count| sum.saturating_add(*count));
        let evaluations = forward.saturating_add(3 * rehearsal.backward);
        Ok(DryRun {
            strategy: plan.name(),
            space: rehearsal.space,
            validation,
            test,
            evaluations,
            exhaustive: (rehearsal.space + 1) * validation,
            costs: rehearsal.costs,
            example_seconds: rehearsal.example_seconds,
            seconds: seconds(&rehearsal, layers),
            weights: weights + if plan.bf16 { weights / 2 } else { 0 },
            kept: plan.memory.or((!own_memory).then(|| MachineMemory::look().total / 4)),
        })
    }
}

/// About how long a search takes whose parts took so long.
fn seconds(rehearsal: &Rehearsal, layers: usize) -> f64 {
    let share = |first: Option<usize>| {
        let above = layers - first.unwrap_or(0).min(layers);
        FIXED_SHARE + (1.0 - FIXED_SHARE) * above as f64 / layers.max(1) as f64
    };
    let validation: f64 = rehearsal.evaluations.iter().map(|(first, count)| share(*first) * *count as f64).sum();
    // The base and the chosen one.
    let examples = validation + BACKWARD * rehearsal.backward as f64 + 2.0 * rehearsal.examples[1] as f64;
    let edits = rehearsal.matrices as f64 * rehearsal.edit_seconds / rayon::current_num_threads() as f64;
    examples * rehearsal.example_seconds + edits + rehearsal.costs as f64 * rehearsal.cost_seconds.unwrap_or(0.0)
}

/// Bytes of a model's weights that are in memory as it is computed with, in f32: layers that would take more than `most` stay on
/// disk.
pub(crate) fn weights_in_memory(config: &Config, most: usize) -> usize {
    let layers = layer_bytes(config).saturating_mul(config.layers);
    let tokens = config.vocab_size.saturating_mul(config.hidden_size).saturating_mul(size_of::<f32>());
    let tables = if config.tied_head { 1 } else { 2 };
    let layers = if layers > most { 0 } else { layers };
    layers.saturating_add(tables * tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn upper_layers_take_less_time() {
        let of = |first| Rehearsal {
            space: 1,
            examples: [10, 0],
            evaluations: BTreeMap::from([(Some(first), 100)]),
            backward: 0,
            matrices: 0,
            costs: 3,
            example_seconds: 0.1,
            edit_seconds: 0.0,
            cost_seconds: Some(2.0),
        };
        assert!((seconds(&of(0), 10) - 16.0).abs() < 1e-9);
        assert!((seconds(&of(9), 10) - (10.0 * 0.37 + 6.0)).abs() < 1e-9);
    }
}
