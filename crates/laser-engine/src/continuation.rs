//! One continuation under one model, without anything kept.

use crate::chunk::Chunk;
use crate::encode::Encoded;
use crate::error::Result;
use crate::pass::{Pass, Visit};
use crate::streams::Streams;
use laser_model::{Model, NodeId};

/// The log-probability of the answer after its prompt, nats.
pub fn continuation_logprob(model: &Model, encoded: &Encoded) -> Result<f64> {
    let chunk = Chunk::new(std::slice::from_ref(encoded));
    let mut streams = Streams::new(model, chunk.given)?;
    let mut pass = Pass::new(model, std::slice::from_ref(model), 0, chunk.given, Vec::new())?;
    let visits: Vec<Visit> = (0..chunk.given as NodeId).map(|node| Visit { candidate: 0, node }).collect();
    pass.visit(&mut streams, &chunk.forest, &visits, |node| chunk.scored.contains(&node))?;
    let scored: Vec<Visit> = chunk.scored.iter().map(|&node| Visit { candidate: 0, node }).collect();
    let wanted: Vec<&[u32]> = chunk.wanted.iter().map(Vec::as_slice).collect();
    let readings = pass.read(&scored, &wanted)?;
    let places = &chunk.trees[0].continuations[encoded.answer];
    Ok(places.iter().map(|place| place.logprob(&readings)).sum())
}
