//! Examples that are evaluated together, laid out as a forest.

use crate::encode::{Encoded, Masks};
use laser_kernels::Reading;
use laser_model::{Forest, NodeId};
use std::collections::HashMap;

/// The trees of some examples: each prompt, below it every continuation without its last token, and
/// what examples have in common once.
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
    pub continuations: Vec<Vec<LogprobSlot>>,
    /// In a masked model, the rows of the mask tokens that are filled in.
    pub filled: Vec<usize>,
}

/// Where a token's log-probability is read: entry `wanted` of what is wanted at the scored node
/// number `row`.
#[derive(Debug, Clone, Copy)]
pub struct LogprobSlot {
    row: usize,
    wanted: usize,
}

impl Chunk {
    /// Lays out examples.
    pub fn new(examples: &[Encoded]) -> Self {
        let mut layout = Layout::default();
        let trees = examples
            .iter()
            .map(|example| match &example.masks {
                None => layout.tree(example),
                Some(masks) => layout.masked(example, masks),
            })
            .collect();
        let Layout { forest, scored, wanted, .. } = layout;
        Self { given: forest.len(), forest, scored, wanted, trees }
    }

    /// The node that predicts at a slot, and the token.
    pub fn predicted(&self, slot: LogprobSlot) -> (NodeId, u32) {
        (self.scored[slot.row], self.wanted[slot.row][slot.wanted])
    }
}

/// A chunk in the making.
#[derive(Default)]
struct Layout {
    forest: Forest,
    scored: Vec<NodeId>,
    wanted: Vec<Vec<u32>>,
    row_of: HashMap<NodeId, usize>,
}

impl Layout {
    /// Each token is predicted by the one before it; prompts and continuations share what they have
    /// in common.
    fn tree(&mut self, example: &Encoded) -> Tree {
        let prompt_end = self.path(&example.prompt);
        let mut continuations = Vec::with_capacity(example.continuations.len());
        for (number, tokens) in example.continuations.iter().enumerate() {
            let mut node = example.contexts.get(number).map_or(prompt_end, |context| self.path(context));
            let mut slots = Vec::with_capacity(tokens.len());
            for (i, &token) in tokens.iter().enumerate() {
                slots.push(self.slot(node, token));
                // Nothing is read behind the last token, and nothing sees it.
                if i + 1 < tokens.len() {
                    node = self.forest.extend(node, token);
                }
            }
            continuations.push(slots);
        }
        Tree { prompt_end, continuations, filled: Vec::new() }
    }

    /// The last node of some tokens from the beginning on.
    fn path(&mut self, tokens: &[u32]) -> NodeId {
        let root = self.forest.root(tokens[0]);
        self.forest.extend_path(root, &tokens[1..]).pop().unwrap_or(root)
    }

    /// Each token is predicted by the mask token in its place.
    fn masked(&mut self, example: &Encoded, masks: &Masks) -> Tree {
        let mut input = |count: usize| {
            let mask_fill = vec![masks.token; count];
            let nodes = self.forest.whole(&[&example.prompt[..], &mask_fill, &masks.after].concat());
            let first = nodes.start + example.prompt.len() as NodeId;
            first..first + count as NodeId
        };
        let inputs: Vec<_> = example.continuations.iter().map(|tokens| input(tokens.len())).collect();
        let generated = if masks.generated > 0 { input(masks.generated) } else { 0..0 };
        let slots = |(nodes, tokens): (std::ops::Range<NodeId>, &Vec<u32>)| {
            nodes.zip(tokens).map(|(node, &token)| self.slot(node, token)).collect()
        };
        let continuations = inputs.into_iter().zip(&example.continuations).map(slots).collect();
        let prompt_end = generated.start;
        Tree { prompt_end, continuations, filled: generated.map(|node| self.row(node)).collect() }
    }

    /// Where `token` is predicted by `node`.
    fn slot(&mut self, node: NodeId, token: u32) -> LogprobSlot {
        let row = self.row(node);
        let wanted = &mut self.wanted[row];
        let entry = wanted.iter().position(|&other| other == token).unwrap_or_else(|| {
            wanted.push(token);
            wanted.len() - 1
        });
        LogprobSlot { row, wanted: entry }
    }

    fn row(&mut self, node: NodeId) -> usize {
        *self.row_of.entry(node).or_insert_with(|| {
            self.scored.push(node);
            self.wanted.push(Vec::new());
            self.scored.len() - 1
        })
    }
}

impl LogprobSlot {
    /// The log-probability of the token predicted here, nats.
    pub fn logprob(self, readings: &[Reading]) -> f64 {
        readings[self.row].logprobs[self.wanted]
    }

    /// How many tokens are more likely than the one predicted here.
    pub fn rank(self, readings: &[Reading]) -> usize {
        readings[self.row].ranks[self.wanted]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(prompt: &[u32], continuations: &[&[u32]]) -> Encoded {
        let continuations = continuations.iter().map(|tokens| tokens.to_vec()).collect();
        Encoded { prompt: prompt.to_vec(), continuations, answer: 0..1, ..Encoded::default() }
    }

    #[test]
    fn continuations_share_their_prefix() {
        let chunk = Chunk::new(&[example(&[5, 6], &[&[1, 2, 3], &[1, 4], &[9]])]);
        // Two prompt tokens, then 1 2: 3, 4 and 9 are predicted, but predict nothing.
        assert_eq!(chunk.given, 4);
        // The prompt's end predicts 1 and 9, node 1 predicts 2 and 4, node 2 predicts 3.
        assert_eq!(chunk.wanted, [vec![1, 9], vec![2, 4], vec![3]]);
        assert_eq!(chunk.scored.len(), 3);
    }

    #[test]
    fn examples_share_their_instruction() {
        let chunk =
            Chunk::new(&[example(&[5, 6, 7], &[&[1]]), example(&[5, 6, 8], &[&[1]]), example(&[5, 6], &[&[7], &[2]])]);
        // 5 6, then 7 and 8.
        assert_eq!(chunk.given, 4);
        assert_eq!(chunk.wanted, [vec![1], vec![1], vec![7, 2]]);
        assert_eq!(chunk.trees.iter().map(|tree| tree.prompt_end).collect::<Vec<_>>(), [2, 3, 1]);
    }

    #[test]
    fn masks_stand_where_a_continuation_would() {
        let masks = Some(Masks { token: 9, after: vec![3], generated: 2 });
        let chunk = Chunk::new(&[Encoded { masks, ..example(&[1, 5], &[&[7], &[7, 8, 7]]) }]);
        let tokens: Vec<u32> = (0..chunk.given as NodeId).map(|node| chunk.forest.token(node)).collect();
        assert_eq!(tokens, [1, 5, 9, 3, 1, 5, 9, 9, 9, 3, 1, 5, 9, 9, 3]);
        assert_eq!(chunk.scored, [2, 6, 7, 8, 12, 13]);
        assert_eq!(chunk.wanted, [vec![7], vec![7], vec![8], vec![7], vec![], vec![]]);
        assert_eq!(chunk.trees[0].filled, [4, 5]);
    }
}
