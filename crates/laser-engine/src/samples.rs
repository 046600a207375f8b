//! Examples as samples of a backward pass.

use crate::chunk::{Chunk, LogprobSlot};
use crate::encode::Encoded;
use laser_kernels::KvIndices;
use laser_model::{LossTerm, NodeId, Sample};

/// Tokens of a sample: its backward pass holds all that they make.
const SAMPLE_TOKENS: usize = 1024;

/// The examples' mean log-loss, nats per token of the answer, as the loss of some samples: of about
/// [`SAMPLE_TOKENS`] tokens each, and of whole examples.
pub fn samples(examples: &[Encoded]) -> Vec<Sample> {
    let tokens = |example: &Encoded| {
        let given = example.continuations.iter().chain(&example.contexts).map(Vec::len).sum::<usize>();
        example.prompt.len() + given
    };
    let (mut samples, mut start, mut total) = (Vec::new(), 0, 0);
    for (i, example) in examples.iter().enumerate() {
        if i > start && total + tokens(example) > SAMPLE_TOKENS {
            samples.push(sample(&examples[start..i], examples.len()));
            (start, total) = (i, 0);
        }
        total += tokens(example);
    }
    if start < examples.len() {
        samples.push(sample(&examples[start..], examples.len()));
    }
    samples
}

fn sample(examples: &[Encoded], of: usize) -> Sample {
    let chunk = Chunk::new(examples);
    let nodes = 0..chunk.forest.len() as NodeId;
    let mut indices = KvIndices::default();
    nodes.clone().for_each(|node| indices.push(chunk.forest.visible(node)));
    let mut loss = Vec::new();
    for (tree, example) in chunk.trees.iter().zip(examples) {
        let answer: Vec<LogprobSlot> = tree.continuations[example.answer.clone()].concat();
        let weight = 1.0 / (answer.len() * of) as f64;
        let term = |slot: &LogprobSlot| {
            let (row, token) = chunk.predicted(*slot);
            LossTerm { row, token, weight }
        };
        loss.extend(answer.iter().map(term));
    }
    Sample {
        tokens: nodes.clone().map(|node| chunk.forest.token(node)).collect(),
        positions: nodes.map(|node| chunk.forest.position(node)).collect(),
        indices,
        loss,
    }
}
