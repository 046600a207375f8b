//! One continuation under one model, without anything kept.

use super::chunk::Chunk;
use super::encode::Encoded;
use super::pass::Pass;
use super::streams::Streams;
use crate::Result;
use laser_model::{Model, NodeId};

/// The log-probability of the answer after its prompt, nats.
pub fn continuation_logprob(model: &Model, encoded: &Encoded) -> Result<f64> {
    let chunk = Chunk::new(std::slice::from_ref(encoded));
    let mut streams = Streams::new(model, chunk.given)?;
    streams.cover(model, &chunk.forest)?;
    let mut pass = Pass::new(model, 0, chunk.given)?;
    let nodes: Vec<NodeId> = (0..chunk.given as NodeId).collect();
    pass.visit(&streams, &chunk.forest, &nodes)?;
    let wanted: Vec<&[u32]> = chunk.wanted.iter().map(Vec::as_slice).collect();
    let readings = pass.read(&chunk.scored, &wanted)?;
    let places = &chunk.trees[0].continuations[encoded.answer];
    Ok(places.iter().map(|place| place.logprob(&readings)).sum())
}
