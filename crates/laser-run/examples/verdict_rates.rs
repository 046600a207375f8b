//! How often a verdict is right, over made searches whose truth is known:
//! `cargo run --release -p laser-run --example verdict_rates [SEARCHES]` (200 a setting if left out).
//!
//! A search has 200 validation and 800 test examples and 126 candidates in families of seven, which
//! share their flips as the rhos of one matrix do.

#[path = "../tests/support/made.rs"]
mod made;

use laser_edit::Candidate;
use laser_example::{Example, SplitMix64, Target};
use laser_run::statistics::{paired_bootstrap, tango, wilson, wilson_of_groups};
use laser_run::{Entry, Evidence, Interval, Pair, SplitName, Verdict, Word, judge};
use made::uniform;
use rayon::prelude::*;

const VALIDATION: usize = 200;
const TEST: usize = 800;
const FAMILIES: usize = 18;
const IN_FAMILY: usize = 7;

/// What is true of a made search.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    /// Accuracy of the base.
    accuracy: f64,
    /// The gain of one family, in points.
    gain: f64,
    /// How many families of 18 are 5 to 50 points worse than the base.
    hopeless: usize,
    /// How many different answers there are.
    answers: usize,
    /// Examples of a group, which are right or wrong together more often than not.
    group: usize,
}

const PLAIN: Setting =
    Setting { name: "no candidate differs", accuracy: 0.4, gain: 0.0, hopeless: 0, answers: 400, group: 1 };

fn settings() -> Vec<Setting> {
    vec![
        PLAIN,
        Setting { name: "none differs, 80 % are hopeless", hopeless: 15, ..PLAIN },
        Setting { name: "+3 points", gain: 3.0, ..PLAIN },
        Setting { name: "+5 points", gain: 5.0, ..PLAIN },
        Setting { name: "+5 points, 80 % are hopeless", gain: 5.0, hopeless: 15, ..PLAIN },
        Setting { name: "+8 points, spread over 2 answers", gain: 8.0, answers: 2, ..PLAIN },
        Setting { name: "+8 points, spread over 3 answers", gain: 8.0, answers: 3, ..PLAIN },
        Setting { name: "+8 points, groups of 4", gain: 8.0, group: 4, ..PLAIN },
    ]
}

fn candidate(number: usize) -> Candidate {
    let (layer, rho) = (number / IN_FAMILY, (1 + number % IN_FAMILY) as f64 / 10.0);
    serde_json::from_value(serde_json::json!([{"layer": layer, "matrix": "fc_in", "rho": rho}])).unwrap()
}

/// One example after another; a group shares its draw with a probability of one half.
fn draws(n: usize, group: usize, random: &mut SplitMix64) -> Vec<f64> {
    let mut shared = 0.0;
    (0..n)
        .map(|i| {
            if i % group == 0 {
                shared = uniform(random);
            }
            if group > 1 && uniform(random) < 0.5 { shared } else { uniform(random) }
        })
        .collect()
}

fn entry(split: SplitName, candidate: &Candidate, hits: &[bool]) -> Entry {
    made::entry(split, candidate, hits, |_, correct| if correct { 1.0 } else { 1.1 })
}

/// The verdict of one made search.
fn searched(setting: &Setting, seed: u64) -> Verdict {
    // Generators of neighbouring seeds would run into one another.
    let mut random = SplitMix64::new(SplitMix64::new(seed).next_u64());
    let n = VALIDATION + TEST;
    let examples: Vec<Example> = (0..n)
        .map(|i| {
            let answer = format!("answer {}", random.below(setting.answers as u64));
            let target = Target::generate(vec![answer], 10).unwrap();
            let group = format!("g{}", i / setting.group);
            Example::new(i.to_string(), Some(group), format!("question {i}"), target).unwrap()
        })
        .collect();
    let base: Vec<bool> =
        draws(n, setting.group, &mut random).into_iter().map(|draw| draw < setting.accuracy).collect();
    let mut all: Vec<Vec<bool>> = Vec::new();
    for family in 0..FAMILIES {
        // Of all examples, in points: so many gained and lost.
        let (gained, lost) = match family {
            0 if setting.gain > 0.0 => (3.0 + setting.gain, 3.0),
            _ if family > FAMILIES - 1 - setting.hopeless => (1.0, 6.0 + 45.0 * uniform(&mut random)),
            _ => (4.0, 4.0),
        };
        let (gain, loss) = (gained / 100.0 / (1.0 - setting.accuracy), lost / 100.0 / setting.accuracy);
        let of_family = draws(n, setting.group, &mut random);
        for _ in 0..IN_FAMILY {
            // Seven tenths of the draws are the family's.
            let own = draws(n, setting.group, &mut random);
            let turns = (0..n).map(|i| if uniform(&mut random) < 0.7 { of_family[i] } else { own[i] });
            let flipped = |(&hit, draw): (&bool, f64)| if draw < if hit { loss } else { gain } { !hit } else { hit };
            all.push(base.iter().zip(turns.collect::<Vec<_>>()).map(flipped).collect());
        }
    }
    let (validation, test): (Vec<&Example>, Vec<&Example>) =
        (examples[..VALIDATION].iter().collect(), examples[VALIDATION..].iter().collect());
    let entries: Vec<Entry> = (all.iter().enumerate())
        .map(|(i, hits)| entry(SplitName::Validation, &candidate(i), &hits[..VALIDATION]))
        .collect();
    let entries: Vec<&Entry> = entries.iter().collect();
    let best = (0..all.len()).fold(0, |best, i| if entries[i].right() > entries[best].right() { i } else { best });
    let unedited = Candidate::base();
    let (before, after) = (
        entry(SplitName::Validation, &unedited, &base[..VALIDATION]),
        entry(SplitName::Test, &unedited, &base[VALIDATION..]),
    );
    let edited = entry(SplitName::Test, &candidate(best), &all[best][VALIDATION..]);
    let base = Pair { validation: &before, test: &after };
    let edited = Pair { validation: entries[best], test: &edited };
    judge(&Evidence { seed, ..Evidence::new(base, edited, &entries, [&validation, &test]) }).unwrap()
}

/// How often intervals hold the truth, in %: Wilson's as if independent and by groups, of groups of 4; Tango's and the
/// bootstrap's of a gain of 4 points on 50 examples.
fn coverage(searches: u64) -> [f64; 4] {
    let holds = |interval: Interval, truth: f64| f64::from(interval.low <= truth && truth <= interval.high);
    let mut held = [0.0; 4];
    for seed in 0..20 * searches {
        let mut random = SplitMix64::new(SplitMix64::new(seed).next_u64());
        let hits: Vec<bool> = draws(TEST, 4, &mut random).into_iter().map(|draw| draw < 0.4).collect();
        let groups: Vec<usize> = (0..TEST).map(|i| i / 4).collect();
        held[0] += holds(wilson(hits.iter().filter(|&&hit| hit).count(), TEST), 0.4);
        held[1] += holds(wilson_of_groups(&hits, &groups), 0.4);
        let gains: Vec<f64> = (0..50)
            .map(|_| uniform(&mut random))
            .map(|draw| {
                if draw < 0.06 {
                    1.0
                } else if draw < 0.08 {
                    -1.0
                } else {
                    0.0
                }
            })
            .collect();
        let count = |sign: f64| gains.iter().filter(|&&gain| gain == sign).count();
        held[2] += holds(tango(count(1.0), count(-1.0), 50), 0.04);
        let alone: Vec<usize> = (0..50).collect();
        held[3] += holds(paired_bootstrap(&gains, &alone, 500, seed).unwrap(), 0.04);
    }
    held.map(|held| 100.0 * held / (20 * searches) as f64)
}

fn main() {
    let searches = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(200u64);
    println!(
        "{:36} real  noise  label-bias  harm  trade-off  p_selection <= 0.05  chance, 19 of 20",
        "of 100 searches"
    );
    for setting in settings() {
        let verdicts: Vec<Verdict> = (0..searches).into_par_iter().map(|seed| searched(&setting, seed)).collect();
        let share = |holds: &dyn Fn(&Verdict) -> bool| {
            100.0 * verdicts.iter().filter(|verdict| holds(verdict)).count() as f64 / searches as f64
        };
        let word = |word: Word| share(&|verdict| verdict.word() == word);
        let upper = verdicts.iter().map(|verdict| verdict.selection.upper).sum::<f64>() / searches as f64;
        println!(
            "{:36} {:4.1}  {:5.1}  {:10.1}  {:4.1}  {:9.1}  {:19.1}  {:9.1} points",
            setting.name,
            word(Word::Real),
            word(Word::Noise),
            word(Word::LabelBias),
            word(Word::Harm),
            word(Word::TradeOff),
            share(&|verdict| verdict.selection.p <= 0.05),
            100.0 * upper
        );
    }
    let [independent, grouped, score, drawn] = coverage(searches);
    println!("\n95 % intervals that hold the truth, %:");
    println!("accuracy, groups of 4: Wilson {independent:.1}, over the design effect {grouped:.1}");
    println!("a gain on 50 examples: Tango {score:.1}, bootstrap {drawn:.1}");
}
