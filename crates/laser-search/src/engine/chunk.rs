//! Examples that are evaluated together, laid out as a forest.

use super::encode::Encoded;
use laser_model::{Forest, NodeId, Reading};
use std::collections::HashMap;

/// The trees of some examples: each prompt, below it every continuation, and what examples have in common once.
#[derive(Debug)]
pub struct Chunk {
    /// Grows as candidates generate.
    pub forest: Forest,
    /// How many nodes prompts and continuations take: the nodes `0..given`.
    pub given: usize,
    /// The nodes whose prediction scores a continuation.
    pub scored: Vec<NodeId>,
    /// The tokens whose log-probability is wanted at each scored node.
    pub wanted: Vec<Vec<u32>>,
    /// The examples, in order.
    pub trees: Vec<Tree>,
}

/// One example in a [`Chunk`].
#[derive(Debug)]
pub struct Tree {
    /// The last node of the prompt.
    pub prompt_end: NodeId,
    /// For each continuation, where each of its tokens is predicted.
    pub continuations: Vec<Vec<Place>>,
}

/// Where a token is predicted: entry `slot` of what is wanted at the scored node number `row`.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    row: usize,
    slot: usize,
}

impl Chunk {
    /// Lays out examples.
    pub fn new(examples: &[Encoded]) -> Self {
        let (mut forest, mut scored, mut wanted) = (Forest::new(), Vec::new(), Vec::<Vec<u32>>::new());
        let mut row_of = HashMap::new();
        let mut trees = Vec::with_capacity(examples.len());
        for example in examples {
            let root = forest.root(example.prompt[0]);
            let prompt_end = forest.extend_path(root, &example.prompt[1..]).pop().unwrap_or(root);
            let mut continuations = Vec::with_capacity(example.continuations.len());
            for tokens in &example.continuations {
                let mut node = prompt_end;
                let mut places = Vec::with_capacity(tokens.len());
                for &token in tokens {
                    let row = *row_of.entry(node).or_insert_with(|| {
                        scored.push(node);
                        wanted.push(Vec::new());
                        scored.len() - 1
                    });
                    let slot = match wanted[row].iter().position(|&other| other == token) {
                        Some(slot) => slot,
                        None => {
                            wanted[row].push(token);
                            wanted[row].len() - 1
                        }
                    };
                    places.push(Place { row, slot });
                    node = forest.extend(node, token);
                }
                continuations.push(places);
            }
            trees.push(Tree { prompt_end, continuations });
        }
        Self { given: forest.len(), forest, scored, wanted, trees }
    }
}

impl Place {
    /// The log-probability of the token predicted here, nats.
    pub fn logprob(self, readings: &[Reading]) -> f64 {
        readings[self.row].logprobs[self.slot]
    }

    /// Whether the token predicted here is the most likely one.
    pub fn is_argmax(self, readings: &[Reading], chunk: &Chunk) -> bool {
        readings[self.row].argmax == chunk.wanted[self.row][self.slot]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(prompt: &[u32], continuations: &[&[u32]]) -> Encoded {
        let continuations = continuations.iter().map(|tokens| tokens.to_vec()).collect();
        Encoded { prompt: prompt.to_vec(), continuations, answer: 0 }
    }

    #[test]
    fn continuations_share_their_prefix() {
        let chunk = Chunk::new(&[example(&[5, 6], &[&[1, 2, 3], &[1, 4], &[9]])]);
        // Two prompt tokens, then 1 2 3, 4 and 9.
        assert_eq!(chunk.given, 7);
        // The prompt's end predicts 1 and 9, node 1 predicts 2 and 4, node 2 predicts 3.
        assert_eq!(chunk.wanted, [vec![1, 9], vec![2, 4], vec![3]]);
        assert_eq!(chunk.scored.len(), 3);
    }

    #[test]
    fn examples_share_their_instruction() {
        let chunk =
            Chunk::new(&[example(&[5, 6, 7], &[&[1]]), example(&[5, 6, 8], &[&[1]]), example(&[5, 6], &[&[7], &[2]])]);
        // 5 6, then 7 1, 8 1 and 2: the second choice of the last example is the only one that is not there yet.
        assert_eq!(chunk.given, 7);
        assert_eq!(chunk.wanted, [vec![1], vec![1], vec![7, 2]]);
        assert_eq!(chunk.trees.iter().map(|tree| tree.prompt_end).collect::<Vec<_>>(), [2, 4, 1]);
    }
}
