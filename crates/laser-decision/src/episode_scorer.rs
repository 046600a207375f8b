//! Scores candidates by the episodes that they play.

use crate::error::Result;
use crate::policy::Policy;
use crate::rollout::Played;
use laser_edit::Candidate;
use laser_engine::Editor;
use laser_kernels::Backend;
use laser_model::Model;
use laser_run::{Batch, ExampleResult, Progress, Record, Report, ResultKind, Scorer, ScorerError, SplitName};
use laser_sokoban::{Level, moves_text};

/// So many candidates play together.
const TOGETHER: usize = 16;

/// What an episode is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EpisodeWorth {
    /// 1 if the level is solved, else 0.
    Solved,
    /// The return, capped as in the paper.
    Return,
}

impl EpisodeWorth {
    /// The kind of results.
    pub fn kind(self) -> ResultKind {
        match self {
            Self::Solved => ResultKind::Binary,
            Self::Return => ResultKind::Real,
        }
    }

    /// What an episode is worth.
    pub fn of(self, played: &Played) -> f64 {
        match self {
            Self::Solved => f64::from(u8::from(played.solved)),
            Self::Return => played.capped_return,
        }
    }
}

/// Scores candidates on levels: an example is a level.
pub struct EpisodeScorer<'a, B: Backend> {
    policy: &'a Policy<B>,
    editor: Editor<'a, B>,
    worth: EpisodeWorth,
    validation: Vec<Level>,
    test: Vec<Level>,
}

impl<'a, B: Backend> EpisodeScorer<'a, B> {
    /// A scorer of edited copies of a policy's model.
    pub fn new(policy: &'a Policy<B>, worth: EpisodeWorth, [validation, test]: [Vec<Level>; 2]) -> Self {
        let editor = Editor::new(policy.checkpoint(), policy.model());
        Self { policy, editor, worth, validation, test }
    }
}

/// The episodes that a candidate plays.
///
/// # Errors
/// The candidate does not fit the model, or the device fails.
pub fn play_edited<B: Backend>(policy: &Policy<B>, candidate: &Candidate, levels: &[Level]) -> Result<Vec<Played>> {
    let edited = Editor::new(policy.checkpoint(), policy.model()).edit(candidate)?;
    Ok(policy.play(&[&edited], levels, |_| Ok(()))?.pop().unwrap_or_default())
}

impl<B: Backend> Scorer for EpisodeScorer<'_, B> {
    fn kind(&self) -> ResultKind {
        self.worth.kind()
    }

    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        let is_test = batch.split == SplitName::Test;
        let all = if is_test { &self.test } else { &self.validation };
        let levels: Vec<Level> = match batch.examples {
            Some(numbers) => numbers.iter().filter_map(|&number| all.get(number).copied()).collect(),
            None => all.clone(),
        };
        let mut order: Vec<usize> = (0..batch.candidates.len()).collect();
        // Those that share the most layers play together.
        order.sort_by_key(|&number| std::cmp::Reverse(batch.candidates[number].layers().min()));
        for numbers in order.chunks(TOGETHER) {
            let candidates: Vec<&Candidate> = numbers.iter().map(|&number| batch.candidates[number]).collect();
            let edited = self.editor.edit_all(&candidates)?;
            let edited: Vec<&Model<B>> = edited.iter().collect();
            let played = self.policy.play(&edited, &levels, |ended| {
                progress.advance(ended);
                Ok(progress.go_on()?)
            })?;
            for (&number, played) in numbers.iter().zip(played) {
                let result = |played: &Played| {
                    let generation = Some(moves_text(played.moves.iter().copied()));
                    let record = is_test.then(|| Record { generation, ..Record::default() });
                    ExampleResult { value: self.worth.of(played), log_loss: 0.0, record }
                };
                report(number, played.iter().map(result).collect())?;
            }
        }
        Ok(())
    }

    fn rank_by_gradient(&mut self, _: &[Candidate], _: &[usize], _: &dyn Progress) -> Result<Vec<f64>, ScorerError> {
        Err("episodes have no gradient: search by another strategy".into())
    }
}
