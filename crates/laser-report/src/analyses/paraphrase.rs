//! Section 5.1: whether a fact that is known in one wording is known in all of them, before and after the edit.

use super::Analysis;
use crate::data_table::{Cell, DataTable};
use crate::numbers::p_text;
use crate::plot::{WIDTH, at, drawing};
use crate::report_data::ReadRun;
use laser_edit::Candidate;
use laser_run::{Entry, SplitName, statistics};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// One fact: how many wordings it has, and how many are answered right.
struct Fact {
    wordings: usize,
    base: usize,
    edited: usize,
}

/// The analysis of the test split's groups. None where no group has two examples, or there is no verdict yet.
pub fn paraphrase(run: &ReadRun) -> Option<Analysis> {
    let verdict = run.data.verdict.as_ref()?;
    let on_test = |candidate: &Candidate| {
        let entry = run.entries.get(SplitName::Test, candidate);
        entry.filter(|entry| entry.is_over(run.test.len()) && entry.is_binary())
    };
    let facts = facts(run, on_test(&Candidate::base())?, on_test(&verdict.best)?);
    if facts.is_empty() {
        return None;
    }
    let known: Vec<&Fact> = facts.iter().filter(|fact| fact.base > 0).collect();
    let all =
        |facts: &[&Fact], right: fn(&Fact) -> usize| facts.iter().filter(|fact| right(fact) == fact.wordings).count();
    let every: Vec<&Fact> = facts.iter().collect();
    let columns = [
        ("facts", "among"),
        ("number", "facts"),
        ("base", "all wordings right, base"),
        ("base_share", "%"),
        ("best", "all wordings right, best"),
        ("best_share", "%"),
    ];
    let mut table = DataTable::new("paraphrase", "Facts with several wordings, on test", &columns);
    for (name, facts) in [("all facts", &every), ("facts that the base knows in some wording", &known)] {
        let (before, after) = (all(facts, |fact| fact.base), all(facts, |fact| fact.edited));
        let share = |count: usize| Cell::percent((!facts.is_empty()).then(|| count as f64 / facts.len() as f64));
        table.rows.push(vec![
            name.into(),
            Cell::Count(facts.len()),
            Cell::Count(before),
            share(before),
            Cell::Count(after),
            share(after),
        ]);
    }
    let became = |from: fn(&Fact) -> usize, to: fn(&Fact) -> usize| {
        known.iter().filter(|fact| from(fact) < fact.wordings && to(fact) == fact.wordings).count()
    };
    let (gained, lost) = (became(|it| it.base, |it| it.edited), became(|it| it.edited, |it| it.base));
    let (before, after) = (all(&known, |fact| fact.base), all(&known, |fact| fact.edited));
    let share = |count: usize| 100.0 * count as f64 / known.len().max(1) as f64;
    let findings = vec![
        format!(
            "Of the {} facts that the base knows in some wording, it answers {before} ({:.1} %) right in all of them; with {} \
             it is {after} ({:.1} %).",
            known.len(),
            share(before),
            verdict.best,
            share(after)
        ),
        format!(
            "{gained} facts became right in all wordings and {lost} no longer are (McNemar's exact p = {}).",
            p_text(statistics::mcnemar_exact(gained, lost))
        ),
        format!("{} of {} test groups have several wordings.", facts.len(), groups(run).len()),
    ];
    let title = format!("Facts right in all wordings: {}", run.data.task_name());
    let figure = bars(&[("base", "base", share(before)), ("best", "best", share(after))]);
    Some(Analysis { name: "paraphrase", title, findings, figure, tables: vec![table] })
}

fn groups(run: &ReadRun) -> BTreeMap<&str, Vec<usize>> {
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, example) in run.test.iter().enumerate() {
        groups.entry(&example.group).or_default().push(number);
    }
    groups
}

fn facts(run: &ReadRun, base: &Entry, edited: &Entry) -> Vec<Fact> {
    let (base, edited): (Vec<bool>, Vec<bool>) = (base.hits().collect(), edited.hits().collect());
    let right = |hits: &[bool], numbers: &[usize]| numbers.iter().filter(|&&number| hits[number]).count();
    let of_group = |numbers: &Vec<usize>| Fact {
        wordings: numbers.len(),
        base: right(&base, numbers),
        edited: right(&edited, numbers),
    };
    groups(run).values().filter(|numbers| numbers.len() > 1).map(of_group).collect()
}

fn bars(bars: &[(&str, &str, f64)]) -> Markup {
    const LEFT: f64 = 60.0;
    let width = |share: f64| (WIDTH - LEFT - 60.0) * share / 100.0;
    let said: Vec<String> = bars.iter().map(|(name, _, share)| format!("{name}: {share:.1} %")).collect();
    let content = html! {
        text.name x="0" y="12" { "Known facts that are right in all wordings, %" }
        @for (number, (name, class, share)) in bars.iter().enumerate() {
            @let y = 24.0 + 30.0 * number as f64;
            text.tick x=(at(LEFT - 8.0)) y=(at(y + 15.0)) text-anchor="end" { (name) }
            rect class=(format!("bar {class}")) x=(at(LEFT)) y=(at(y)) width=(at(width(*share))) height="22" {}
            text.tick x=(at(LEFT + width(*share) + 6.0)) y=(at(y + 15.0)) { (format!("{share:.1} %")) }
        }
    };
    let drawn = drawing("paraphrase-bars", "Facts right in all wordings", &said.join("; "), [WIDTH, 90.0], &content);
    html! { figure { div.drawings { (drawn) } } }
}
