//! Which move is made.

use crate::decision_shape::ACTIONS;
use laser_sokoban::Move;
use std::fmt;

/// Which move is made of those that a policy finds likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MoveChoice {
    /// The most likely one.
    Likeliest,
    /// The most likely one of those that the episode has not yet made on this board, so that it
    /// does not go in circles. Where all have been made, they begin anew.
    #[default]
    Untried,
}

/// The moves, the most likely first.
pub(crate) type Ranking = [Move; ACTIONS];

/// The moves that an episode has made on a board, a bit each.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MovesMade(u8);

impl MoveChoice {
    /// The move on a board on which some have been made.
    pub(crate) fn of(self, ranking: Ranking, made: &mut MovesMade) -> Move {
        let untried = |towards: &Move| made.0 & 1 << *towards as u8 == 0;
        let chosen = match self {
            Self::Likeliest => Some(ranking[0]),
            Self::Untried => ranking.into_iter().find(untried),
        };
        if chosen.is_none() {
            made.0 = 0;
        }
        let towards = chosen.unwrap_or(ranking[0]);
        made.0 |= 1 << towards as u8;
        towards
    }
}

impl fmt::Display for MoveChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Likeliest => "the likeliest moves",
            Self::Untried => "the likeliest untried moves",
        })
    }
}

/// Of equals the first comes first.
pub(crate) fn ranking(logits: &[f32]) -> Ranking {
    let mut ranking = Move::ALL;
    ranking.sort_by(|&a, &b| logits[b as usize].total_cmp(&logits[a as usize]));
    ranking
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_that_comes_again_gets_another_move() {
        let ranking = ranking(&[0.1, 0.4, 0.4, 0.2]);
        let [first, second, third, last] = ranking;
        assert_eq!(ranking.map(|it| it as usize), [1, 2, 3, 0]);
        let mut made = MovesMade::default();
        let moves: Vec<Move> = (0..6).map(|_| MoveChoice::Untried.of(ranking, &mut made)).collect();
        assert_eq!(moves, [first, second, third, last, first, second]);
        assert_eq!(MoveChoice::Likeliest.of(ranking, &mut made), first);
    }
}
