//! The path of a composition: accuracy after each accepted step.

use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, figure, points, vertical_axis};
use crate::report_data::ReportData;
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 150.0;

/// The figure, where reductions were composed.
pub fn steps(data: &ReportData) -> Option<(Markup, DataTable)> {
    let trace = data.trace.as_ref().filter(|trace| !trace.steps.is_empty())?;
    let columns = [("step", "step"), ("edits", "edits"), ("accuracy", data.form().heading()), ("log_loss", "log-loss")];
    let mut table = DataTable::new("steps", "Accepted steps, on validation", &columns);
    let base = data.base.map(|base| ("base".to_owned(), base.accuracy, base.log_loss));
    let accepted = trace.steps.iter().map(|step| (step.interventions.to_string(), step.accuracy, step.log_loss));
    let path: Vec<(String, f64, f64)> = base.into_iter().chain(accepted).collect();
    for (number, (edits, accuracy, log_loss)) in path.iter().enumerate() {
        let row =
            vec![Cell::Count(number), edits.as_str().into(), data.form().cell(*accuracy), Cell::Number(*log_loss, 4)];
        table.rows.push(row);
    }
    let scale = Scale::over(path.iter().map(|step| step.1), BOTTOM, TOP);
    let step = (WIDTH - LEFT - 24.0) / (path.len() - 1).max(1) as f64;
    let places: Vec<(f64, f64)> =
        path.iter().enumerate().map(|(number, it)| (LEFT + 12.0 + step * number as f64, scale.place(it.1))).collect();
    let said: Vec<String> = path.iter().map(|(edits, accuracy, _)| format!("{edits}: {accuracy:.3}")).collect();
    let content = html! {
        text.name x="0" y="12" { (if data.is_binary() { "Validation accuracy, %" } else { "Mean result on validation" }) }
        (vertical_axis(&scale, LEFT, WIDTH - 4.0, data.is_binary()))
        polyline.best points=(points(&places)) {}
        @for ((x, y), (number, (edits, ..))) in places.iter().zip(path.iter().enumerate()) {
            g { title { (edits) } circle.best cx=(at(*x)) cy=(at(*y)) r="4" {} }
            @if number % path.len().div_ceil(12) == 0 {
                text.tick x=(at(*x)) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (number) }
            }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "accepted steps" }
    };
    let drawn = drawing("path-line", "Accuracy by accepted step", &said.join("; "), [WIDTH, BOTTOM + 34.0], &content);
    let numbers = table.html(usize::MAX);
    Some((figure("path", "How the composition grew: the accepted steps, on validation.", &drawn, &numbers), table))
}
