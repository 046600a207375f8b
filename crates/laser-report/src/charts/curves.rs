//! The paper's figure 2: a measure against how much of a matrix is taken away, a panel per matrix kind, a line per layer.

use crate::plot::{Scale, WIDTH, at, drawing, id_of, points, vertical_axis};
use crate::report_data::ReportData;
use crate::sweep::{Measure, SweepRow};
use laser_edit::MatrixId;
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 190.0;
/// So many colours are told apart.
const COLOURS: usize = 10;
/// More panels than this are not looked at.
const MOST_PANELS: usize = 14;

/// The figure, where the sweep has fractions of whole matrices; its numbers are those of the heat map's tables.
pub fn curves(data: &ReportData) -> Option<Markup> {
    let base = data.base?.log_loss;
    let sweep = &data.sweep;
    let columns: Vec<(usize, f64)> =
        sweep.rho.iter().enumerate().filter_map(|(column, rho)| Some((column, (*rho)?))).collect();
    if columns.len() < 2 || sweep.is_empty() {
        return None;
    }
    let matrices = sweep.matrices();
    let values: Vec<f64> = sweep.rows.iter().flat_map(|row| row.log_loss.iter().flatten().copied()).collect();
    let lowest = values.iter().copied().fold(base, f64::min);
    let highest = values.iter().copied().fold(base, f64::max);
    // What ruins the model would leave no room for what helps it.
    let top = highest.min(base + (2.0 * (base - lowest)).max(0.15 * base.abs()));
    // What was chosen by accuracy may have a high log-loss; it is shown.
    let best = data.best.as_ref().map_or(base, |best| best.score.log_loss);
    let top = top.max(best.min(highest));
    // One scale for all panels, so that they can be compared.
    let scale = Scale::over([lowest, base, top], BOTTOM, TOP);
    let cut = if top < highest { " Lines that leave the frame go on up to " } else { "" };
    let layers = sweep.layers();
    let (first, last) = (*layers.first()?, *layers.last()?);
    let caption = "Log-loss on validation against the share of the maximum rank that is removed (the paper's figure 2). The dashed \
                   line is the base, a thick one that of the cell that is open. Steps of the horizontal axis are not to scale.";
    Some(html! {
        figure #curves {
            figcaption { (caption) (cut) @if top < highest { (format!("{highest:.2}.")) } }
            div.legend {
                "layer " (first)
                @for colour in 0..COLOURS { span class=(format!("swatch q{colour}")) {} }
                (last)
            }
            div.drawings {
                @for matrix in matrices.iter().take(MOST_PANELS) {
                    (panel(*matrix, &sweep.rows, &columns, &scale, base, (first, last)))
                }
            }
            p.note { "The numbers: the table of log-losses under the heat map." }
            @if matrices.len() > MOST_PANELS { p.note { (matrices.len() - MOST_PANELS) " more matrices are not drawn." } }
        }
    })
}

fn panel(
    matrix: MatrixId,
    rows: &[SweepRow],
    columns: &[(usize, f64)],
    scale: &Scale,
    base: f64,
    (first, last): (usize, usize),
) -> Markup {
    let step = (WIDTH - LEFT - 14.0) / (columns.len() - 1) as f64;
    let x = |number: usize| LEFT + 6.0 + step * number as f64;
    let rows: Vec<&SweepRow> = rows.iter().filter(|row| row.matrix == matrix).collect();
    let line = |row: &SweepRow| -> Vec<(f64, f64)> {
        let known =
            columns.iter().enumerate().filter_map(|(number, (column, _))| Some((number, row.log_loss[*column]?)));
        known.map(|(number, value)| (x(number), scale.place(value))).collect()
    };
    let colour = |layer: usize| (COLOURS - 1) * (layer - first) / (last - first).max(1);
    let lowest = rows.iter().filter_map(|row| Some((row.layer, row.best(Measure::LogLoss)?.1)));
    let lowest = lowest.reduce(|a, b| if b.1 < a.1 { b } else { a });
    let description = lowest.map_or_else(String::new, |(layer, value)| {
        format!("{} layers; base {base:.3}; the lowest log-loss is {value:.3}, in layer {layer}", rows.len())
    });
    let content = html! {
        text.name x="0" y="12" { (matrix.to_string()) }
        (vertical_axis(scale, LEFT, WIDTH - 4.0, false))
        @for (number, (_, rho)) in columns.iter().enumerate() {
            text.tick x=(at(x(number))) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (percent(1.0 - rho)) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "removed, % of the rank" }
        svg x="0" y=(at(TOP - 4.0)) width=(at(WIDTH)) height=(at(BOTTOM - TOP + 4.0))
            viewBox=(format!("0 {} {} {}", at(TOP - 4.0), at(WIDTH), at(BOTTOM - TOP + 4.0))) {
            @for row in &rows {
                @let (places, colour) = (line(row), format!("q{}", colour(row.layer)));
                g.curve data-cell=(format!("{}.{}", row.layer, row.matrix)) {
                    title { "layer " (row.layer) }
                    polyline class=(colour) points=(points(&places)) {}
                    @if let [(x, y)] = places.as_slice() { circle class=(colour) cx=(at(*x)) cy=(at(*y)) r="2.5" {} }
                }
            }
        }
        line.dashed x1=(at(LEFT)) x2=(at(WIDTH - 4.0)) y1=(at(scale.place(base))) y2=(at(scale.place(base))) {}
    };
    let (id, title) = (format!("curve-{}", id_of(matrix)), format!("Log-loss against reduction of {matrix}"));
    drawing(&id, &title, &description, [WIDTH, BOTTOM + 34.0], &content)
}

/// Percent with no more places than it needs.
fn percent(fraction: f64) -> String {
    let text = format!("{:.2}", 100.0 * fraction);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
