//! Whether the chosen candidate is better than the base, and why it may only seem so. The rules are in `docs/verdict.md`.

mod changes;
mod labels;
mod rules;

pub use changes::{Changed, Changes};
pub use labels::{ClassVerdict, Predictions};
pub use rules::{Limits, Word};

use crate::journal::Entry;
use laser_engine::Candidate;
use laser_run::Constant;
use laser_run::Metrics;
use laser_run::PerplexityChange;
use laser_run::Record;
use laser_run::statistics::{
    ChanceGain, Interval, best_by_chance, mcnemar_exact, paired_bootstrap, sign_flip_p, wilson,
};
use laser_tasks::{Example, Score};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How many times the bootstrap resamples.
const RESAMPLES: usize = 4_000;
/// How many random signs a randomisation test draws.
const FLIPS: usize = 20_000;
/// The same for all candidates together.
const SELECTION_FLIPS: usize = 2_000;

/// `verdict.json`: what came of a search, in one word and with all that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The verdict.
    pub word: Word,
    /// Why, in a sentence.
    pub because: String,
    /// The chosen candidate.
    pub best: Candidate,
    /// How many candidates were scored on the whole validation split.
    pub candidates: usize,
    /// How many there were to choose from, with those that were dropped before.
    #[serde(default)]
    pub considered: usize,
    /// Whether what candidates gave on validation decided which others were scored there, so that `selection` understates chance.
    #[serde(default)]
    pub adaptive: bool,
    /// The unedited model.
    pub base: Scores,
    /// The chosen candidate.
    pub edited: Scores,
    /// Edited against base on the same test examples.
    pub test: Comparison,
    /// The gain that the best of all candidates shows on validation, and how large chance alone makes it.
    pub selection: ChanceGain,
    /// The gain on test without the answer that it owes most to; none where all examples have the same choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_top_answer: Option<WithoutTopAnswer>,
    /// Always giving one answer.
    pub constant: Constants,
    /// Where all examples have the same choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassVerdict>,
    /// Other metrics on test, base and edited.
    pub metrics: BaseAndEdited<Metrics>,
    /// A text before and after, where one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<PerplexityChange>,
    /// Some of the answers that the edit turned right or wrong.
    pub examples: Changes,
}

/// One model on the two splits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// On the split that the candidate was chosen on: the best of many is flattered there.
    pub validation: ScoreWithInterval,
    /// On the untouched split.
    pub test: ScoreWithInterval,
}

/// A score and how sure its accuracy is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreWithInterval {
    /// Examples, accuracy, log-loss.
    #[serde(flatten)]
    pub score: Score,
    /// 95 % Wilson interval of the accuracy, which takes the examples as independent: paraphrases of one fact are not.
    pub accuracy_interval: Interval,
    /// 95 % bootstrap interval of the log-loss, nats a token; whole groups are resampled.
    pub log_loss_interval: Interval,
}

/// Two models on the same examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Accuracy of the edited model less that of the base.
    pub accuracy_gain: f64,
    /// 95 % paired bootstrap interval of the gain; whole groups are resampled.
    pub accuracy_gain_interval: Interval,
    /// Log-loss of the edited model less that of the base, nats a token; below zero is better.
    pub log_loss_change: f64,
    /// 95 % paired bootstrap interval of the change; whole groups are resampled.
    pub log_loss_change_interval: Interval,
    /// Examples that only the edited model gets right.
    pub gained: usize,
    /// Examples that only the base gets right.
    pub lost: usize,
    /// McNemar's exact two-sided p-value of gained against lost, which takes the examples as independent.
    pub mcnemar_p: f64,
    /// The p-value that the verdict goes by: McNemar's, or where examples come in groups that of flipping the signs of whole
    /// groups.
    pub p: f64,
}

/// A gain in accuracy, as a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Edited less base.
    pub gain: f64,
    /// Its 95 % paired bootstrap interval; whole groups are resampled.
    pub interval: Interval,
}

/// What is left of a gain without the examples of one right answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WithoutTopAnswer {
    /// The answer with the most examples gained less lost.
    pub answer: String,
    /// The gain of the others, as a fraction of all examples.
    #[serde(flatten)]
    pub left: Gain,
}

/// The baselines of one answer for every example of the test split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Constants {
    /// The answer that is most frequent on validation.
    pub majority: Constant,
    /// The answer that is most frequent on test.
    pub best: Constant,
}

/// The same of both models.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaseAndEdited<T> {
    /// Of the unedited model.
    pub base: T,
    /// Of the edited model.
    pub edited: T,
}

/// What a verdict is made from.
pub struct Evidence<'a> {
    /// The unedited model on both splits.
    pub base: Pair<'a>,
    /// The chosen candidate on both splits.
    pub edited: Pair<'a>,
    /// Every candidate on validation, without the base.
    pub candidates: &'a [&'a Entry],
    /// How many more were dropped before they were scored on the whole split.
    pub dropped: usize,
    /// Whether what candidates gave on validation decided which others were scored there.
    pub adaptive: bool,
    /// The examples of the validation split.
    pub validation: &'a [&'a Example],
    /// The examples of the test split.
    pub test: &'a [&'a Example],
    /// A text before and after.
    pub perplexity: Option<PerplexityChange>,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

/// One candidate's entries.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// On validation.
    pub validation: &'a Entry,
    /// On test, with its records.
    pub test: &'a Entry,
}

/// The best entry: the most right answers, of those the lowest log-loss, of those the first.
pub fn best(entries: &[&Entry]) -> Option<usize> {
    (0..entries.len()).reduce(|best, i| {
        let (champion, challenger) = (entries[best], entries[i]);
        let better = challenger.right() > champion.right()
            || (challenger.right() == champion.right() && challenger.score.log_loss < champion.score.log_loss);
        if better { i } else { best }
    })
}

/// The verdict. None where entries are not over the examples, or the test entries have no records.
pub fn judge(evidence: &Evidence) -> Option<Verdict> {
    let Evidence { base, edited, validation, test, seed, .. } = *evidence;
    let fits = |entry: &Entry, examples: &[&Example]| {
        [entry.score.n, entry.correct.len(), entry.log_loss.len()].iter().all(|&n| n == examples.len())
    };
    let on_validation = [base.validation, edited.validation].into_iter().chain(evidence.candidates.iter().copied());
    let consistent = on_validation.into_iter().all(|entry| fits(entry, validation))
        && [base.test, edited.test].into_iter().all(|entry| fits(entry, test));
    if !consistent || test.is_empty() || validation.is_empty() {
        return None;
    }
    let (base_records, edited_records) = (base.test.records.as_deref()?, edited.test.records.as_deref()?);
    if [base_records, edited_records].iter().any(|records| records.len() != test.len()) {
        return None;
    }
    let groups = Groups { validation: numbered(validation), test: numbered(test) };

    let comparison = compare(base.test, edited.test, &groups.test, seed)?;
    let hits: Vec<Vec<bool>> = evidence.candidates.iter().map(|entry| entry.hits().collect()).collect();
    let hits: Vec<&[bool]> = hits.iter().map(Vec::as_slice).collect();
    let base_hits: Vec<bool> = base.validation.hits().collect();
    let selection = best_by_chance(&base_hits, &hits, &groups.validation, SELECTION_FLIPS, seed)?;
    let perplexity = evidence.perplexity.clone();
    let classes = ClassVerdict::of(test, base_records, edited_records, &groups.test, seed);
    let without_top_answer = match classes {
        Some(_) => None,
        None => Some(without_top_answer(base.test, edited.test, test, &groups.test, seed)?),
    };
    let scores = |pair: Pair| {
        Some(Scores {
            validation: with_interval(pair.validation, &groups.validation, seed)?,
            test: with_interval(pair.test, &groups.test, seed)?,
        })
    };
    let (base_scores, edited_scores) = (scores(base)?, scores(edited)?);
    let majority = Constant::of(&Constant::most_frequent(validation)?.answer, test);
    let (word, because) = rules::decide(&rules::Findings {
        test: &comparison,
        base_log_loss: base_scores.test.score.log_loss,
        selection: &selection,
        adaptive: evidence.adaptive,
        without_top_answer: without_top_answer.as_ref(),
        classes: classes.as_ref(),
        perplexity: perplexity.as_ref(),
    });
    Some(Verdict {
        word,
        because,
        best: edited.test.interventions.clone(),
        candidates: evidence.candidates.len(),
        considered: evidence.candidates.len() + evidence.dropped,
        adaptive: evidence.adaptive,
        base: base_scores,
        edited: edited_scores,
        test: comparison,
        selection,
        without_top_answer,
        constant: Constants { majority, best: Constant::most_frequent(test)? },
        classes,
        metrics: BaseAndEdited { base: Metrics::of(test, base_records)?, edited: Metrics::of(test, edited_records)? },
        perplexity,
        examples: Changes::of(test, (base.test, base_records), (edited.test, edited_records)),
    })
}

/// The number of each example's group, by split.
struct Groups {
    validation: Vec<usize>,
    test: Vec<usize>,
}

fn with_interval(entry: &Entry, clusters: &[usize], seed: u64) -> Option<ScoreWithInterval> {
    Some(ScoreWithInterval {
        score: entry.score,
        accuracy_interval: wilson(entry.right(), entry.score.n),
        log_loss_interval: paired_bootstrap(&entry.log_loss, clusters, RESAMPLES, seed)?,
    })
}

fn compare(base: &Entry, edited: &Entry, clusters: &[usize], seed: u64) -> Option<Comparison> {
    let pairs: Vec<(bool, bool)> = base.hits().zip(edited.hits()).collect();
    let gained = pairs.iter().filter(|&&(before, after)| after && !before).count();
    let lost = pairs.iter().filter(|&&(before, after)| before && !after).count();
    let gains = gains(base, edited);
    let changes: Vec<f64> = base.log_loss.iter().zip(&edited.log_loss).map(|(before, after)| after - before).collect();
    let mcnemar_p = mcnemar_exact(gained, lost);
    let grouped = clusters.iter().max().is_some_and(|&last| last + 1 < clusters.len());
    Some(Comparison {
        accuracy_gain: edited.score.accuracy - base.score.accuracy,
        accuracy_gain_interval: paired_bootstrap(&gains, clusters, RESAMPLES, seed)?,
        log_loss_change: edited.score.log_loss - base.score.log_loss,
        log_loss_change_interval: paired_bootstrap(&changes, clusters, RESAMPLES, seed)?,
        gained,
        lost,
        mcnemar_p,
        p: if grouped { sign_flip_p(&gains, clusters, FLIPS, seed)? } else { mcnemar_p },
    })
}

/// The gain without the examples of the right answer that gained most.
fn without_top_answer(
    base: &Entry,
    edited: &Entry,
    test: &[&Example],
    clusters: &[usize],
    seed: u64,
) -> Option<WithoutTopAnswer> {
    let answers = numbered_by(test, |example| example.answer().to_lowercase());
    let mut gains = gains(base, edited);
    let mut sums = vec![0.0; answers.iter().max()? + 1];
    for (&answer, gain) in answers.iter().zip(&gains) {
        sums[answer] += gain;
    }
    let top = (0..sums.len()).fold(0, |top, answer| if sums[answer] > sums[top] { answer } else { top });
    let example = answers.iter().position(|&answer| answer == top)?;
    for (&answer, gain) in answers.iter().zip(&mut gains) {
        if answer == top {
            *gain = 0.0;
        }
    }
    let interval = paired_bootstrap(&gains, clusters, RESAMPLES, seed)?;
    let left = Gain { gain: gains.iter().sum::<f64>() / gains.len() as f64, interval };
    Some(WithoutTopAnswer { answer: test[example].answer().to_owned(), left })
}

/// For each example 1 where only the edited model is right, -1 where only the base is.
fn gains(base: &Entry, edited: &Entry) -> Vec<f64> {
    base.hits().zip(edited.hits()).map(|(before, after)| f64::from(after) - f64::from(before)).collect()
}

/// The number of each example's group, in order of first appearance.
fn numbered(examples: &[&Example]) -> Vec<usize> {
    numbered_by(examples, |example| example.group.clone())
}

fn numbered_by(examples: &[&Example], name: impl Fn(&Example) -> String) -> Vec<usize> {
    let mut numbers = HashMap::new();
    examples
        .iter()
        .map(|example| {
            let next = numbers.len();
            *numbers.entry(name(example)).or_insert(next)
        })
        .collect()
}

/// Records of the choices, as the rule of each example compares them: log-probabilities, or those a character.
fn choice_scores(
    examples: &[&Example],
    records: &[Record],
    of: impl Fn(&Record) -> Option<&Vec<f64>>,
) -> Option<Vec<Vec<f64>>> {
    let scores = |(example, record): (&&Example, &Record)| {
        let laser_tasks::Target::Choose(choice) = &example.target else { return None };
        let logprobs = of(record)?;
        if logprobs.len() != choice.choices.len() {
            return None;
        }
        let length = |text: &String| if choice.by_length { text.chars().count() as f64 } else { 1.0 };
        Some(logprobs.iter().zip(&choice.choices).map(|(logprob, text)| logprob / length(text)).collect())
    };
    examples.iter().zip(records).map(scores).collect()
}
