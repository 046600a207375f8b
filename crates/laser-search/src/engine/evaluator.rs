//! Scores models on a set of examples.

use super::chunk::{Chunk, Tree};
use super::encode::Encoded;
use super::pass::Pass;
use super::streams::Streams;
use crate::{Error, Result};
use laser_model::{Model, NodeId, Reading, Tokenizer};
use laser_tasks::{Example, Outcome, Target};
use std::ops::Range;

/// What one example gave under one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Right or wrong, and the answer's log-probability.
    pub outcome: Outcome,
    /// The ids that were generated, where the example is scored by generation; an end-of-text token is the last of them.
    /// With [`Detail::Outcome`], generation stops where the answer has occurred.
    pub generated: Option<Vec<u32>>,
    /// The log-probability of each choice, nats, where the example has choices.
    pub choice_logprobs: Option<Vec<f64>>,
    /// How many tokens are more likely, as the next one, than the answer's first token.
    pub answer_rank: usize,
}

/// How much of a [`Response`] is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The outcome only: an example's generation stops as soon as it is decided.
    Outcome,
    /// Whole generations.
    Full,
}

/// Examples ready to be scored under any edit of one model.
///
/// They are cut into chunks of which each fits the memory budget; the streams of one chunk are kept between calls.
/// Neither the cut nor what is kept changes a result by a bit.
pub struct Evaluator<'a> {
    model: &'a Model,
    tokenizer: &'a Tokenizer,
    examples: Vec<&'a Example>,
    encoded: Vec<Encoded>,
    chunks: Vec<Range<usize>>,
    /// How many nodes the budget holds.
    nodes: usize,
    resident: Option<(usize, Chunk, Streams)>,
}

impl<'a> Evaluator<'a> {
    /// Encodes `examples` for `model`; `memory` is the number of bytes that kept streams may take.
    pub fn new(model: &'a Model, tokenizer: &'a Tokenizer, examples: Vec<&'a Example>, memory: usize) -> Result<Self> {
        let config = model.config();
        let encode = |example: &&Example| super::encode(tokenizer, example, config);
        let encoded = examples.iter().map(encode).collect::<Result<Vec<_>>>()?;
        let kept = 2 * config.layers * config.kv_heads * config.head_dim + 3 * config.hidden_size;
        let nodes = (memory / (kept * size_of::<f32>())).max(1);
        let chunks =
            cut(encoded.iter().zip(&examples).map(|(encoded, example)| expected_nodes(encoded, example)), nodes);
        Ok(Self { model, tokenizer, examples, encoded, chunks, nodes, resident: None })
    }

    /// How many chunks the examples take: with one, candidates can be finished one by one at no extra cost.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The encoded examples.
    pub fn encoded(&self) -> &[Encoded] {
        &self.encoded
    }

    /// Scores the examples of chunk `chunk` under `edited`, a copy of the model whose layers below `boundary` are
    /// unedited.
    pub fn evaluate_chunk(
        &mut self,
        chunk: usize,
        edited: &Model,
        boundary: usize,
        detail: Detail,
    ) -> Result<Vec<Response>> {
        let first = self.chunks[chunk].start;
        // Taken out while it is in use: on an error half-grown streams must not stay.
        let (mut laid_out, mut streams) = self.at(chunk, boundary)?;
        let responses = self.respond(first, &mut laid_out, &mut streams, edited, detail)?;
        self.resident = Some((chunk, laid_out, streams));
        Ok(responses)
    }

    /// Scores all examples; see [`Self::evaluate_chunk`].
    pub fn evaluate(&mut self, edited: &Model, boundary: usize, detail: Detail) -> Result<Vec<Response>> {
        let mut responses = Vec::with_capacity(self.examples.len());
        for chunk in 0..self.chunks.len() {
            responses.extend(self.evaluate_chunk(chunk, edited, boundary, detail)?);
        }
        Ok(responses)
    }

    /// The layout and streams of a chunk at a boundary, from what is resident if that is below or at it. What has outgrown
    /// the budget, by generations that differ much between candidates, is made anew without them.
    fn at(&mut self, chunk: usize, boundary: usize) -> Result<(Chunk, Streams)> {
        let (laid_out, streams) = match self.resident.take() {
            Some((resident, laid_out, streams)) if resident == chunk && laid_out.forest.len() <= self.nodes => {
                (laid_out, Some(streams).filter(|streams| streams.boundary() <= boundary))
            }
            _ => (Chunk::new(&self.encoded[self.chunks[chunk].clone()]), None),
        };
        let mut streams = match streams {
            Some(streams) => streams,
            None => Streams::new(self.model, laid_out.forest.len())?,
        };
        streams.cover(self.model, &laid_out.forest)?;
        streams.advance(self.model, &laid_out.forest, boundary)?;
        Ok((laid_out, streams))
    }

    fn respond(
        &self,
        first: usize,
        chunk: &mut Chunk,
        streams: &mut Streams,
        edited: &Model,
        detail: Detail,
    ) -> Result<Vec<Response>> {
        let mut pass = Pass::new(edited, streams.boundary(), chunk.given)?;
        let given: Vec<NodeId> = (0..chunk.given as NodeId).collect();
        pass.visit(streams, &chunk.forest, &given)?;
        let wanted: Vec<&[u32]> = chunk.wanted.iter().map(Vec::as_slice).collect();
        let readings = pass.read(&chunk.scored, &wanted)?;

        let mut responses = Vec::with_capacity(chunk.trees.len());
        for (offset, tree) in chunk.trees.iter().enumerate() {
            responses.push(self.score(first + offset, tree, &readings)?);
        }
        if self.model.config().masked {
            self.fill(first, chunk, &readings, &mut responses)?;
        } else {
            self.generate(first, chunk, streams, &mut pass, detail, &mut responses)?;
        }
        Ok(responses)
    }

    /// Everything but the generation.
    fn score(&self, index: usize, tree: &Tree, readings: &[Reading]) -> Result<Response> {
        let (example, encoded) = (self.examples[index], &self.encoded[index]);
        let sums: Vec<f64> =
            tree.continuations.iter().map(|places| places.iter().map(|place| place.logprob(readings)).sum()).collect();
        if sums.iter().any(|sum| !sum.is_finite()) {
            return Err(Error::NotFinite { id: example.id.clone() });
        }
        let correct = match &example.target {
            Target::Generate(_) => false,
            Target::LogLikelihood { .. } => tree.continuations[0].iter().all(|place| place.rank(readings) == 0),
            Target::Choose(choice) => choice.predicted(&sums) == choice.correct,
        };
        Ok(Response {
            outcome: Outcome {
                correct,
                answer_logprob: sums[encoded.answer],
                answer_tokens: encoded.continuations[encoded.answer].len(),
            },
            generated: None,
            choice_logprobs: matches!(example.target, Target::Choose(_)).then_some(sums),
            answer_rank: tree.continuations[encoded.answer][0].rank(readings),
        })
    }

    /// A masked model's generation: the most likely token at each of a fixed number of mask tokens, all at once.
    fn fill(&self, first: usize, chunk: &Chunk, readings: &[Reading], responses: &mut [Response]) -> Result<()> {
        for (offset, (tree, response)) in chunk.trees.iter().zip(responses).enumerate() {
            let Target::Generate(generation) = &self.examples[first + offset].target else { continue };
            let filled: Vec<u32> = tree.filled.iter().map(|&row| readings[row].argmax).collect();
            response.outcome.correct = generation.is_correct(&self.tokenizer.decode(&filled)?);
            response.generated = Some(filled);
        }
        Ok(())
    }

    /// Greedy generation of the examples that are scored by it, all together, one token of each at a time. Where the
    /// most likely tokens are those of the answer or of another candidate's generation, their nodes are there already.
    fn generate(
        &self,
        first: usize,
        chunk: &mut Chunk,
        streams: &mut Streams,
        pass: &mut Pass,
        detail: Detail,
        responses: &mut [Response],
    ) -> Result<()> {
        let end_of_text = &self.model.config().eos_token_ids;
        let mut unfinished: Vec<(usize, NodeId, Vec<u32>)> = (0..chunk.trees.len())
            .filter(|&offset| matches!(self.examples[first + offset].target, Target::Generate(_)))
            .map(|offset| (offset, chunk.trees[offset].prompt_end, Vec::new()))
            .collect();
        while !unfinished.is_empty() {
            let mut waiting = Vec::with_capacity(unfinished.len());
            for (offset, mut node, mut generated) in unfinished {
                let Target::Generate(target) = &self.examples[first + offset].target else {
                    continue;
                };
                let correct = &mut responses[offset].outcome.correct;
                let mut open = true;
                while open && generated.len() < target.max_new_tokens {
                    let Some(token) = pass.argmax(node) else { break };
                    generated.push(token);
                    let settled = *correct && target.is_final_once_correct();
                    let mut ended = end_of_text.contains(&token);
                    if !settled {
                        let text = self.tokenizer.decode(&generated)?;
                        *correct = target.is_correct(&text);
                        ended |= target.has_ended(&text);
                    }
                    let decided = *correct && target.is_final_once_correct() && detail == Detail::Outcome;
                    open = !decided && !ended;
                    if open && generated.len() < target.max_new_tokens {
                        node = chunk.forest.extend(node, token);
                    }
                }
                if open && generated.len() < target.max_new_tokens {
                    waiting.push((offset, node, generated));
                } else {
                    responses[offset].generated = Some(generated);
                }
            }
            let nodes: Vec<NodeId> = waiting.iter().map(|(_, node, _)| *node).collect();
            if !nodes.is_empty() {
                streams.cover(self.model, &chunk.forest)?;
                pass.visit(streams, &chunk.forest, &nodes)?;
                pass.read(&nodes, &vec![&[][..]; nodes.len()])?;
            }
            unfinished = waiting;
        }
        Ok(())
    }
}

/// The nodes that an example will take: prompt, continuations, and a few different generations.
fn expected_nodes(encoded: &Encoded, example: &Example) -> usize {
    const GENERATIONS: usize = 3;
    let generated = example.new_tokens().saturating_mul(GENERATIONS);
    let continued = encoded.continuations.iter().map(Vec::len).sum::<usize>();
    // A masked model takes the prompt anew with each continuation, and for what is generated.
    let prompts = match &encoded.masks {
        Some(masks) => {
            let inputs = encoded.continuations.len() + usize::from(masks.generated > 0);
            inputs * (encoded.prompt.len() + masks.after.len())
        }
        None => encoded.prompt.len(),
    };
    generated.saturating_add(prompts + continued)
}

/// Cuts items of the given sizes into runs of at most `limit`; an item larger than that is a run of its own.
fn cut(sizes: impl Iterator<Item = usize>, limit: usize) -> Vec<Range<usize>> {
    let (mut runs, mut start, mut total, mut end) = (Vec::new(), 0, 0, 0);
    for (i, size) in sizes.enumerate() {
        if i > start && size > limit.saturating_sub(total) {
            runs.push(start..i);
            (start, total) = (i, 0);
        }
        total = total.saturating_add(size);
        end = i + 1;
    }
    if end > start {
        runs.push(start..end);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_keeps_every_item_in_order() {
        assert_eq!(cut([3, 3, 3, 10, 1].into_iter(), 6), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(cut([5, 5].into_iter(), 100), std::slice::from_ref(&(0..2)));
        assert!(cut(std::iter::empty(), 6).is_empty());
    }
}
