//! Appendices C.2 and D (figure 10): other ways to remove as much of a matrix, beside the truncation.

use super::Analysis;
use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, points, vertical_axis};
use crate::report_data::ReadRun;
use crate::result_form::ResultForm;
use laser_edit::{Candidate, Intervention};
use laser_run::{Entry, SplitName};
use maud::{Markup, html};
use std::collections::BTreeMap;

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 190.0;

/// An edit by one method: how much it removes, and what it gave.
struct Point<'a> {
    removed: f64,
    one: &'a Intervention,
    entry: &'a Entry,
}

/// The analysis of the edit methods that a run has tried on single matrices, on validation. None where it has not scored the
/// base and edits of two methods.
pub fn methods_compared(run: &ReadRun) -> Option<Analysis> {
    let base = run.entries.get(SplitName::Validation, &Candidate::base())?;
    let candidates = run.entries.candidates();
    let mut methods: BTreeMap<String, Vec<Point>> = BTreeMap::new();
    for entry in candidates {
        if let [one] = entry.interventions.interventions()
            && let Some((method, removed)) = method_of(one)
        {
            methods.entry(method).or_default().push(Point { removed, one, entry });
        }
    }
    if methods.len() < 2 {
        return None;
    }
    let form = run.data.form();
    let (accuracy, gain) = (format!("best {}", form.heading()), format!("gain{}", form.points()));
    let columns = [
        ("method", "method"),
        ("edits", "edits"),
        ("best", "its best"),
        ("accuracy", &accuracy),
        ("gain", &gain),
        ("log_loss", "log-loss of it"),
        ("better", "edits better than the base"),
    ];
    let mut table = DataTable::new("prune", "Edits of single matrices by method, on validation", &columns);
    let mut best: Vec<(&String, &Point)> = Vec::new();
    for (method, points) in &methods {
        let top = points.iter().reduce(|a, b| if is_better(b.entry, a.entry) { b } else { a })?;
        best.push((method, top));
        let better = points.iter().filter(|point| point.entry.score.accuracy > base.score.accuracy).count();
        table.rows.push(vec![
            method.as_str().into(),
            Cell::Count(points.len()),
            top.one.to_string().into(),
            form.cell(top.entry.score.accuracy),
            form.change_cell(top.entry.score.accuracy - base.score.accuracy),
            Cell::Number(top.entry.score.log_loss, 4),
            Cell::Count(better),
        ]);
    }
    best.sort_by(|a, b| b.1.entry.score.accuracy.total_cmp(&a.1.entry.score.accuracy));
    let each: Vec<String> = (best.iter())
        .map(|(method, point)| format!("{method} {} ({})", form.value(point.entry.score.accuracy), point.one))
        .collect();
    let findings = vec![
        format!(
            "The best of each method on validation, base {}: {}.",
            form.value(base.score.accuracy),
            each.join("; ")
        ),
        "Each is the best of as many edits as the table counts. The more were tried, the more of the gain is chance."
            .to_owned(),
    ];
    let title = format!("Methods of removing parts of one matrix: {}", run.data.task_name());
    let (_, top) = best.first()?;
    let figure = curves(&methods, (top.one.layer, top.one.matrix), base, form);
    Some(Analysis { name: "prune", title, findings, figure, tables: vec![table] })
}

/// More right, then the lower log-loss.
fn is_better(a: &Entry, b: &Entry) -> bool {
    let by_accuracy = a.score.accuracy.total_cmp(&b.score.accuracy);
    by_accuracy.then(b.score.log_loss.total_cmp(&a.score.log_loss)).is_gt()
}

/// The method's name, and how much it removes, where that is a share of the matrix.
fn method_of(one: &Intervention) -> Option<(String, f64)> {
    let text = one.edit.to_string();
    match (one.edit.grid_point(), text.split_once('=')) {
        (Some((1, rho)), None) => Some(("truncate".into(), 1.0 - rho)),
        (Some((1, rho)), Some((key, _))) => Some((key.to_owned(), 1.0 - rho)),
        (None, None) if text == "zero" => Some((text, 1.0)),
        // What `prune` zeroes and what `tail` keeps are shares; other keys have numbers of another kind.
        (None, Some(("prune", share))) => Some(("prune".into(), share.parse().ok()?)),
        (None, Some(("tail", rho))) => Some(("tail".into(), rho.parse().ok()?)),
        _ => None,
    }
}

/// Accuracy against the share removed of one matrix, a line a method.
fn curves(
    methods: &BTreeMap<String, Vec<Point>>,
    matrix: (usize, laser_edit::MatrixId),
    base: &Entry,
    form: ResultForm,
) -> Markup {
    const LINES: [(&str, &str); 3] = [("best", ""), ("other", "6 3"), ("base", "2 3")];
    let of_matrix = |points: &[Point]| -> Vec<(f64, f64)> {
        let here = points.iter().filter(|point| (point.one.layer, point.one.matrix) == matrix);
        let mut here: Vec<(f64, f64)> = here.map(|point| (point.removed, point.entry.score.accuracy)).collect();
        here.sort_by(|a, b| a.0.total_cmp(&b.0));
        here
    };
    let lines: Vec<(&String, Vec<(f64, f64)>)> =
        methods.iter().map(|(name, points)| (name, of_matrix(points))).collect();
    let values = lines.iter().flat_map(|(_, line)| line.iter().map(|it| it.1));
    let scale = Scale::over(values.chain([base.score.accuracy]), BOTTOM, TOP);
    // The shares that were tried, at equal distances: most are near all.
    let mut shares: Vec<f64> = lines.iter().flat_map(|(_, line)| line.iter().map(|it| it.0)).collect();
    shares.sort_by(f64::total_cmp);
    shares.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    let step = (WIDTH - LEFT - 24.0) / (shares.len().max(2) - 1) as f64;
    let x = |share: f64| {
        let number = shares.iter().position(|known| (known - share).abs() < 1e-9).unwrap_or(0);
        LEFT + 12.0 + step * number as f64
    };
    let base_y = scale.place(base.score.accuracy);
    let content = html! {
        text.name x="0" y="12" { (matrix.0) "." (matrix.1.to_string()) ": " (form.heading()) }
        (vertical_axis(&scale, LEFT, WIDTH - 4.0, form.binary))
        line.dashed x1=(at(LEFT)) x2=(at(WIDTH - 4.0)) y1=(at(base_y)) y2=(at(base_y)) {}
        @for (number, (name, line)) in lines.iter().enumerate() {
            @let (class, dash) = LINES[number % LINES.len()];
            @let places: Vec<(f64, f64)> = line.iter().map(|(share, value)| (x(*share), scale.place(*value))).collect();
            g {
                title { (name) }
                polyline class=(class) stroke-dasharray=(dash) points=(points(&places)) {}
                @for (x, y) in &places { circle class=(class) cx=(at(*x)) cy=(at(*y)) r="3.5" {} }
                @if let Some((x, y)) = places.last() {
                    text.tick x=(at(*x - 6.0)) y=(at(*y - 7.0)) text-anchor="end" { (name) }
                }
            }
        }
        @for share in &shares {
            text.tick x=(at(x(*share))) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (format!("{:.0}", 100.0 * share)) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "removed, % (not to scale)" }
    };
    let said: Vec<String> = lines.iter().map(|(name, line)| format!("{name}: {} edits", line.len())).collect();
    let drawn = drawing("prune-lines", "Accuracy by method", &said.join("; "), [WIDTH, BOTTOM + 34.0], &content);
    html! { figure { div.drawings { (drawn) } } }
}
