//! How often each choice is right, and how often each model predicts it.

use crate::data_table::{Cell, DataTable};
use crate::plot::{WIDTH, at, drawing, figure};
use crate::report_data::ReportData;
use crate::visible_text::beginning;
use maud::{Markup, html};

const LEFT: f64 = 104.0;
const ROW: f64 = 42.0;
const TOP: f64 = 24.0;
/// More choices than this are not drawn.
const MOST: usize = 20;
/// Letters of a choice beside its bars.
const LETTERS: usize = 15;

/// The figure, where all examples have the same choices.
pub fn label_histogram(data: &ReportData) -> Option<(Markup, DataTable)> {
    let classes = data.verdict.as_ref()?.classes.as_ref()?;
    let columns = [
        ("choice", "choice"),
        ("right", "right"),
        ("predicted_base", "predicted, base"),
        ("predicted_best", "predicted, best"),
    ];
    let mut table = DataTable::new("labels", "Choices on test: how often each is right, and predicted", &columns);
    let each: Vec<(&String, [usize; 3])> = (classes.classes.iter().enumerate())
        .map(|(i, class)| {
            (class, [&classes.right, &classes.base.predicted, &classes.edited.predicted].map(|it| count(it, i)))
        })
        .collect();
    for (class, counts) in &each {
        table.rows.push([class.as_str().into()].into_iter().chain(counts.map(Cell::Count)).collect());
    }
    let most = each.iter().flat_map(|(_, counts)| *counts).max().unwrap_or(0).max(1) as f64;
    let bar = |count: usize| (WIDTH - LEFT - 34.0) * count as f64 / most;
    let kinds = [("right", "truth"), ("base", "base"), ("best", "best")];
    let content = html! {
        text.name x="0" y="12" { "Examples by choice" }
        @for (number, (class, counts)) in each.iter().take(MOST).enumerate() {
            @let top = TOP + ROW * number as f64;
            text.tick x=(at(LEFT - 8.0)) y=(at(top + 20.0)) text-anchor="end" { (beginning(class, LETTERS)) }
            @for (bar_number, ((kind, colour), count)) in kinds.iter().zip(counts).enumerate() {
                @let y = top + 11.0 * bar_number as f64;
                g {
                    title { (kind) ": " (count) }
                    rect class=(format!("bar {colour}")) x=(at(LEFT)) y=(at(y)) width=(at(bar(*count))) height="10" {}
                    text.tick x=(at(LEFT + bar(*count) + 4.0)) y=(at(y + 9.0)) { (kind) " " (count) }
                }
            }
        }
    };
    let said: Vec<String> = each
        .iter()
        .take(MOST)
        .map(|(class, [right, base, best])| {
            format!("{}: right {right}, base {base}, best {best}", beginning(class, LETTERS))
        })
        .collect();
    let height = TOP + ROW * each.len().min(MOST) as f64;
    // Words beside the bars need room on the right.
    let drawn = drawing("label-bars", "Examples by choice", &said.join("; "), [WIDTH + 30.0, height], &content);
    let caption = "The choices on test: how often each is right, and how often the base and the best model predict it. A gain that \
                   comes with one bar growing is a moved label.";
    Some((figure("labels", caption, &drawn, &table.html(usize::MAX)), table))
}

fn count(counts: &[usize], i: usize) -> usize {
    counts.get(i).copied().unwrap_or(0)
}
