//! Journals whose truth is known: how often the verdict finds it.

#[path = "support/made.rs"]
mod made;

use laser_edit::Candidate;
use laser_example::{Example, SplitMix64, Target};
use laser_run::{
    BiasCheck, CostChange, CostLimits, Entry, Evidence, ExampleResult, Pair, PerplexityChange, Reason, Record,
    ResultKind, SplitName, Verdict, Windows, Word, judge,
};
use made::uniform;
use rayon::prelude::*;

/// Candidate `number` of many.
fn candidate(number: usize) -> Candidate {
    let (layer, rho) = (number / 100, (number % 100) as f64 / 100.0);
    serde_json::from_value(serde_json::json!([{"layer": layer, "matrix": "fc_in", "rho": rho}])).unwrap()
}

fn generated(n: usize, answers: usize) -> Vec<Example> {
    let example = |i: usize| {
        let target = Target::generate(vec![format!("answer {}", i % answers)], 10).unwrap();
        Example::new(i.to_string(), None, format!("question {i}"), target).unwrap()
    };
    (0..n).map(example).collect()
}

/// One candidate on one split, with log-losses of its own if they are given.
fn entry(split: SplitName, candidate: &Candidate, hits: &[bool], log_losses: Option<&[f64]>) -> Entry {
    let log_loss = |i: usize, correct: bool| log_losses.map_or(if correct { 1.0 } else { 2.0 }, |losses| losses[i]);
    made::entry(split, candidate, hits, log_loss)
}

/// Outcomes that differ from `base`: each wrong one turns right with probability `gain`, each right one wrong with `loss`.
fn turned(base: &[bool], gain: f64, loss: f64, random: &mut SplitMix64) -> Vec<bool> {
    base.iter().map(|&hit| if uniform(random) < if hit { loss } else { gain } { !hit } else { hit }).collect()
}

/// The verdict of a search over `candidates` of which none but candidate 7 differs truly from a base of `accuracy`: that
/// one turns wrong ones right with probability `gain` and right ones wrong with probability `loss`.
fn searched(candidates: usize, accuracy: f64, noise: f64, truth: Option<(f64, f64)>, seed: u64) -> Verdict {
    let mut random = SplitMix64::new(seed);
    let examples = generated(2_500, 400);
    let (validation, test): (Vec<&Example>, Vec<&Example>) =
        (examples[..500].iter().collect(), examples[500..].iter().collect());
    let base: Vec<bool> = examples.iter().map(|_| uniform(&mut random) < accuracy).collect();
    // As many turn one way as the other.
    let (gain, loss) = (noise / (1.0 - accuracy) / 2.0, noise / accuracy / 2.0);
    let all: Vec<Vec<bool>> = (0..candidates)
        .map(|number| match truth {
            Some((gain, loss)) if number == 7 => turned(&base, gain, loss, &mut random),
            _ => turned(&base, gain, loss, &mut random),
        })
        .collect();
    let on = |split, candidate: &Candidate, hits: &[bool]| match split {
        SplitName::Validation => entry(split, candidate, &hits[..500], None),
        SplitName::Test => entry(split, candidate, &hits[500..], None),
    };
    let entries: Vec<Entry> =
        all.iter().enumerate().map(|(i, hits)| on(SplitName::Validation, &candidate(i), hits)).collect();
    let entries: Vec<&Entry> = entries.iter().collect();
    let right = |entry: &&Entry| entry.right();
    let best = entries.iter().enumerate().max_by_key(|(i, entry)| (right(entry), usize::MAX - i)).unwrap().0;
    let base_entries = [SplitName::Validation, SplitName::Test].map(|split| on(split, &Candidate::base(), &base));
    let edited = on(SplitName::Test, &candidate(best), &all[best]);
    let base = Pair { validation: &base_entries[0], test: &base_entries[1] };
    let edited = Pair { validation: entries[best], test: &edited };
    judge(&Evidence { seed, ..Evidence::new(base, edited, &entries, [&validation, &test]) }).unwrap()
}

fn count(words: impl Iterator<Item = Word>, word: Word) -> usize {
    words.filter(|&found| found == word).count()
}

#[test]
fn noise_is_called_noise() {
    // Of 500 candidates that only shuffle answers, the best shows a gain on validation that is none.
    let words: Vec<Word> = (0..100)
        .into_par_iter()
        .map(|seed| {
            let verdict = searched(500, 0.4, 0.08, None, seed);
            assert!(verdict.selection.observed > 0.02 && verdict.candidates == 500);
            verdict.word()
        })
        .collect();
    let found = count(words.into_iter(), Word::Noise);
    println!("noise: {found} of 100");
    assert!(found >= 95, "{found}");
}

#[test]
fn a_true_gain_is_called_real() {
    // Five points: 8 % of all examples are gained, 3 % lost.
    let gain = Some((0.08 / 0.6, 0.03 / 0.4));
    let words: Vec<Word> = (0..100).into_par_iter().map(|seed| searched(100, 0.4, 0.06, gain, seed).word()).collect();
    let found = count(words.into_iter(), Word::Real);
    println!("real: {found} of 100");
    assert!(found >= 80, "{found}");
}

#[test]
fn a_true_loss_is_called_harm() {
    // Nothing else was tried, so that it is chosen.
    let words = (0..20).map(|seed| {
        let examples = generated(600, 50);
        let mut random = SplitMix64::new(seed);
        let base: Vec<bool> = examples.iter().map(|_| uniform(&mut random) < 0.5).collect();
        let worse = turned(&base, 0.0, 0.2, &mut random);
        verdict_of(&examples, &base, &worse, None, None).word()
    });
    assert_eq!(count(words, Word::Harm), 20);
}

/// The verdict on a single candidate, judged on the examples that it was chosen on.
fn verdict_of(
    examples: &[Example],
    base: &[bool],
    edited: &[bool],
    log_losses: Option<(&[f64], &[f64])>,
    perplexity: Option<(f64, f64)>,
) -> Verdict {
    let examples: Vec<&Example> = examples.iter().collect();
    let pair = |candidate: &Candidate, hits: &[bool], losses: Option<&[f64]>| {
        [SplitName::Validation, SplitName::Test].map(|split| entry(split, candidate, hits, losses))
    };
    let base = pair(&Candidate::base(), base, log_losses.map(|both| both.0));
    let edited = pair(&candidate(1), edited, log_losses.map(|both| both.1));
    let unedited = Pair { validation: &base[0], test: &base[1] };
    let chosen = Pair { validation: &edited[0], test: &edited[1] };
    judge(&Evidence {
        cost: perplexity.map(|(base, edited)| CostChange {
            kl: Some(0.1),
            kl_interval: None,
            first_token_kl: 0.1,
            saved_weights: 0,
            guards: Vec::new(),
            limits: CostLimits::default(),
            text: Some(PerplexityChange {
                text: "0".repeat(64),
                windows: Windows { window: 8, stride: 4 },
                tokens: 100,
                base,
                edited,
                growth_interval: None,
            }),
        }),
        seed: 1,
        ..Evidence::new(unedited, chosen, &[&edited[0]], [&examples; 2])
    })
    .unwrap()
}

#[test]
fn a_gain_at_the_cost_of_log_loss_or_perplexity_is_a_trade_off() {
    let examples = generated(800, 100);
    let mut random = SplitMix64::new(3);
    let base: Vec<bool> = examples.iter().map(|_| uniform(&mut random) < 0.4).collect();
    let better = turned(&base, 0.3, 0.02, &mut random);
    let plain = verdict_of(&examples, &base, &better, None, Some((20.0, 21.0)));
    assert_eq!(plain.word(), Word::Real, "{:?}", plain.reason);
    let dear = verdict_of(&examples, &base, &better, None, Some((20.0, 23.0)));
    assert_eq!(dear.word(), Word::TradeOff, "{:?}", dear.reason);
    let losses: Vec<f64> = base.iter().map(|_| 2.0 + uniform(&mut random)).collect();
    let higher: Vec<f64> = losses.iter().map(|loss| loss * 1.2).collect();
    let dear = verdict_of(&examples, &base, &better, Some((&losses, &higher)), None);
    assert_eq!(dear.word(), Word::TradeOff, "{:?}", dear.reason);
    let little: Vec<f64> = losses.iter().map(|loss| loss * 1.02).collect();
    assert_eq!(verdict_of(&examples, &base, &better, Some((&losses, &little)), None).word(), Word::Real);
}

#[test]
fn one_answer_said_more_often_is_label_bias_without_choices_too() {
    // A third of the questions has one and the same answer, which the edited model gives to everything.
    let target = |i: usize| {
        Target::generate(vec![if i.is_multiple_of(3) { "English".into() } else { format!("a{i}") }], 10).unwrap()
    };
    let examples: Vec<Example> =
        (0..600).map(|i| Example::new(i.to_string(), None, format!("q{i}"), target(i)).unwrap()).collect();
    let base: Vec<bool> = (0..600).map(|i| i % 10 == 1).collect();
    let edited: Vec<bool> = (0..600).map(|i: usize| i.is_multiple_of(3)).collect();
    let verdict = verdict_of(&examples, &base, &edited, None, None);
    assert_eq!(verdict.word(), Word::LabelBias, "{:?}", verdict.reason);
    let best = verdict.constant.unwrap().best;
    assert_eq!(best.answer, "English");
    assert!((best.accuracy - 1.0 / 3.0).abs() < 1e-12);
    let check = BiasCheck::WithoutAnswer { answer: "English".into() };
    assert!(matches!(&verdict.reason, Reason::Bias { check: found, .. } if *found == check), "{:?}", verdict.reason);
}

/// A task with two choices: what the base and the edited model give each of them.
struct Choices {
    examples: Vec<Example>,
    base: Vec<[f64; 2]>,
    edited: Vec<[f64; 2]>,
    blanks: [[f64; 2]; 2],
}

impl Choices {
    /// The right answer is the second in a share `second` of the cases. The models prefer the second choice to the right
    /// degree by `signal` and whatever is asked by `bias` (nats).
    fn new(n: usize, second: f64, signal: [f64; 2], bias: [f64; 2], seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let mut choices = Self {
            examples: Vec::new(),
            base: Vec::new(),
            edited: Vec::new(),
            blanks: bias.map(|bias| [-1.0, -1.0 + bias]),
        };
        for i in 0..n {
            let correct = usize::from(uniform(&mut random) < second);
            let target = Target::choose(vec!["entailment".into(), "non-entailment".into()], correct).unwrap();
            choices.examples.push(Example::new(i.to_string(), None, format!("p{i}"), target).unwrap());
            let noise = 2.0 * (uniform(&mut random) + uniform(&mut random) - 1.0);
            let side = if correct == 1 { 1.0 } else { -1.0 };
            let scores = |k: usize| [-1.0, -1.0 + bias[k] + signal[k] * side + noise];
            choices.base.push(scores(0));
            choices.edited.push(scores(1));
        }
        choices
    }

    fn verdict(&self, blanks: bool) -> Verdict {
        let entry = |split, candidate: &Candidate, scores: &[[f64; 2]], blank: [f64; 2]| {
            let correct = |i: usize| match &self.examples[i].target {
                Target::Choose(choice) => choice.correct,
                _ => unreachable!(),
            };
            let result = |(i, scores): (usize, &[f64; 2])| {
                let record = Record {
                    answer_rank: 0,
                    generation: None,
                    choice_logprobs: Some(scores.to_vec()),
                    content_free_logprobs: blanks.then(|| blank.to_vec()),
                };
                let right = usize::from(scores[1] > scores[0]) == correct(i);
                ExampleResult { record: Some(record), ..ExampleResult::binary(right, 3.0 - scores[correct(i)]) }
            };
            Entry::new(split, candidate, None, ResultKind::Binary, scores.iter().enumerate().map(result).collect())
        };
        let (unedited, candidate) = (Candidate::base(), candidate(1));
        let of = |split| {
            [
                entry(split, &unedited, &self.base, self.blanks[0]),
                entry(split, &candidate, &self.edited, self.blanks[1]),
            ]
        };
        let (validation, test) = (of(SplitName::Validation), of(SplitName::Test));
        let examples: Vec<&Example> = self.examples.iter().collect();
        let base = Pair { validation: &validation[0], test: &test[0] };
        let edited = Pair { validation: &validation[1], test: &test[1] };
        judge(&Evidence { seed: 5, ..Evidence::new(base, edited, &[&validation[1]], [&examples; 2]) }).unwrap()
    }
}

#[test]
fn a_gain_on_frequent_answers_is_no_bias_among_rare_ones() {
    // Half of the questions have one of 60 answers, the others each its own, and only the frequent answers gain.
    let answer = |i: usize| if i.is_multiple_of(2) { format!("often {}", i / 2 % 60) } else { format!("once {i}") };
    let target = |i| Target::generate(vec![answer(i)], 10).unwrap();
    let examples: Vec<Example> =
        (0..4_000).map(|i| Example::new(i.to_string(), None, format!("q{i}"), target(i)).unwrap()).collect();
    for seed in 0..5 {
        let mut random = SplitMix64::new(seed);
        let base: Vec<bool> = (0..4_000).map(|_| uniform(&mut random) < 0.2).collect();
        let better = turned(&base, 0.25, 0.05, &mut random);
        let edited: Vec<bool> =
            (0..4_000usize).map(|i| if i.is_multiple_of(2) { better[i] } else { base[i] }).collect();
        let verdict = verdict_of(&examples, &base, &edited, None, None);
        assert_eq!(verdict.word(), Word::Real, "{:?}", verdict.reason);
    }
}

#[test]
fn a_constant_answer_that_flips_is_label_bias() {
    // As in the paper's epistemic reasoning: 37 % become 63 %, which is the share of the other answer.
    for seed in 0..20 {
        let verdict = Choices::new(500, 0.63, [0.0; 2], [-9.0, 9.0], seed).verdict(true);
        assert!(verdict.test.accuracy_gain > 0.1 && verdict.test.p < 0.01);
        assert_eq!(verdict.word(), Word::LabelBias, "{:?}", verdict.reason);
        assert_eq!(verdict.classes.unwrap().base.predicted, [500, 0]);
    }
}

#[test]
fn a_moved_threshold_is_label_bias() {
    // Both models know the same; the base says the first choice too often. Balanced accuracy itself grows.
    for (seed, blanks) in (0..20).map(|seed| (seed, seed % 2 == 0)) {
        let verdict = Choices::new(600, 0.5, [0.8; 2], [-1.5, 0.0], seed).verdict(blanks);
        assert!({
            let balanced = verdict.classes.as_ref().unwrap().balanced_gain;
            balanced.gain > 0.05 && balanced.interval.low > 0.0
        });
        assert_eq!(verdict.word(), Word::LabelBias, "{:?} {:?}", verdict.reason, verdict.classes);
        assert_eq!(verdict.classes.unwrap().calibrated_gain.is_some(), blanks);
    }
}

#[test]
fn a_moved_threshold_on_few_examples_is_rarely_called_real() {
    let verdicts = (0..60).map(|seed| Choices::new(152, 0.5, [0.8; 2], [-1.5, 0.0], 1_000 + seed).verdict(false));
    let real = count(verdicts.map(|verdict| verdict.word()), Word::Real);
    println!("a moved threshold on 152 examples: real {real} of 60");
    assert!(real <= 3, "{real}");
}

#[test]
fn more_knowledge_of_choices_is_real() {
    for seed in 0..20 {
        let verdict = Choices::new(600, 0.6, [0.3, 1.0], [-0.3, 0.2], seed).verdict(true);
        assert_eq!(verdict.word(), Word::Real, "{:?}", verdict.reason);
    }
}

/// The verdict on returns of episodes, of which the edited ones are higher by `gain`.
fn of_returns(episodes: usize, gain: f64, seed: u64) -> Verdict {
    let mut random = SplitMix64::new(seed);
    let examples = generated(episodes, episodes);
    let mut returns = |gain: f64| -> Vec<ExampleResult> {
        let one = |_| ExampleResult::real(100.0 * uniform(&mut random) + gain, 0.0);
        (0..episodes).map(one).collect()
    };
    let mut entries = |candidate: &Candidate, gain: f64| {
        [SplitName::Validation, SplitName::Test]
            .map(|split| Entry::new(split, candidate, None, ResultKind::Real, returns(gain)))
    };
    let (base, edited) = (entries(&Candidate::base(), 0.0), entries(&candidate(1), gain));
    let examples: Vec<&Example> = examples.iter().collect();
    let unedited = Pair { validation: &base[0], test: &base[1] };
    let chosen = Pair { validation: &edited[0], test: &edited[1] };
    judge(&Evidence { seed, ..Evidence::new(unedited, chosen, &[&edited[0]], [&examples; 2]) }).unwrap()
}

#[test]
fn results_that_are_numbers_are_judged_by_permutation() {
    let count = |gain: f64, word| (0..20).filter(|&seed| of_returns(300, gain, seed).word() == word).count();
    assert!(count(0.0, Word::Noise) >= 18 && count(15.0, Word::Real) >= 18 && count(-15.0, Word::Harm) >= 18);
    let verdict = of_returns(300, 15.0, 1);
    assert!(verdict.test.mcnemar_p.is_none() && verdict.constant.is_none() && verdict.metrics.is_none());
    let interval = verdict.test.accuracy_gain_interval;
    assert!(interval.low > 0.0 && interval.low < 15.0 && interval.high > 15.0, "{interval:?}");
    let scores = verdict.edited.test;
    assert!(scores.accuracy_interval.low < scores.score.accuracy && scores.score.accuracy > 50.0);
    assert_eq!(verdict.test.gained + verdict.test.lost, 300);
}

#[test]
fn entries_of_different_kinds_are_not_compared() {
    let examples = generated(4, 2);
    let examples: Vec<&Example> = examples.iter().collect();
    let of = |split, kind| Entry::new(split, &Candidate::base(), None, kind, vec![ExampleResult::real(1.0, 0.0); 4]);
    let real = |split| of(split, ResultKind::Real);
    let (validation, test) = (real(SplitName::Validation), real(SplitName::Test));
    let other = of(SplitName::Validation, ResultKind::Binary);
    let verdict = |edited: &Entry| {
        judge(&Evidence {
            base: Pair { validation: &validation, test: &test },
            edited: Pair { validation: edited, test: &test },
            candidates: &[edited],
            dropped: 0,
            adaptive: false,
            last_round: None,
            validation: &examples,
            test: &examples,
            cost: None,
            limits: CostLimits::default(),
            seed: 1,
        })
    };
    assert!(verdict(&validation).is_some() && verdict(&other).is_none());
}
