//! A planner: A* over pushes.
//!
//! A node is a state right after a push. An edge is a walk and the push behind it, and costs as
//! many moves. The heuristic is the cheapest matching of boxes to targets by [`PushDistances`],
//! which never exceeds what is left: with weight 1 the solution has the fewest moves there are
//! (Hart, Nilsson, Raphael 1968). A weight above 1 finds solutions sooner that are at most so many
//! times as long (Pohl 1970).

use crate::board::{Level, State};
use crate::cells::Cells;
use crate::matching::cheapest_matching;
use crate::moves::Move;
use crate::push_distances::PushDistances;
use crate::walking::Reach;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// How levels are planned.
#[derive(Debug, Clone, Copy)]
pub struct Planner {
    /// What the heuristic is multiplied by, at least 1. With 1 solutions are the shortest.
    pub weight: u32,
    /// It gives up after so many expanded nodes.
    pub nodes: usize,
}

/// What came of planning.
#[derive(Debug, Clone, PartialEq)]
pub enum Plan {
    /// The level is solved.
    Solved(Solution),
    /// There is no solution.
    Unsolvable,
    /// None was found within the allowed nodes.
    OutOfNodes,
}

/// How to solve a level.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The moves.
    pub moves: Vec<Move>,
    /// Nodes that were expanded on the way.
    pub expanded: usize,
}

impl Default for Planner {
    fn default() -> Self {
        Self { weight: 2, nodes: 200_000 }
    }
}

/// A state that was reached by a push.
struct Node {
    state: State,
    moves: u32,
    left: u32,
    /// The node before, and the push that led here; none at the start.
    from: Option<(u32, Push)>,
}

#[derive(Clone, Copy)]
struct Push {
    /// Where the player stands before it.
    stand: u8,
    towards: Move,
}

struct Search<'a> {
    level: &'a Level,
    distances: PushDistances,
    nodes: Vec<Node>,
    /// The best node of each state.
    known: HashMap<State, u32>,
    /// By estimated length, then by what is left, then oldest first.
    open: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

impl Planner {
    /// Plans a level from its start.
    pub fn plan(&self, level: &Level) -> Plan {
        let mut search = Search {
            level,
            distances: PushDistances::of(level),
            nodes: Vec::new(),
            known: HashMap::new(),
            open: BinaryHeap::new(),
        };
        search.add(level.start(), 0, None, self.weight);
        let mut expanded = 0;
        while let Some(Reverse((_, _, number))) = search.open.pop() {
            let state = search.nodes[number as usize].state;
            // A shorter way to the same state has been found since.
            if search.known.get(&state) != Some(&number) {
                continue;
            }
            if level.is_solved(&state) {
                return Plan::Solved(Solution { moves: search.moves_to(number), expanded });
            }
            if expanded == self.nodes {
                return Plan::OutOfNodes;
            }
            expanded += 1;
            search.expand(number, self.weight);
        }
        Plan::Unsolvable
    }
}

impl Search<'_> {
    /// Adds a state, unless it is hopeless or known by a way as short.
    fn add(&mut self, state: State, moves: u32, from: Option<(u32, Push)>, weight: u32) {
        let known = self.known.get(&state).map(|&known| &self.nodes[known as usize]);
        let left = match known {
            Some(known) if known.moves <= moves => return,
            Some(known) => known.left,
            None => match self.pushes_left(state.boxes) {
                Some(left) => left,
                None => return,
            },
        };
        let number = self.nodes.len() as u32;
        self.nodes.push(Node { state, moves, left, from });
        self.known.insert(state, number);
        self.open.push(Reverse((moves + weight.max(1) * left, left, number)));
    }

    fn expand(&mut self, number: u32, weight: u32) {
        let Node { state, moves, .. } = self.nodes[number as usize];
        let obstacles = self.level.walls().or(state.boxes);
        let reach = Reach::of(state.player, obstacles);
        let forbidden = obstacles.or(self.distances.dead());
        for from in state.boxes.iter() {
            for towards in Move::ALL {
                let (stand, to) = (towards.opposite().from_cell(from), towards.from_cell(from));
                if forbidden.has(to) || !reach.all().has(stand) {
                    continue;
                }
                let boxes = state.boxes.without(from).with(to);
                let Some(steps) = reach.steps(stand).filter(|_| !self.is_stuck(boxes, to)) else { continue };
                let push = Push { stand, towards };
                self.add(State { boxes, player: from }, moves + steps as u32 + 1, Some((number, push)), weight);
            }
        }
    }

    /// Whether the box at `cell` is in a square of four walls and boxes that has a box off target:
    /// none of them can ever be moved.
    fn is_stuck(&self, boxes: Cells, cell: u8) -> bool {
        let full = self.level.walls().or(boxes);
        let off_target = boxes.minus(self.level.targets());
        [Move::Up, Move::Down].into_iter().any(|vertical| {
            [Move::Left, Move::Right].into_iter().any(|horizontal| {
                let (above, beside) = (vertical.from_cell(cell), horizontal.from_cell(cell));
                let square: Cells = [cell, above, beside, horizontal.from_cell(above)].into_iter().collect();
                square.minus(full).is_empty() && !square.and(off_target).is_empty()
            })
        })
    }

    /// Pushes that are needed at least; none if some box can reach no target of its own.
    fn pushes_left(&self, boxes: Cells) -> Option<u32> {
        let mut cells = [0; crate::board::MAX_BOXES];
        boxes.iter().zip(&mut cells).for_each(|(cell, place)| *place = cell);
        cheapest_matching(boxes.count(), |number, target| self.distances.pushes(cells[number], target))
    }

    /// The moves from the start to a node.
    fn moves_to(&self, number: u32) -> Vec<Move> {
        let mut pushes = Vec::new();
        let mut at = &self.nodes[number as usize];
        while let Some((before, push)) = at.from {
            at = &self.nodes[before as usize];
            pushes.push((at.state, push));
        }
        let mut moves = Vec::new();
        for (state, push) in pushes.into_iter().rev() {
            let reach = Reach::of(state.player, self.level.walls().or(state.boxes));
            moves.extend(reach.way(push.stand).unwrap_or_default());
            moves.push(push.towards);
        }
        moves
    }
}
