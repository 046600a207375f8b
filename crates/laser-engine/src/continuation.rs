//! One continuation under one model, without anything kept.

use crate::activation_cache::ActivationCache;
use crate::chunk::Chunk;
use crate::edited_forward::{EditedForward, NodeInstance};
use crate::encode::Encoded;
use crate::error::Result;
use laser_kernels::Backend;
use laser_model::{Model, NodeId};

/// The log-probability of the answer after its prompt, nats.
pub fn continuation_logprob<B: Backend>(model: &Model<B>, encoded: &Encoded) -> Result<f64> {
    let chunk = Chunk::new(std::slice::from_ref(encoded));
    let mut kept = ActivationCache::new(model, chunk.given)?;
    let mut forward = EditedForward::of_all_layers(model, chunk.given)?;
    let instances: Vec<NodeInstance> =
        (0..chunk.given as NodeId).map(|node| NodeInstance { candidate: 0, node }).collect();
    forward.advance(&mut kept, &chunk.forest, &instances, |node| chunk.scored.contains(&node))?;
    let scored: Vec<NodeInstance> = chunk.scored.iter().map(|&node| NodeInstance { candidate: 0, node }).collect();
    let wanted: Vec<&[u32]> = chunk.wanted.iter().map(Vec::as_slice).collect();
    let readings = forward.read(&scored, &wanted)?;
    let slots = chunk.trees[0].continuations[encoded.answer.clone()].iter().flatten();
    Ok(slots.map(|slot| slot.logprob(&readings)).sum())
}
