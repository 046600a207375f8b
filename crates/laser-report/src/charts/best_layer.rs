//! The paper's figure 9: which layer is best, a row per run.

use crate::plot::{WIDTH, at, drawing, figure};
use crate::report_data::ReportData;
use crate::result_form::ResultForm;
use crate::sweep::Measure;
use crate::visible_text::{beginning, visible};
use maud::{Markup, html};

const LEFT: f64 = 112.0;
const TOP: f64 = 24.0;
const ROW: f64 = 24.0;
const LETTERS: usize = 14;
const STRONGEST: f64 = 0.75;

/// The best validation gain of each layer of one run, and the layer of the greatest.
struct Layers {
    name: String,
    gains: Vec<(usize, f64)>,
    best: usize,
    form: ResultForm,
}

/// The figure, where some run has a sweep. `names` are those of the runs.
pub fn best_layer(runs: &[ReportData], names: &[String]) -> Option<Markup> {
    let rows: Vec<Layers> = runs.iter().zip(names).filter_map(|(run, name)| of_run(run, name)).collect();
    let last = rows.iter().flat_map(|row| &row.gains).map(|(layer, _)| *layer).max()?;
    let width = (WIDTH - LEFT) / (last + 1) as f64;
    let x = |layer: usize| LEFT + width * layer as f64;
    let said: Vec<String> = rows.iter().map(|row| format!("{}: layer {}", row.name, row.best)).collect();
    let every = (last + 1).div_ceil(8);
    let bottom = TOP + ROW * rows.len() as f64;
    let content = html! {
        text.name x="0" y="12" { "Best layer" }
        @for (number, row) in rows.iter().enumerate() {
            @let y = TOP + ROW * number as f64;
            @let greatest = row.gains.iter().map(|(_, gain)| gain.abs()).fold(0.0, f64::max);
            text.tick x=(at(LEFT - 8.0)) y=(at(y + 15.0)) text-anchor="end" {
                title { (visible(&row.name)) }
                (beginning(&row.name, LETTERS))
            }
            @for (layer, gain) in &row.gains {
                @let strength = if greatest > 0.0 { STRONGEST * gain.abs() / greatest } else { 0.0 };
                g {
                    title { "layer " (layer) ": " (row.form.signed(*gain)) }
                    rect.plain x=(at(x(*layer))) y=(at(y + 2.0)) width=(at(width)) height=(at(ROW - 4.0)) {}
                    rect class=(if *gain > 0.0 { "better" } else { "worse" }) x=(at(x(*layer))) y=(at(y + 2.0)) width=(at(width))
                        height=(at(ROW - 4.0)) fill-opacity=(format!("{strength:.2}")) {}
                }
            }
            circle.best cx=(at(x(row.best) + width / 2.0)) cy=(at(y + ROW / 2.0)) r="4" {}
        }
        @for layer in (0..=last).step_by(every) {
            text.tick x=(at(x(layer) + width / 2.0)) y=(at(bottom + 12.0)) text-anchor="middle" { (layer) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(bottom + 26.0)) text-anchor="middle" { "layer" }
    };
    let drawn = drawing("best-layers", "Best layer of each run", &said.join("; "), [WIDTH, bottom + 32.0], &content);
    let numbers = html! {
        @for row in &rows {
            p.note { (visible(&row.name)) ": best in layer " (row.best) ". "
                @for (layer, gain) in &row.gains { (layer) " (" (row.form.signed(*gain)) ") " } }
        }
    };
    let caption = "The best gain on validation in each layer (of accuracies in points), and the layer of the greatest (dot). Each row has colours of \
                   its own: blue (+) is better than the base, orange (−) worse.";
    Some(figure("best-layer", caption, &drawn, &numbers))
}

fn of_run(data: &ReportData, name: &str) -> Option<Layers> {
    let base = data.base?.accuracy;
    let gains: Vec<(usize, f64)> = (data.sweep.layers().into_iter())
        .filter_map(|layer| {
            let rows = data.sweep.rows.iter().filter(|row| row.layer == layer);
            let best = rows.filter_map(|row| row.best(Measure::Accuracy)).map(|(_, value)| value);
            Some((layer, best.reduce(f64::max)? - base))
        })
        .collect();
    let best = gains.iter().reduce(|a, b| if b.1 > a.1 { b } else { a })?.0;
    Some(Layers { name: name.to_owned(), gains, best, form: data.form() })
}
