//! Sections 5.1 and C.2 (figure 8): accuracy against the reduction of one matrix, and whether the set of right answers only grows.

use super::Analysis;
use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, points, vertical_axis};
use crate::report_data::ReadRun;
use laser_edit::{Candidate, Edit, MatrixId};
use laser_run::{Entry, SplitName};
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 190.0;

/// One reduction of the matrix.
struct Step<'a> {
    edit: String,
    removed: f64,
    entry: &'a Entry,
}

/// The analysis of one matrix on validation; without one, of the best single edit's. None where the run has not scored the base
/// and two reductions of it, or where results are not right or wrong.
pub fn monotone(run: &ReadRun, matrix: Option<(usize, MatrixId)>) -> Option<Analysis> {
    let base = run.entries.get(SplitName::Validation, &Candidate::base()).filter(|entry| entry.is_binary())?;
    let (layer, matrix) = matrix.or_else(|| best_matrix(run))?;
    let mut steps: Vec<Step> = (run.entries.candidates().into_iter())
        .filter(|entry| entry.is_over(base.score.n) && entry.is_binary())
        .filter_map(|entry| match entry.interventions.interventions() {
            [one] if (one.layer, one.matrix) == (layer, matrix) => {
                Some(Step { edit: one.edit.to_string(), removed: removed(&one.edit)?, entry })
            }
            _ => None,
        })
        .collect();
    steps.sort_by(|a, b| a.removed.total_cmp(&b.removed));
    if steps.len() < 2 {
        return None;
    }
    let columns = [
        ("edit", "kept"),
        ("removed", "removed, % of the rank"),
        ("accuracy", "accuracy, %"),
        ("log_loss", "log-loss"),
        ("gained", "newly right"),
        ("lost", "no longer right"),
        ("base_kept", "of the base's right, %"),
    ];
    let mut table = DataTable::new("monotone", format!("{layer}.{matrix} on validation, step by step"), &columns);
    let nothing = Step { edit: "all".into(), removed: 0.0, entry: base };
    let all: Vec<&Step> = [&nothing].into_iter().chain(&steps).collect();
    let (mut lost_in_all, mut growing) = (0, 0);
    for (number, step) in all.iter().enumerate() {
        let before = all[number.saturating_sub(1)].entry;
        let (gained, lost) = turned(before, step.entry);
        lost_in_all += lost;
        growing += usize::from(number > 0 && lost == 0);
        let kept = base.right() - turned(base, step.entry).1;
        table.rows.push(vec![
            step.edit.as_str().into(),
            Cell::Percent(step.removed),
            Cell::Percent(step.entry.score.accuracy),
            Cell::Number(step.entry.score.log_loss, 4),
            Cell::Count(gained),
            Cell::Count(lost),
            Cell::percent((base.right() > 0).then(|| kept as f64 / base.right() as f64)),
        ]);
    }
    let best = steps.iter().reduce(|a, b| if b.entry.right() > a.entry.right() { b } else { a })?;
    let last = steps.last()?;
    let findings = vec![
        format!(
            "From {:.1} % with the whole matrix accuracy goes to {:.1} % at {} and {:.1} % at {}, the strongest reduction tried.",
            100.0 * base.score.accuracy,
            100.0 * best.entry.score.accuracy,
            best.edit,
            100.0 * last.entry.score.accuracy,
            last.edit,
        ),
        match lost_in_all {
            0 => "The set of right answers only grows.".to_owned(),
            _ => format!(
                "The set of right answers does not only grow: {growing} of {} steps lose none, and all steps together lose \
                 {lost_in_all}.",
                steps.len()
            ),
        },
    ];
    let title = format!("Accuracy against the reduction of {layer}.{matrix}: {}", run.data.task_name());
    Some(Analysis { name: "monotone", figure: curve(&all), title, findings, tables: vec![table] })
}

/// The matrix of the best candidate that has one edit.
fn best_matrix(run: &ReadRun) -> Option<(usize, MatrixId)> {
    let single = |entry: &&Entry| matches!(entry.interventions.interventions(), [one] if removed(&one.edit).is_some());
    let best = run.entries.candidates().into_iter().filter(single).reduce(|a, b| {
        let better = (b.right(), -b.score.log_loss) > (a.right(), -a.score.log_loss);
        if better { b } else { a }
    })?;
    best.interventions.interventions().first().map(|one| (one.layer, one.matrix))
}

/// The share of the rank that an edit removes, from the small singular values up.
fn removed(edit: &Edit) -> Option<f64> {
    match edit.grid_point() {
        Some((1, rho)) => Some(1.0 - rho),
        Some(_) => None,
        None => (edit.to_string() == "zero").then_some(1.0),
    }
}

/// How many examples only the second gets right, and how many only the first.
fn turned(before: &Entry, after: &Entry) -> (usize, usize) {
    let pairs = || before.hits().zip(after.hits());
    (pairs().filter(|(a, b)| !a && *b).count(), pairs().filter(|(a, b)| *a && !b).count())
}

fn curve(steps: &[&Step]) -> Markup {
    let scale = Scale::over(steps.iter().map(|step| step.entry.score.accuracy), BOTTOM, TOP);
    let width = (WIDTH - LEFT - 24.0) / (steps.len() - 1).max(1) as f64;
    let x = |number: usize| LEFT + 12.0 + width * number as f64;
    let places: Vec<(f64, f64)> =
        steps.iter().enumerate().map(|(i, step)| (x(i), scale.place(step.entry.score.accuracy))).collect();
    let base = scale.place(steps[0].entry.score.accuracy);
    let said: Vec<String> =
        steps.iter().map(|step| format!("{}: {:.1} %", step.edit, 100.0 * step.entry.score.accuracy)).collect();
    let content = html! {
        text.name x="0" y="12" { "Accuracy on validation, %" }
        (vertical_axis(&scale, LEFT, WIDTH - 4.0, true))
        line.dashed x1=(at(LEFT)) x2=(at(WIDTH - 4.0)) y1=(at(base)) y2=(at(base)) {}
        polyline.best points=(points(&places)) {}
        @for ((x, y), step) in places.iter().zip(steps) {
            g { title { (step.edit) } circle.best cx=(at(*x)) cy=(at(*y)) r="4" {} }
            text.tick x=(at(*x)) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (short(100.0 * step.removed)) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "removed, % of the rank (not to scale)" }
    };
    let drawn =
        drawing("monotone-line", "Accuracy against reduction", &said.join("; "), [WIDTH, BOTTOM + 34.0], &content);
    html! { figure { div.drawings { (drawn) } } }
}

fn short(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}
