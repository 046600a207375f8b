//! The heat map: what the best edit of each matrix changes, a row per layer, a column per matrix.

use crate::data_table::{Cell, DataTable};
use crate::plot::{WIDTH, at, drawing, figure};
use crate::report_data::ReportData;
use crate::result_form::ResultForm;
use crate::sweep::{Measure, Sweep};
use laser_edit::MatrixId;
use maud::{Markup, html};
use std::collections::BTreeMap;

const LEFT: f64 = 26.0;
const TOP: f64 = 44.0;
const ROW: f64 = 20.0;
/// With more columns than this, the experts of a kind share one.
const MOST_COLUMNS: usize = 14;
/// The strongest colour still lets the letters on it be read.
const STRONGEST: f64 = 0.75;

/// The best edit of a matrix.
struct Best {
    change: f64,
    value: f64,
    edit: String,
    name: String,
}

/// The figure, once the base and some candidates were scored. At most `longest` rows of each table
/// stand under it.
pub fn heat_map(data: &ReportData, longest: usize) -> Option<(Markup, Vec<DataTable>)> {
    let base = data.base?;
    if data.sweep.is_empty() {
        return None;
    }
    let mut drawings = Vec::new();
    let mut tables = Vec::new();
    let is_known = |measure: &Measure| data.sweep.rows.iter().any(|row| row.shown(*measure).is_some());
    let measures: Vec<Measure> = Measure::ALL.into_iter().filter(is_known).collect();
    for &measure in &measures {
        let base = measure.of_base(&base);
        drawings.push((measure, map(data, measure, base)));
        tables.push(sweep_table(&data.sweep, measure, data.is_binary()));
    }
    let caption = "The change by the best edit of each matrix, on validation. Blue (+) is better than the base, orange (−) worse. \
                   By cost: how far the most accurate edit whose cost was measured changes what the model predicts elsewhere.";
    let drawn = html! {
        div.switch hidden {
            span { "Colour: " }
            @for &measure in &measures {
                button type="button" data-measure=(measure.key()) aria-pressed=(measure == Measure::Accuracy) {
                    (name(measure, data.is_binary()))
                }
            }
        }
        @for (measure, drawing) in &drawings { div.measure data-measure=(measure.key()) { (drawing) } }
        div #cell aria-live="polite" hidden {}
    };
    let numbers = html! { @for table in &tables { (table.html(longest)) } };
    Some((figure("map", caption, &drawn, &numbers), tables))
}

/// What a measure is called.
fn name(measure: Measure, binary: bool) -> &'static str {
    match (measure, binary) {
        (Measure::Accuracy, true) => "accuracy",
        (Measure::Accuracy, false) => "mean result",
        (Measure::LogLoss, _) => "log-loss",
        (Measure::Cost, _) => "cost",
    }
}

fn map(data: &ReportData, measure: Measure, base: f64) -> Markup {
    let sweep = &data.sweep;
    let matrices = sweep.matrices();
    let shared = matrices.len() > MOST_COLUMNS;
    let column = |matrix: MatrixId| if shared { MatrixId { expert: None, ..matrix } } else { matrix };
    let mut columns: Vec<MatrixId> = matrices.into_iter().map(column).collect();
    columns.dedup();
    let mut cells: BTreeMap<(usize, MatrixId), Best> = BTreeMap::new();
    for row in &sweep.rows {
        let Some((edit, value)) = row.shown(measure) else { continue };
        let best = Best {
            change: value - base,
            value,
            edit: sweep.edits[edit].clone(),
            name: format!("{}.{}", row.layer, row.matrix),
        };
        let known = cells.get(&(row.layer, column(row.matrix)));
        if known.is_none_or(|known| measure.is_better(value, known.value)) {
            cells.insert((row.layer, column(row.matrix)), best);
        }
    }
    let greatest = cells.values().map(|cell| cell.change.abs()).fold(0.0, f64::max);
    let form = ResultForm { binary: measure == Measure::Accuracy && data.is_binary() };
    let change = |change: f64| form.signed(change);
    let layers = sweep.layers();
    let width = (WIDTH - LEFT) / columns.len().max(1) as f64;
    let cell = |layer: usize, number: usize, y: f64| {
        let best = cells.get(&(layer, columns[number]))?;
        let better = measure.is_better(best.value, base);
        let strength = if greatest > 0.0 { STRONGEST * best.change.abs() / greatest } else { 0.0 };
        let x = LEFT + width * number as f64;
        let title = format!("{}:{}: {} ({})", best.name, best.edit, change(best.change), form.value(best.value));
        Some(html! {
            g.cell data-cell=(best.name) {
                title { (title) }
                rect.plain x=(at(x + 1.0)) y=(at(y + 1.0)) width=(at(width - 2.0)) height=(at(ROW - 2.0)) {}
                rect class=(if better { "better" } else { "worse" }) x=(at(x + 1.0)) y=(at(y + 1.0)) width=(at(width - 2.0))
                    height=(at(ROW - 2.0)) fill-opacity=(format!("{strength:.2}")) {}
                @if width >= 30.0 {
                    text.number x=(at(x + width / 2.0)) y=(at(y + ROW / 2.0 + 3.5)) text-anchor="middle" { (change(best.change)) }
                }
            }
        })
    };
    let content = html! {
        text.name x="0" y="12" {
            @if measure == Measure::Cost { "KL divergence from the unedited model, nats" }
            @else { "Change of " (name(measure, data.is_binary())) (form.points()) }
        }
        @for (number, matrix) in columns.iter().enumerate() {
            text.tick x=(at(LEFT + width * (number as f64 + 0.5))) y=(at(TOP - 6.0)) text-anchor="middle" { (matrix.to_string()) }
        }
        @for (number, layer) in layers.iter().enumerate() {
            @let y = TOP + ROW * number as f64;
            text.tick x=(at(LEFT - 6.0)) y=(at(y + ROW / 2.0 + 3.5)) text-anchor="end" { (layer) }
            @for number in 0..columns.len() { @if let Some(cell) = cell(*layer, number, y) { (cell) } }
        }
    };
    let best = cells.values().reduce(|a, b| if measure.is_better(b.value, a.value) { b } else { a });
    let description = best.map_or_else(String::new, |best| {
        format!(
            "{} layers, {} matrices; best: {}:{}, {}",
            layers.len(),
            columns.len(),
            best.name,
            best.edit,
            change(best.change)
        )
    });
    let id = format!("map-{}", measure.key());
    let title = format!("Change of {} by layer and matrix", name(measure, data.is_binary()));
    drawing(&id, &title, &description, [WIDTH, TOP + ROW * layers.len() as f64 + 2.0], &content)
}

/// All candidates of the grid under one measure.
fn sweep_table(sweep: &Sweep, measure: Measure, binary: bool) -> DataTable {
    let percent = measure == Measure::Accuracy && binary;
    let (file, caption) = match measure {
        Measure::Accuracy if binary => ("sweep_accuracy", "Accuracy on validation, %"),
        Measure::Accuracy => ("sweep_accuracy", "Mean result on validation"),
        Measure::LogLoss => ("sweep_log_loss", "Log-loss on validation, nats per token"),
        Measure::Cost => ("sweep_kl", "KL divergence from the unedited model, nats per token of the text"),
    };
    let columns: Vec<(&str, &str)> = [("matrix", "matrix")]
        .into_iter()
        .chain(sweep.edits.iter().map(|edit| (edit.as_str(), edit.as_str())))
        .collect();
    let mut table = DataTable::new(file, caption, &columns);
    for row in &sweep.rows {
        let value = |value: &Option<f64>| if percent { Cell::percent(*value) } else { Cell::number(*value) };
        let name = Cell::Text(format!("{}.{}", row.layer, row.matrix));
        table.rows.push([name].into_iter().chain(row.values(measure).iter().map(value)).collect());
    }
    table
}
