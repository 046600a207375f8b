//! Section 5.1.1 (figure 3): whether the facts that an edit brings out are the rare ones of a training corpus.

use super::Analysis;
use crate::data_table::{Cell, DataTable};
use crate::plot::{WIDTH, at, drawing};
use crate::report_data::ReadRun;
use laser_edit::Candidate;
use laser_run::{Entry, Interval, SplitName, group_numbers, statistics};
use maud::{Markup, html};
use std::collections::HashMap;

/// In how many windows of a corpus a fact's texts occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurrences {
    /// The subject.
    pub subject: u64,
    /// The answer.
    pub answer: u64,
    /// Both.
    pub together: u64,
}

/// Upper ends of the bins of co-occurrence, the last without one.
const BINS: [u64; 6] = [1, 3, 10, 30, 100, 1_000];

/// Test examples of facts that occur about as often together.
#[derive(Default)]
struct Bin {
    examples: usize,
    base: usize,
    edited: usize,
    gained: usize,
    lost: usize,
    /// Of each, whether it was right before and after, and the number of its group.
    hits: Vec<(bool, bool)>,
    groups: Vec<usize>,
}

impl Bin {
    /// 95 % intervals (Wilson) of the accuracy before and after; examples of one group are not
    /// independent.
    fn intervals(&self) -> [Interval; 2] {
        let (before, after): (Vec<bool>, Vec<bool>) = self.hits.iter().copied().unzip();
        [before, after].map(|hits| statistics::wilson_of_groups(&hits, &self.groups))
    }
}

/// The analysis of the test split; `facts` by id of the example, or of its group. None where there is no verdict yet, or no test
/// example has a fact.
pub fn frequency(run: &ReadRun, facts: &HashMap<String, Occurrences>, corpus: &str) -> Option<Analysis> {
    let verdict = run.data.verdict.as_ref()?;
    let on_test = |candidate: &Candidate| {
        let entry = run.entries.get(SplitName::Test, candidate);
        entry.filter(|entry| entry.is_over(run.test.len()) && entry.is_binary())
    };
    let (base, edited) = (on_test(&Candidate::base())?, on_test(&verdict.best)?);
    let known: Vec<(usize, u64)> = (run.test.iter().enumerate())
        .filter_map(|(number, it)| {
            let fact = facts.get(&it.id).or_else(|| facts.get(&it.group))?;
            Some((number, fact.together))
        })
        .collect();
    if known.is_empty() {
        return None;
    }
    let groups = group_numbers(&run.test.iter().collect::<Vec<_>>());
    let bins = bins(&known, &groups, base, edited);
    let columns = [
        ("together", "windows with both"),
        ("examples", "examples"),
        ("base", "base, %"),
        ("best", "best, %"),
        ("gain", "gain, points"),
        ("gained", "gained"),
        ("lost", "lost"),
    ];
    let mut table =
        DataTable::new("frequency", format!("Test examples by how often their facts occur in {corpus}"), &columns);
    for (number, bin) in bins.iter().enumerate() {
        let share = |count: usize| Cell::percent((bin.examples > 0).then(|| count as f64 / bin.examples as f64));
        let gain = (bin.edited as f64 - bin.base as f64) / bin.examples.max(1) as f64;
        table.rows.push(vec![
            name_of(number).into(),
            Cell::Count(bin.examples),
            share(bin.base),
            share(bin.edited),
            if bin.examples > 0 { Cell::Points(gain) } else { Cell::Empty },
            Cell::Count(bin.gained),
            Cell::Count(bin.lost),
        ]);
    }
    let hits: Vec<(bool, bool)> = base.hits().zip(edited.hits()).collect();
    let median_of =
        |wanted: (bool, bool)| median(known.iter().filter(|(i, _)| hits[*i] == wanted).map(|it| it.1).collect());
    let said = |median: Option<f64>| median.map_or_else(|| "unknown (there are none)".to_owned(), |it| it.to_string());
    let findings = vec![
        format!(
            "Median number of windows in which subject and answer occur together: {} for examples that {} brings out, {} for \
             those right before and after, {} for those wrong in both.",
            said(median_of((false, true))),
            verdict.best,
            said(median_of((true, true))),
            said(median_of((false, false)))
        ),
        format!("{} of {} test examples have a fact in the list.", known.len(), run.test.len()),
    ];
    let title = format!("Accuracy by how often facts occur in a corpus: {}", run.data.task_name());
    Some(Analysis { name: "frequency", title, findings, figure: bars(&bins), tables: vec![table] })
}

/// The one in the middle, or halfway between the two there.
fn median(mut counts: Vec<u64>) -> Option<f64> {
    counts.sort_unstable();
    let (low, high) = (*counts.get(counts.len().checked_sub(1)? / 2)?, *counts.get(counts.len() / 2)?);
    Some(low as f64 + (high - low) as f64 / 2.0)
}

fn bins(known: &[(usize, u64)], groups: &[usize], base: &Entry, edited: &Entry) -> Vec<Bin> {
    let hits: Vec<(bool, bool)> = base.hits().zip(edited.hits()).collect();
    let mut bins: Vec<Bin> = (0..=BINS.len()).map(|_| Bin::default()).collect();
    for &(number, together) in known {
        let bin = &mut bins[BINS.iter().position(|&end| together < end).unwrap_or(BINS.len())];
        let (before, after) = hits[number];
        bin.examples += 1;
        bin.base += usize::from(before);
        bin.edited += usize::from(after);
        bin.gained += usize::from(!before && after);
        bin.lost += usize::from(before && !after);
        bin.hits.push((before, after));
        bin.groups.push(groups[number]);
    }
    bins
}

fn name_of(bin: usize) -> String {
    let low = bin.checked_sub(1).map_or(0, |before| BINS[before]);
    match BINS.get(bin) {
        Some(end) if end - 1 == low => low.to_string(),
        Some(end) => format!("{low} to {}", end - 1),
        None => format!("{low} and more"),
    }
}

/// Accuracy before and after in each bin, with 95 % intervals (Wilson).
fn bars(bins: &[Bin]) -> Markup {
    const LEFT: f64 = 92.0;
    const ROW: f64 = 34.0;
    let x = |share: f64| LEFT + (WIDTH - LEFT - 50.0) * share;
    let right = |bin: &Bin| [("base", bin.base, 0.0), ("best", bin.edited, 13.0)];
    let content = html! {
        text.name x="0" y="12" { "Accuracy by windows with both, %" }
        @for (number, bin) in bins.iter().enumerate() {
            @let top = 24.0 + ROW * number as f64;
            text.tick x=(at(LEFT - 8.0)) y=(at(top + 16.0)) text-anchor="end" { (name_of(number)) }
            @for (class, count, down) in right(bin) {
                @if bin.examples > 0 {
                    @let share = count as f64 / bin.examples as f64;
                    @let interval = bin.intervals()[usize::from(class == "best")];
                    g {
                        title { (class) ": " (count) " of " (bin.examples) }
                        rect class=(format!("bar {class}")) x=(at(LEFT)) y=(at(top + down)) width=(at(x(share) - LEFT)) height="11" {}
                        line.grid x1=(at(x(interval.low))) x2=(at(x(interval.high))) y1=(at(top + down + 5.5)) y2=(at(top + down + 5.5)) {}
                        text.tick x=(at(x(interval.high) + 4.0)) y=(at(top + down + 9.5)) { (format!("{:.1}", 100.0 * share)) }
                    }
                }
            }
        }
    };
    let said: Vec<String> = (bins.iter().enumerate())
        .map(|(number, bin)| {
            format!("{}: {} examples, {} then {} right", name_of(number), bin.examples, bin.base, bin.edited)
        })
        .collect();
    let height = 30.0 + ROW * bins.len() as f64;
    let drawn = drawing("frequency-bars", "Accuracy by frequency", &said.join("; "), [WIDTH, height], &content);
    html! { figure { div.drawings { (drawn) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_no_gaps() {
        let names: Vec<String> = (0..=BINS.len()).map(name_of).collect();
        assert_eq!(names, ["0", "1 to 2", "3 to 9", "10 to 29", "30 to 99", "100 to 999", "1000 and more"]);
    }

    #[test]
    fn the_median_of_an_even_number_is_halfway() {
        assert_eq!((median(vec![]), median(vec![7]), median(vec![9, 1])), (None, Some(7.0), Some(5.0)));
        assert_eq!((median(vec![4, 1, 2, 1]), median(vec![3, 1, 2])), (Some(1.5), Some(2.0)));
    }

    #[test]
    fn paraphrases_are_not_independent_in_a_bin() {
        let hits = vec![(true, true), (true, true), (false, true), (false, false), (true, false), (true, false)];
        let alone = Bin { hits: hits.clone(), groups: (0..6).collect(), ..Bin::default() };
        let together = Bin { hits, groups: vec![0, 0, 1, 1, 2, 2], ..Bin::default() };
        let width = |bin: &Bin| bin.intervals().map(|it| it.high - it.low);
        assert!(width(&together)[0] > width(&alone)[0], "{:?}", together.intervals());
    }
}
