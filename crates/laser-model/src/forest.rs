//! Token sequences as trees.
//!
//! In a masked model every token sees all others, so that sequences share nothing: each is a tree
//! of its own.
//!
//! The prompts of many examples, each with its answers, choices and generated continuations, form a
//! forest in which every distinct prefix stands once. A node is one token at one position; a
//! forward pass over a set of nodes computes each prefix once however many sequences go through it.

use std::collections::HashMap;
use std::ops::Range;

/// A token in a [`Forest`]; nodes are numbered in the order of their insertion, parents before
/// children.
pub type NodeId = u32;

/// Trees of tokens.
#[derive(Debug, Clone, Default)]
pub struct Forest {
    tokens: Vec<u32>,
    parents: Vec<Option<NodeId>>,
    positions: Vec<u32>,
    /// For the nodes of a sequence whose tokens all see each other, where it starts and ends.
    wholes: Vec<Option<Range<NodeId>>>,
    roots: HashMap<u32, NodeId>,
    children: HashMap<(NodeId, u32), NodeId>,
}

impl Forest {
    /// An empty forest.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of nodes.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tree that starts with `token`, made if it is not there yet.
    pub fn root(&mut self, token: u32) -> NodeId {
        match self.roots.get(&token) {
            Some(&node) => node,
            None => {
                let node = self.insert(None, token);
                self.roots.insert(token, node);
                node
            }
        }
    }

    /// The child of `parent` that carries `token`, made if it is not there yet.
    pub fn extend(&mut self, parent: NodeId, token: u32) -> NodeId {
        match self.child(parent, token) {
            Some(node) => node,
            None => {
                let node = self.insert(Some(parent), token);
                self.children.insert((parent, token), node);
                node
            }
        }
    }

    /// The child of `parent` that carries `token`.
    pub fn child(&self, parent: NodeId, token: u32) -> Option<NodeId> {
        self.children.get(&(parent, token)).copied()
    }

    /// The nodes of `tokens` one after the other below `parent`.
    pub fn extend_path(&mut self, parent: NodeId, tokens: &[u32]) -> Vec<NodeId> {
        let mut node = parent;
        tokens
            .iter()
            .map(|&token| {
                node = self.extend(node, token);
                node
            })
            .collect()
    }

    /// A sequence of which every token sees all others, as a tree of its own: its nodes.
    pub fn whole(&mut self, tokens: &[u32]) -> Range<NodeId> {
        let start = self.tokens.len() as NodeId;
        let mut parent = None;
        for &token in tokens {
            parent = Some(self.insert(parent, token));
        }
        let range = start..self.tokens.len() as NodeId;
        for node in range.clone() {
            self.wholes[node as usize] = Some(range.clone());
        }
        range
    }

    /// The nodes that `node` sees, in order of position: the path to it, or its whole sequence.
    pub fn visible(&self, node: NodeId) -> Vec<NodeId> {
        match &self.wholes[node as usize] {
            Some(range) => range.clone().collect(),
            None => self.path(node),
        }
    }

    /// Whether `node` and the one before it must go through a layer in one pass.
    pub fn continues(&self, node: NodeId) -> bool {
        self.wholes[node as usize].as_ref().is_some_and(|range| range.start < node)
    }

    /// The token that a node carries.
    pub fn token(&self, node: NodeId) -> u32 {
        self.tokens[node as usize]
    }

    /// Distance from the root: the token's position in its sequence, from 0.
    pub fn position(&self, node: NodeId) -> u32 {
        self.positions[node as usize]
    }

    /// The nodes from the root to `node`, both included.
    pub fn path(&self, node: NodeId) -> Vec<NodeId> {
        let mut path = Vec::with_capacity(self.position(node) as usize + 1);
        let mut next = Some(node);
        while let Some(node) = next {
            path.push(node);
            next = self.parents[node as usize];
        }
        path.reverse();
        path
    }

    fn insert(&mut self, parent: Option<NodeId>, token: u32) -> NodeId {
        let node = NodeId::try_from(self.tokens.len()).expect("a forest holds fewer than 2^32 tokens");
        self.tokens.push(token);
        self.parents.push(parent);
        self.wholes.push(None);
        self.positions.push(parent.map_or(0, |parent| self.position(parent) + 1));
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_prefixes_stand_once() {
        let mut forest = Forest::new();
        let prompt = forest.root(7);
        let first = forest.extend_path(prompt, &[1, 2, 3]);
        let second = forest.extend_path(prompt, &[1, 2, 9]);
        assert_eq!(first[..2], second[..2]);
        assert_eq!(forest.len(), 5);
        assert_eq!(forest.path(second[2]), [prompt, first[0], first[1], second[2]]);
        assert_eq!((forest.position(second[2]), forest.token(second[2])), (3, 9));
        assert_eq!(forest.root(7), prompt);
        assert_ne!(forest.root(8), prompt);
    }

    #[test]
    fn tokens_of_a_whole_sequence_see_each_other() {
        let mut forest = Forest::new();
        let tree = forest.root(7);
        let (first, second) = (forest.whole(&[7, 1, 2]), forest.whole(&[7, 1]));
        assert_eq!((first.clone(), second.clone()), (1..4, 4..6));
        assert_eq!(forest.visible(first.start), [1, 2, 3]);
        assert_eq!((forest.position(2), forest.position(5)), (1, 1));
        assert_eq!([0, 1, 2, 3, 4, 5].map(|node| forest.continues(node)), [false, false, true, true, false, true]);
        // The causal tree is left alone.
        assert_eq!((forest.root(7), forest.visible(tree)), (tree, vec![tree]));
    }
}
