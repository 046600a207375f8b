//! What edits are worth, by the episodes of base and edited model on the same levels: solved levels
//! by McNemar's test, returns by a paired randomisation test and a bootstrap.

use crate::error::{Error, Result};
use laser_run::statistics::{Interval, mcnemar_exact, paired_bootstrap, sign_flip_p};
use laser_run::{Entry, RunFolder, SplitName};
use laser_sokoban::{Game, Level, Move, read_levels, read_moves};
use schemars::JsonSchema;
use serde::Serialize;

const FLIPS: usize = 20_000;
const RESAMPLES: usize = 4_000;

/// How base and edited model play the same levels.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EpisodesVerdict {
    /// How many levels.
    pub levels: usize,
    /// Levels that base and edited model solve.
    pub solved: [usize; 2],
    /// Levels that only the edited model solves.
    pub gained: usize,
    /// Levels that only the base solves.
    pub lost: usize,
    /// McNemar's exact two-sided p-value.
    pub solved_p: f64,
    /// The chance that this test would find a gain as large as the paper's with as many changes as
    /// were seen.
    pub power_for_paper: f64,
    /// The mean returns of both, capped as in the paper.
    pub returns: [f64; 2],
    /// The mean difference of the returns.
    pub difference: f64,
    /// Its 95 % interval, by drawing the levels again.
    pub interval: Interval,
    /// The two-sided p-value of a paired randomisation test.
    pub returns_p: f64,
}

/// The paper's gain: from 50.67 to 53 % of the levels.
const PAPER_GAIN: f64 = 0.0233;

impl EpisodesVerdict {
    /// Compares episodes of the same levels, base and edited: whether each was solved, and its
    /// capped return.
    pub fn new(base: &[(bool, f64)], edited: &[(bool, f64)], seed: u64) -> Self {
        let n = base.len();
        let count = |of: fn(bool, bool) -> bool| base.iter().zip(edited).filter(|(a, b)| of(a.0, b.0)).count();
        let (gained, lost) = (count(|a, b| !a && b), count(|a, b| a && !b));
        let mean = |it: &[(bool, f64)]| it.iter().map(|it| it.1).sum::<f64>() / n.max(1) as f64;
        let differences: Vec<f64> = base.iter().zip(edited).map(|(a, b)| b.1 - a.1).collect();
        let clusters: Vec<usize> = (0..n).collect();
        let difference = differences.iter().sum::<f64>() / n.max(1) as f64;
        let none = Interval { low: difference, high: difference };
        let changed = ((gained + lost) as f64 / n.max(1) as f64).max(PAPER_GAIN);
        Self {
            levels: n,
            solved: [base, edited].map(|it| it.iter().filter(|it| it.0).count()),
            gained,
            lost,
            solved_p: mcnemar_exact(gained, lost),
            power_for_paper: mcnemar_power(n, (changed + PAPER_GAIN) / 2.0, (changed - PAPER_GAIN) / 2.0),
            returns: [mean(base), mean(edited)],
            difference,
            interval: paired_bootstrap(&differences, &clusters, RESAMPLES, seed).unwrap_or(none),
            returns_p: sign_flip_p(&differences, &clusters, FLIPS, seed).unwrap_or(1.0),
        }
    }

    /// Of a finished search in a RUN folder: its best candidate on the test levels, whose moves are
    /// played once more.
    ///
    /// # Errors
    /// The folder cannot be read, or holds no finished search over levels.
    pub fn of_run(folder: &RunFolder) -> Result<Self> {
        let (description, (_, levels)) = (folder.description()?, folder.splits()?);
        let [base, edited] = test_entries(folder)?;
        let levels = levels.iter().map(|it| level_of(&it.prompt, folder)).collect::<Result<Vec<_>>>()?;
        let outcomes = |entry: &Entry| -> Result<Vec<(bool, f64)>> {
            let played = episodes(entry, folder)?;
            Ok(levels.iter().zip(played).map(|(level, moves)| outcome(level, &moves)).collect())
        };
        Ok(Self::new(&outcomes(&base)?, &outcomes(&edited)?, description.search.seed))
    }

    /// What a person reads.
    pub fn text(&self) -> String {
        let Self { levels, solved: [a, b], gained, lost, solved_p, returns: [c, d], interval, .. } = self;
        let share = |count: usize| 100.0 * count as f64 / *levels as f64;
        format!(
            "Test levels: {levels}\n\
             solved: {a} ({:.2} %) -> {b} ({:.2} %): {gained} gained, {lost} lost, McNemar's p = {solved_p:.4}\n\
             \x20 a gain of {:.2} points with as many changes would be found with a chance of {:.0} %\n\
             return: {c:.3} -> {d:.3}: {:+.3} (95 % {:+.3} to {:+.3}), p = {:.4}\n",
            share(*a),
            share(*b),
            100.0 * PAPER_GAIN,
            100.0 * self.power_for_paper,
            self.difference,
            interval.low,
            interval.high,
            self.returns_p,
        )
    }
}

/// What base and best candidate of a finished search gave on test.
///
/// # Errors
/// The folder cannot be read, or the search is not finished.
pub fn test_entries(folder: &RunFolder) -> Result<[Entry; 2]> {
    let unfinished = || Error::File { path: folder.path().to_owned(), why: "the search is not finished".to_owned() };
    let (entries, recipe) = (folder.entries()?, folder.recipe()?.ok_or_else(unfinished)?);
    let of = |candidate| entries.get(SplitName::Test, candidate).cloned().ok_or_else(unfinished);
    Ok([of(&laser_edit::Candidate::base())?, of(&recipe.interventions)?])
}

/// The episodes of an entry, which are in its records.
///
/// # Errors
/// It has none.
pub fn episodes(entry: &Entry, folder: &RunFolder) -> Result<Vec<Vec<Move>>> {
    let none = || Error::File { path: folder.path().to_owned(), why: "its examples are not levels".to_owned() };
    let moves = |it: &laser_run::Record| Ok(read_moves(it.generation.as_ref().ok_or_else(none)?)?);
    entry.records.as_ref().ok_or_else(none)?.iter().map(moves).collect()
}

fn level_of(prompt: &str, folder: &RunFolder) -> Result<Level> {
    let wrong = |error: laser_sokoban::Error| Error::File { path: folder.path().to_owned(), why: error.to_string() };
    Ok(read_levels(prompt).map_err(wrong)?[0])
}

/// Whether moves solve a level, and their capped return.
fn outcome(level: &Level, moves: &[Move]) -> (bool, f64) {
    let mut game = Game::new(*level);
    for &towards in moves {
        if game.is_done() {
            break;
        }
        game.step(towards);
    }
    (game.is_solved(), game.capped_return())
}

/// The chance that McNemar's exact test gives p <= 0.05 and a gain over `n` pairs, if each is
/// gained or lost with these chances.
///
/// The number of changes is binomial, and so is the number of gains among them; both are summed
/// over.
pub fn mcnemar_power(n: usize, gained: f64, lost: f64) -> f64 {
    let changed = gained + lost;
    if n == 0 || changed <= 0.0 {
        return 0.0;
    }
    let of_changes = binomial(n, changed);
    let power_of = |changes: usize| -> f64 {
        let of_gains = binomial(changes, gained / changed);
        let found = |gains: &usize| 2 * gains > changes && mcnemar_exact(*gains, changes - gains) <= 0.05;
        // A sum of nothing by `sum` is -0.
        (0..=changes).filter(found).fold(0.0, |power, gains| power + of_gains[gains])
    };
    let likely = of_changes.iter().enumerate().filter(|(_, chance)| **chance > 1e-9);
    likely.fold(0.0, |power, (changes, chance)| power + chance * power_of(changes))
}

/// The chances of 0 to n hits of n.
fn binomial(n: usize, chance: f64) -> Vec<f64> {
    if chance >= 1.0 {
        return (0..=n).map(|hits| f64::from(u8::from(hits == n))).collect();
    }
    let mut log = n as f64 * (1.0 - chance).ln();
    let odds = (chance / (1.0 - chance)).ln();
    let mut chances = Vec::with_capacity(n + 1);
    for hits in 0..=n {
        chances.push(log.exp());
        log += ((n - hits) as f64 / (hits + 1) as f64).ln() + odds;
    }
    chances
}
