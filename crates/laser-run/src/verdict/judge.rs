//! From what two models gave on the same examples to a verdict.

use super::changes::Changes;
use super::class_verdict::ClassVerdict;
use super::figures::{
    BaseAndEdited, Comparison, Constants, Gain, RESAMPLES, ScoreWithInterval, Scores, WithoutTopAnswer,
};
use super::rules::{self, Reason, Word};
use crate::constant::Constant;
use crate::cost_change::CostChange;
use crate::cost_limits::CostLimits;
use crate::entry::Entry;
use crate::group_numbers::{group_numbers, numbered};
use crate::metrics::Metrics;
use crate::perplexity::PerplexityChange;
use crate::statistics::{
    ChanceGain, Interval, best_by_chance, best_value_by_chance, mcnemar_exact, paired_bootstrap, sign_flip_p, tango,
    wilson_of_groups,
};
use laser_edit::Candidate;
use laser_example::Example;
use schemars::JsonSchema;
use serde::Serialize;

/// How many random signs a randomisation test draws.
const FLIPS: usize = 20_000;
/// The same for all candidates together.
const SELECTION_FLIPS: usize = 2_000;

/// What came of a search, and all that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Verdict {
    /// Why; the word follows from it.
    #[serde(skip)]
    pub reason: Reason,
    /// The chosen candidate.
    pub best: Candidate,
    /// How many candidates were scored on the whole validation split.
    pub candidates: usize,
    /// How many there were to choose from, with those that were dropped before.
    pub considered: usize,
    /// Whether candidates were made, or ranked, by what others gave on validation, so that `selection` understates chance.
    pub adaptive: bool,
    /// How many groups the test examples come in; as many as examples where each is its own.
    pub groups: usize,
    /// The unedited model.
    pub base: Scores,
    /// The chosen candidate.
    pub edited: Scores,
    /// Edited against base on the same test examples.
    pub test: Comparison,
    /// The gain that the best of all candidates shows on validation, and how large chance alone makes it: after a race on the
    /// examples of its last round, which dropped none of them.
    pub selection: ChanceGain,
    /// The gain on test without the answer that it owes most to; none where all examples have the same choices, and where
    /// results are not right or wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_top_answer: Option<WithoutTopAnswer>,
    /// Always giving one answer; none where results are not right or wrong, and of episodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub constant: Option<Constants>,
    /// Where all examples have the same choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<ClassVerdict>,
    /// Other metrics on test, base and edited; none where results are not right or wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics: Option<BaseAndEdited<Metrics>>,
    /// The half of the reference text that no candidate was chosen by, before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub perplexity: Option<PerplexityChange>,
    /// What the edits do elsewhere, where that was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<CostChange>,
    /// Some of the answers that the edit turned right or wrong.
    pub examples: Changes,
    /// Where there are several tasks to gain on: the verdict on each.
    #[serde(skip)]
    pub tasks: Vec<TaskVerdict>,
}

/// The verdict on one of several tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskVerdict {
    /// The task's name.
    pub name: String,
    /// What a gain on it counted for.
    pub weight: f64,
    /// The verdict, from the task's examples alone.
    pub verdict: Verdict,
}

impl Verdict {
    /// The verdict in one word.
    pub fn word(&self) -> Word {
        self.reason.word()
    }

    /// Whether log-losses were measured: of episodes, and by a scorer of another program, there may be none, which is noted as 0.
    pub fn has_log_loss(&self) -> bool {
        [&self.base, &self.edited].iter().any(|it| it.test.score.log_loss != 0.0 || it.validation.score.log_loss != 0.0)
    }

    /// Whether results are right or wrong, nothing between.
    pub fn is_binary(&self) -> bool {
        self.test.mcnemar_p.is_some()
    }
}

/// `verdict.json`: a verdict with the sentence that says why.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VerdictFile<'a> {
    /// The verdict in one word.
    word: Word,
    /// The reason, in a sentence.
    because: String,
    #[serde(flatten)]
    verdict: &'a Verdict,
    /// Where there are several tasks to gain on: the verdict on each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tasks: Vec<TaskVerdictFile<'a>>,
}

/// The verdict on one of several tasks, from its examples alone.

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
struct TaskVerdictFile<'a> {
    /// The task's name.
    task: &'a str,
    /// What a gain on it counted for.
    weight: f64,
    #[serde(flatten)]
    verdict: VerdictFile<'a>,
}

impl<'a> VerdictFile<'a> {
    /// The file of `verdict`; `because` says the reason of a verdict in words.
    pub fn new(verdict: &'a Verdict, because: fn(&Verdict) -> String) -> Self {
        let of_task = |it: &'a TaskVerdict| TaskVerdictFile {
            task: &it.name,
            weight: it.weight,
            verdict: Self::new(&it.verdict, because),
        };
        Self {
            word: verdict.word(),
            because: because(verdict),
            verdict,
            tasks: verdict.tasks.iter().map(of_task).collect(),
        }
    }
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
    /// Whether candidates were made, or ranked, by what others gave on validation.
    pub adaptive: bool,
    /// After a race, the numbers of the validation examples that had no part in dropping candidates.
    pub last_round: Option<&'a [usize]>,
    /// The examples of the validation split.
    pub validation: &'a [&'a Example],
    /// The examples of the test split.
    pub test: &'a [&'a Example],
    /// What the edits do elsewhere than on the task.
    pub cost: Option<CostChange>,
    /// What they may cost.
    pub limits: CostLimits,
    /// Seed of everything that is drawn.
    pub seed: u64,
}

impl<'a> Evidence<'a> {
    /// That of a search which scored all candidates on all examples, chose by these alone and measured no costs, with seed 0.
    /// The examples are those of validation and of test.
    pub fn new(
        base: Pair<'a>,
        edited: Pair<'a>,
        candidates: &'a [&'a Entry],
        [validation, test]: [&'a [&'a Example]; 2],
    ) -> Self {
        Self {
            base,
            edited,
            candidates,
            dropped: 0,
            adaptive: false,
            last_round: None,
            validation,
            test,
            cost: None,
            limits: CostLimits::default(),
            seed: 0,
        }
    }
}

/// One candidate's entries.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// On validation.
    pub validation: &'a Entry,
    /// On test, with its records where results are right or wrong.
    pub test: &'a Entry,
}

/// The verdict. None where entries are not over the examples or are of different kinds, or where results are right or wrong
/// and the test entries have no records.
pub fn judge(evidence: &Evidence) -> Option<Verdict> {
    let Evidence { base, edited, validation, test, seed, .. } = *evidence;
    let binary = base.test.is_binary();
    let fits = |entry: &Entry, examples: &[&Example]| entry.is_over(examples.len()) && entry.is_binary() == binary;
    let on_validation = [base.validation, edited.validation].into_iter().chain(evidence.candidates.iter().copied());
    let consistent = on_validation.into_iter().all(|entry| fits(entry, validation))
        && [base.test, edited.test].into_iter().all(|entry| fits(entry, test));
    if !consistent || test.is_empty() || validation.is_empty() {
        return None;
    }
    let groups = Groups { validation: group_numbers(validation), test: group_numbers(test) };

    let comparison = compare(base.test, edited.test, &groups.test, seed)?;
    let selection = selection(evidence, &groups.validation)?;
    let answered = test.iter().all(|example| example.is_answered());
    let answers = if binary && answered { Some(Answers::of(evidence, &groups.test)?) } else { None };
    let scores = |pair: Pair| {
        Some(Scores {
            validation: with_interval(pair.validation, &groups.validation, seed)?,
            test: with_interval(pair.test, &groups.test, seed)?,
        })
    };
    let (base_scores, edited_scores) = (scores(base)?, scores(edited)?);
    let text = evidence.cost.as_ref().and_then(|cost| cost.text.as_ref());
    let reason = rules::decide(&rules::Findings {
        test: &comparison,
        without_top_answer: answers.as_ref().and_then(|answers| answers.without_top.as_ref()),
        classes: answers.as_ref().and_then(|answers| answers.classes.as_ref()),
        perplexity: text,
        perplexity_growth: evidence.limits.perplexity.map(f64::ln_1p),
        nothing_chosen: edited.test.interventions == Candidate::base(),
    });
    let (without_top_answer, constant, classes, metrics) = match answers {
        Some(answers) => (answers.without_top, Some(answers.constant), answers.classes, Some(answers.metrics)),
        None => (None, None, None, None),
    };
    Some(Verdict {
        reason,
        best: edited.test.interventions.clone(),
        candidates: evidence.candidates.len(),
        considered: evidence.candidates.len().saturating_add(evidence.dropped),
        adaptive: evidence.adaptive,
        groups: groups.test.iter().max().map_or(0, |&last| last + 1),
        base: base_scores,
        edited: edited_scores,
        test: comparison,
        selection,
        without_top_answer,
        constant,
        classes,
        metrics,
        perplexity: text.cloned(),
        cost: evidence.cost.clone(),
        examples: Changes::of(test, base.test, edited.test),
        tasks: Vec::new(),
    })
}

impl Evidence<'_> {
    /// The verdict on the examples with these numbers alone, of validation and of test.
    pub(crate) fn of_examples(&self, [validation, test]: &[Vec<usize>; 2]) -> Option<Verdict> {
        let of = |pair: Pair| Some([pair.validation.only(validation)?, pair.test.only(test)?]);
        let ([base, base_test], [edited, edited_test]) = (of(self.base)?, of(self.edited)?);
        let candidates = self.candidates.iter().map(|entry| entry.only(validation)).collect::<Option<Vec<Entry>>>()?;
        let place = |number: &usize| validation.binary_search(number).ok();
        let last_round: Option<Vec<usize>> = self.last_round.map(|all| all.iter().filter_map(place).collect());
        judge(&Evidence {
            base: Pair { validation: &base, test: &base_test },
            edited: Pair { validation: &edited, test: &edited_test },
            candidates: &candidates.iter().collect::<Vec<_>>(),
            // Where the last round had none of them, all count.
            last_round: last_round.as_deref().filter(|numbers| !numbers.is_empty()),
            validation: &validation.iter().map(|&i| self.validation[i]).collect::<Vec<_>>(),
            test: &test.iter().map(|&i| self.test[i]).collect::<Vec<_>>(),
            cost: self.cost.clone(),
            ..*self
        })
    }
}

/// What follows from answers that are right or wrong.
struct Answers {
    without_top: Option<WithoutTopAnswer>,
    constant: Constants,
    classes: Option<ClassVerdict>,
    metrics: BaseAndEdited<Metrics>,
}

impl Answers {
    fn of(evidence: &Evidence, clusters: &[usize]) -> Option<Self> {
        let Evidence { base, edited, validation, test, seed, .. } = *evidence;
        let (base_records, edited_records) = (base.test.records.as_deref()?, edited.test.records.as_deref()?);
        if [base_records, edited_records].iter().any(|records| records.len() != test.len()) {
            return None;
        }
        let classes = ClassVerdict::of(test, base_records, edited_records, clusters, seed);
        let without_top = match classes {
            Some(_) => None,
            None => Some(without_top_answer(base.test, edited.test, test, clusters, seed)?),
        };
        let majority = Constant::of(&Constant::most_frequent(validation)?.answer, test);
        Some(Self {
            without_top,
            constant: Constants { majority, best: Constant::most_frequent(test)? },
            classes,
            metrics: BaseAndEdited {
                base: Metrics::of(test, base_records)?,
                edited: Metrics::of(test, edited_records)?,
            },
        })
    }
}

/// The number of each example's group, by split.
struct Groups {
    validation: Vec<usize>,
    test: Vec<usize>,
}

/// How large chance makes the gain that the best candidate shows.
fn selection(evidence: &Evidence, clusters: &[usize]) -> Option<ChanceGain> {
    let Evidence { candidates, last_round, seed, .. } = *evidence;
    let base = evidence.base.validation;
    let clusters = some_of(clusters, last_round)?;
    if base.is_binary() {
        let hits = |entry: &Entry| some_of(&entry.hits().collect::<Vec<_>>(), last_round);
        let all: Vec<Vec<bool>> = candidates.iter().map(|entry| hits(entry)).collect::<Option<_>>()?;
        let all: Vec<&[bool]> = all.iter().map(Vec::as_slice).collect();
        return best_by_chance(&hits(base)?, &all, &clusters, SELECTION_FLIPS, seed);
    }
    let values = |entry: &Entry| some_of(&entry.values(), last_round);
    let all: Vec<Vec<f64>> = candidates.iter().map(|entry| values(entry)).collect::<Option<_>>()?;
    let all: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
    best_value_by_chance(&values(base)?, &all, &clusters, SELECTION_FLIPS, seed)
}

/// The `values` at `numbers`, or all of them. None where there are not so many.
fn some_of<T: Copy>(values: &[T], numbers: Option<&[usize]>) -> Option<Vec<T>> {
    match numbers {
        None => Some(values.to_vec()),
        Some(numbers) => numbers.iter().map(|&number| values.get(number).copied()).collect(),
    }
}

fn with_interval(entry: &Entry, clusters: &[usize], seed: u64) -> Option<ScoreWithInterval> {
    let accuracy_interval: Interval = match &entry.values {
        None => wilson_of_groups(&entry.hits().collect::<Vec<_>>(), clusters),
        Some(values) => paired_bootstrap(values, clusters, RESAMPLES, seed)?,
    };
    Some(ScoreWithInterval {
        score: entry.score,
        accuracy_interval,
        log_loss_interval: paired_bootstrap(&entry.log_loss, clusters, RESAMPLES, seed)?,
    })
}

fn compare(base: &Entry, edited: &Entry, clusters: &[usize], seed: u64) -> Option<Comparison> {
    let gains = gains(base, edited);
    let gained = gains.iter().filter(|&&gain| gain > 0.0).count();
    let lost = gains.iter().filter(|&&gain| gain < 0.0).count();
    let changes: Vec<f64> = base.log_loss.iter().zip(&edited.log_loss).map(|(before, after)| after - before).collect();
    let mcnemar_p = base.is_binary().then(|| mcnemar_exact(gained, lost));
    let grouped = clusters.iter().max().is_some_and(|&last| last + 1 < clusters.len());
    let p = match mcnemar_p {
        Some(p) if !grouped => p,
        _ => sign_flip_p(&gains, clusters, FLIPS, seed)?,
    };
    let accuracy_gain_interval = match mcnemar_p {
        Some(_) if !grouped => tango(gained, lost, gains.len()),
        _ => paired_bootstrap(&gains, clusters, RESAMPLES, seed)?,
    };
    Some(Comparison {
        accuracy_gain: edited.score.accuracy - base.score.accuracy,
        accuracy_gain_interval,
        log_loss_change: edited.score.log_loss - base.score.log_loss,
        log_loss_change_interval: paired_bootstrap(&changes, clusters, RESAMPLES, seed)?,
        gained,
        lost,
        mcnemar_p,
        p,
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
    let answers = numbered(test.iter().map(|example| example.answer().to_lowercase()));
    let mut gains = gains(base, edited);
    let mut sums = vec![0.0; answers.iter().max()? + 1];
    for (&answer, gain) in answers.iter().zip(&gains) {
        sums[answer] += gain;
    }
    let top = (0..sums.len()).fold(0, |top, answer| if sums[answer] > sums[top] { answer } else { top });
    let example = answers.iter().position(|&answer| answer == top)?;
    let share = answers.iter().filter(|&&answer| answer == top).count() as f64 / answers.len() as f64;
    for (&answer, gain) in answers.iter().zip(&mut gains) {
        if answer == top {
            *gain = 0.0;
        }
    }
    let interval = paired_bootstrap(&gains, clusters, RESAMPLES, seed)?;
    let left = Gain { gain: gains.iter().sum::<f64>() / gains.len() as f64, interval };
    Some(WithoutTopAnswer { answer: test[example].answer().to_owned(), share, left })
}

/// For each example the result of the edited model less that of the base: where they are right or wrong 1 where only the
/// edited model is right, -1 where only the base is.
fn gains(base: &Entry, edited: &Entry) -> Vec<f64> {
    base.values().iter().zip(edited.values()).map(|(before, after)| after - before).collect()
}
