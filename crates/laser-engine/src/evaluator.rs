//! Scores models on a set of examples.

use crate::activation_cache::ActivationCache;
use crate::chunk::{Chunk, LogprobSlot, Tree};
use crate::edited_forward::{EditedForward, NodeInstance};
use crate::encode::Encoded;
use crate::error::{Error, Result};
use crate::tiles::STEP_TILES;
use laser_example::{Example, Generation, Outcome, Target};
use laser_kernels::{Backend, Cpu, Reading};
use laser_model::{KeyValueCache, Model, NodeId};
use laser_tokenizer::Tokenizer;
use std::collections::HashSet;
use std::ops::Range;

/// How many times the expected nodes the activation cache has room for.
const ROOM: usize = 16;

/// What one example gave under one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Right or wrong, and the answer's log-probability in nats.
    pub outcome: Outcome,
    /// The ids that were generated, where the example is scored by generation; an end-of-text token
    /// is the last of them. With [`Detail::Outcome`], generation stops where the answer has
    /// occurred.
    pub generated: Option<Vec<u32>>,
    /// The log-probability of each choice, nats, where the example has choices.
    pub choice_logprobs: Option<Vec<f64>>,
    /// Whether every token of a choice is the likeliest in its place.
    pub choice_greedy: Option<Vec<bool>>,
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
/// They are cut into chunks of which each fits the memory budget; the activations of one chunk are
/// kept between calls. Neither the cut nor what is kept changes a result by a bit.
pub struct Evaluator<'a, B: Backend = Cpu> {
    model: &'a Model<B>,
    tokenizer: &'a Tokenizer,
    examples: Vec<&'a Example>,
    encoded: Vec<Encoded>,
    chunks: Vec<Range<usize>>,
    /// How many nodes the budget holds.
    nodes: usize,
    /// As many nodes take as much memory as the largest matrix, which an edit makes anew.
    matrix_nodes: usize,
    resident: Option<(usize, Chunk, ActivationCache<B>)>,
    /// What the last pass has left.
    caches: Vec<KeyValueCache<B>>,
}

impl<'a, B: Backend> Evaluator<'a, B> {
    /// Encodes `examples` for `model`; `memory` is the number of bytes that kept activations may
    /// take.
    ///
    /// # Errors
    /// As [`encode`](crate::encode()), for the first example that fails.
    pub fn new(
        model: &'a Model<B>,
        tokenizer: &'a Tokenizer,
        examples: Vec<&'a Example>,
        memory: usize,
    ) -> Result<Self> {
        let config = model.config();
        let encode = |example: &&Example| crate::encode::encode(tokenizer, example, config);
        let encoded = examples.iter().map(encode).collect::<Result<Vec<_>>>()?;
        let kept = 2 * config.layers * config.kv_heads * config.head_dim + 3 * config.hidden_size;
        let nodes = (memory / (kept * size_of::<f32>())).max(1);
        let elements = config.matrices.iter().map(|kind| kind.shape(config).iter().product::<usize>());
        let matrix_nodes = elements.max().unwrap_or(0).div_ceil(kept);
        Ok(Self {
            model,
            tokenizer,
            chunks: cut(expected(&encoded, &examples), nodes),
            examples,
            encoded,
            nodes,
            matrix_nodes,
            resident: None,
            caches: Vec::new(),
        })
    }

    /// An evaluator of those of the examples that have these numbers, with memory of its own, as much
    /// as this one has.
    pub fn of_some(&self, numbers: &[usize]) -> Self {
        let numbers = || numbers.iter().copied().filter(|&number| number < self.examples.len());
        let encoded: Vec<Encoded> = numbers().map(|number| self.encoded[number].clone()).collect();
        let examples: Vec<&Example> = numbers().map(|number| self.examples[number]).collect();
        let chunks = cut(expected(&encoded, &examples), self.nodes);
        Self { encoded, examples, chunks, resident: None, caches: Vec::new(), ..*self }
    }

    /// How many chunks the examples take: with one, candidates can be finished one by one at no
    /// extra cost.
    pub fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// The encoded examples.
    pub fn encoded(&self) -> &[Encoded] {
        &self.encoded
    }

    /// Lets go of the kept activations.
    pub fn release(&mut self) {
        self.resident = None;
        self.caches = Vec::new();
    }

    /// How many candidates, each of which replaces so many matrices, are best scored together on a
    /// chunk: as many as make products large, or as half of the memory budget holds.
    pub fn together(&self, chunk: usize, matrices: usize) -> usize {
        let examples = self.chunks[chunk].clone();
        let generating = examples.clone().filter(|&i| self.examples[i].new_tokens() > 0).count();
        let expected = self.expected_nodes(chunk);
        let rows = match generating {
            // Without what the examples share.
            0 => Chunk::new(&self.encoded[examples]).given,
            _ => generating,
        };
        let wanted = (STEP_TILES * self.model.backend().rows_together()).div_ceil(rows.max(1));
        let of_candidate = expected.saturating_add(self.matrix_nodes.saturating_mul(matrices));
        wanted.min(self.nodes / 2 / of_candidate.max(1)).max(1)
    }

    fn expected_nodes(&self, chunk: usize) -> usize {
        self.chunks[chunk].clone().map(|i| expected_nodes(&self.encoded[i], self.examples[i])).sum()
    }

    /// Scores the examples of chunk `chunk` under each of `edited`, copies of the model. They go
    /// from the lowest of their first edited layers on.
    ///
    /// # Errors
    /// If a model cannot be run, gives a log-probability that is not a finite number, or generates
    /// tokens that cannot be decoded.
    pub fn evaluate_together(
        &mut self,
        chunk: usize,
        edited: &[Model<B>],
        detail: Detail,
    ) -> Result<Vec<Vec<Response>>> {
        let first = self.chunks[chunk].start;
        // Taken out while it is in use: on an error half-grown activations must not stay.
        let (mut laid_out, mut kept) = self.resident(chunk, edited.len())?;
        let generated: usize = self.chunks[chunk].clone().map(|i| self.examples[i].new_tokens()).sum();
        let given = edited.len() * laid_out.given;
        let instances = if self.model.backend().unused_room_is_free() && !self.model.config().masked {
            given.saturating_add(edited.len().saturating_mul(generated)).min(self.nodes).max(given)
        } else {
            given
        };
        let mut forward = EditedForward::new(self.model, edited, instances, std::mem::take(&mut self.caches))?;
        let responses = self.respond(first, &mut laid_out, &mut kept, &mut forward, edited.len(), detail)?;
        self.caches = forward.into_caches();
        self.resident = Some((chunk, laid_out, kept));
        Ok(responses)
    }

    /// Scores the examples of chunk `chunk` under one model; see [`Self::evaluate_together`].
    ///
    /// # Errors
    /// As [`Self::evaluate_together`].
    pub fn evaluate_chunk(&mut self, chunk: usize, edited: &Model<B>, detail: Detail) -> Result<Vec<Response>> {
        let mut responses = self.evaluate_together(chunk, std::slice::from_ref(edited), detail)?;
        Ok(responses.pop().unwrap_or_default())
    }

    /// Scores all examples under one model; see [`Self::evaluate_together`].
    ///
    /// # Errors
    /// As [`Self::evaluate_together`].
    pub fn evaluate(&mut self, edited: &Model<B>, detail: Detail) -> Result<Vec<Response>> {
        let mut responses = Vec::with_capacity(self.examples.len());
        for chunk in 0..self.chunks.len() {
            responses.extend(self.evaluate_chunk(chunk, edited, detail)?);
        }
        Ok(responses)
    }

    /// The layout and activations of a chunk. What has outgrown the budget, by generations that
    /// differ much between candidates, is made anew without them.
    fn resident(&mut self, chunk: usize, candidates: usize) -> Result<(Chunk, ActivationCache<B>)> {
        let expected = self.expected_nodes(chunk);
        let allowed = self.nodes.saturating_sub((candidates - 1) * expected).max(expected);
        match self.resident.take() {
            Some((resident, laid_out, kept)) if resident == chunk && laid_out.forest.len() <= allowed => {
                Ok((laid_out, kept))
            }
            _ => {
                let laid_out = Chunk::new(&self.encoded[self.chunks[chunk].clone()]);
                // Activations that outgrow their room are copied.
                let room = if self.model.backend().unused_room_is_free() { ROOM * expected } else { laid_out.given };
                let room = room.clamp(laid_out.given, self.nodes.max(laid_out.given));
                let kept = ActivationCache::new(self.model, room)?;
                Ok((laid_out, kept))
            }
        }
    }

    fn respond(
        &self,
        first: usize,
        chunk: &mut Chunk,
        kept: &mut ActivationCache<B>,
        forward: &mut EditedForward<B>,
        candidates: usize,
        detail: Detail,
    ) -> Result<Vec<Vec<Response>>> {
        let all = |nodes: &[NodeId]| -> Vec<NodeInstance> {
            (0..candidates)
                .flat_map(|candidate| nodes.iter().map(move |&node| NodeInstance { candidate, node }))
                .collect()
        };
        let given: Vec<NodeId> = (0..chunk.given as NodeId).collect();
        let scored: HashSet<NodeId> = chunk.scored.iter().copied().collect();
        forward.advance(kept, &chunk.forest, &all(&given), |node| scored.contains(&node))?;
        let wanted: Vec<&[u32]> = chunk.wanted.iter().map(Vec::as_slice).collect();
        let readings = forward.read(&all(&chunk.scored), &wanted.repeat(candidates))?;

        let mut responses = Vec::with_capacity(candidates);
        for readings in readings.chunks(chunk.scored.len().max(1)) {
            let score = |(offset, tree)| self.score(first + offset, tree, readings);
            let mut scored = chunk.trees.iter().enumerate().map(score).collect::<Result<Vec<_>>>()?;
            if self.model.config().masked {
                self.fill(first, chunk, readings, &mut scored)?;
            }
            responses.push(scored);
        }
        if !self.model.config().masked {
            self.generate(first, chunk, kept, forward, detail, &mut responses)?;
        }
        Ok(responses)
    }

    /// Everything but the generation.
    fn score(&self, index: usize, tree: &Tree, readings: &[Reading]) -> Result<Response> {
        let (example, encoded) = (self.examples[index], &self.encoded[index]);
        let sums: Vec<f64> =
            tree.continuations.iter().map(|slots| slots.iter().map(|slot| slot.logprob(readings)).sum()).collect();
        if sums.iter().any(|sum| !sum.is_finite()) {
            return Err(Error::NotFinite { id: example.id.clone() });
        }
        let is_greedy = |slots: &Vec<LogprobSlot>| slots.iter().all(|slot| slot.rank(readings) == 0);
        let is_choice = matches!(example.target, Target::Choose(_));
        let correct = match &example.target {
            Target::Generate(_) | Target::Rolling { .. } | Target::Episode { .. } => false,
            Target::LogLikelihood { .. } => is_greedy(&tree.continuations[0]),
            Target::Choose(choice) => choice.is_right(choice.predicted(&sums)),
        };
        let answer = encoded.answer.clone();
        Ok(Response {
            outcome: Outcome {
                correct,
                answer_logprob: sums[answer.clone()].iter().sum(),
                answer_tokens: encoded.continuations[answer.clone()].iter().map(Vec::len).sum(),
            },
            generated: None,
            choice_logprobs: is_choice.then_some(sums),
            choice_greedy: is_choice.then(|| tree.continuations.iter().map(is_greedy).collect()),
            answer_rank: tree.continuations[answer.start][0].rank(readings),
        })
    }

    /// A masked model's generation: the most likely token at each of a fixed number of mask tokens,
    /// all at once.
    fn fill(&self, first: usize, chunk: &Chunk, readings: &[Reading], responses: &mut [Response]) -> Result<()> {
        for (offset, (tree, response)) in chunk.trees.iter().zip(responses).enumerate() {
            let Target::Generate(generation) = &self.examples[first + offset].target else { continue };
            let filled: Vec<u32> = tree.filled.iter().map(|&row| readings[row].argmax).collect();
            let example = self.examples[first + offset];
            response.outcome.correct = right(example, generation, &self.tokenizer.decode(&filled)?)?;
            response.generated = Some(filled);
        }
        Ok(())
    }

    /// Greedy generation of the examples that are scored by it, under all candidates together, one
    /// token of each at a time. Where the most likely tokens are those of the answer or of another
    /// candidate's generation, their nodes are there already.
    fn generate(
        &self,
        first: usize,
        chunk: &mut Chunk,
        kept: &mut ActivationCache<B>,
        forward: &mut EditedForward<B>,
        detail: Detail,
        responses: &mut [Vec<Response>],
    ) -> Result<()> {
        let end_of_text = &self.model.config().eos_token_ids;
        let mut unfinished = Vec::new();
        for candidate in 0..responses.len() {
            for (offset, tree) in chunk.trees.iter().enumerate() {
                if let Target::Generate(target) = &self.examples[first + offset].target {
                    let at = NodeInstance { candidate, node: tree.prompt_end };
                    unfinished.push(Unfinished { target, offset, at, generated: Vec::new() });
                }
            }
        }
        while !unfinished.is_empty() {
            let mut waiting = Vec::with_capacity(unfinished.len());
            for mut this in unfinished {
                let response = &mut responses[this.at.candidate][this.offset];
                let correct = &mut response.outcome.correct;
                let mut open = true;
                while open && this.generated.len() < this.target.max_new_tokens {
                    let Some(token) = forward.argmax(this.at) else { break };
                    this.generated.push(token);
                    let early = this.target.is_final_once_correct();
                    let mut ended = end_of_text.contains(&token) || this.generated.len() == this.target.max_new_tokens;
                    if !(*correct && early) {
                        let text = self.tokenizer.decode(&this.generated)?;
                        ended |= this.target.has_ended(&text);
                        // What may still change is judged at the end.
                        if early || ended {
                            *correct = right(self.examples[first + this.offset], this.target, &text)?;
                        }
                    }
                    let decided = *correct && early && detail == Detail::Outcome;
                    open = !decided && !ended;
                    if open && this.generated.len() < this.target.max_new_tokens {
                        this.at.node = chunk.forest.extend(this.at.node, token);
                    }
                }
                if open && this.generated.len() < this.target.max_new_tokens {
                    waiting.push(this);
                } else {
                    response.generated = Some(this.generated);
                }
            }
            let instances: Vec<NodeInstance> = waiting.iter().map(|this| this.at).collect();
            if !instances.is_empty() {
                forward.advance(kept, &chunk.forest, &instances, |_| true)?;
                forward.read(&instances, &vec![&[][..]; instances.len()])?;
            }
            unfinished = waiting;
        }
        Ok(())
    }
}

/// Whether a generated text is right.
fn right(example: &Example, generation: &Generation, text: &str) -> Result<bool> {
    generation.is_correct(text).map_err(|problem| Error::Scoring { id: example.id.clone(), problem })
}

/// An example whose generation goes on.
struct Unfinished<'e> {
    target: &'e Generation,
    /// The example's number in its chunk.
    offset: usize,
    /// The last token.
    at: NodeInstance,
    generated: Vec<u32>,
}

/// The nodes that each example will take.
fn expected<'e>(encoded: &'e [Encoded], examples: &'e [&Example]) -> impl Iterator<Item = usize> + 'e {
    encoded.iter().zip(examples).map(|(encoded, example)| expected_nodes(encoded, example))
}

/// The nodes that an example will take: prompt, continuations, and a few different generations.
fn expected_nodes(encoded: &Encoded, example: &Example) -> usize {
    const GENERATIONS: usize = 3;
    let generated = example.new_tokens().saturating_mul(GENERATIONS);
    let continued = encoded.continuations.iter().chain(&encoded.contexts).map(Vec::len).sum::<usize>();
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

/// Cuts items of the given sizes into runs of at most `limit`; an item larger than that is a run of
/// its own.
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
