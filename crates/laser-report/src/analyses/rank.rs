//! Appendix C.1 (figure 7): the effective rank of each matrix beside the rank at which the task is best.

use super::Analysis;
use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, id_of, vertical_axis};
use crate::report_data::ReadRun;
use crate::sweep::{Measure, SweepRow};
use laser_edit::MatrixId;
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 170.0;

/// What the singular values of a matrix say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatrixSpectrum {
    /// The layer, from 0.
    pub layer: usize,
    /// The matrix.
    pub matrix: MatrixId,
    /// The smaller of rows and columns.
    pub maximum: usize,
    /// The effective rank: exp of the entropy of the normalised singular values.
    pub effective: f64,
    /// The stable rank: the squared Frobenius norm over the squared largest singular value.
    pub stable: f64,
    /// Exponent of the power law that the largest squared singular values follow; none where there are too few.
    pub alpha: Option<f64>,
}

/// A matrix with its best fraction.
struct Point {
    spectrum: MatrixSpectrum,
    rho: f64,
    edit: String,
    gain: f64,
}

/// The analysis of the matrices that `run` has tried fractions of. None where there are none, or the base was not scored.
pub fn rank(run: &ReadRun, spectra: &[MatrixSpectrum]) -> Option<Analysis> {
    let base = run.data.base?.accuracy;
    let sweep = &run.data.sweep;
    let point = |spectrum: &MatrixSpectrum| {
        let row = sweep.rows.iter().find(|row| (row.layer, row.matrix) == (spectrum.layer, spectrum.matrix))?;
        let (column, value) = best_fraction(row, &sweep.rho)?;
        let (rho, edit) = (sweep.rho[column]?, sweep.edits[column].clone());
        Some(Point { spectrum: *spectrum, rho, edit, gain: value - base })
    };
    let points: Vec<Point> = spectra.iter().filter_map(point).collect();
    if points.is_empty() {
        return None;
    }
    let gain_heading = format!("gain on validation{}", run.data.form().points());
    let columns = [
        ("matrix", "matrix"),
        ("maximum", "maximum rank"),
        ("effective", "effective rank"),
        ("share", "of the maximum, %"),
        ("stable", "stable rank"),
        ("alpha", "alpha"),
        ("best", "best rho"),
        ("best_rank", "its rank"),
        ("gain", &gain_heading),
    ];
    let mut table =
        DataTable::new("rank", "Ranks of each matrix, and the fraction at which the task is best", &columns);
    for Point { spectrum, rho, edit, gain } in &points {
        table.rows.push(vec![
            format!("{}.{}", spectrum.layer, spectrum.matrix).into(),
            Cell::Count(spectrum.maximum),
            Cell::Number(spectrum.effective, 1),
            Cell::Percent(spectrum.effective / spectrum.maximum as f64),
            Cell::Number(spectrum.stable, 1),
            spectrum.alpha.map_or(Cell::Empty, |alpha| Cell::Number(alpha, 2)),
            edit.as_str().into(),
            Cell::Count((rho * spectrum.maximum as f64 + 1e-9) as usize),
            run.data.form().change_cell(*gain),
        ]);
    }
    let shares: Vec<f64> = points.iter().map(|it| it.spectrum.effective / it.spectrum.maximum as f64).collect();
    let low = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let high = shares.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let best: Vec<f64> = points.iter().map(|it| it.rho).collect();
    let mut sorted = best.clone();
    sorted.sort_by(f64::total_cmp);
    let gains: Vec<f64> = points.iter().map(|it| it.gain).collect();
    let correlation = |other: &[f64]| match spearman(&shares, other) {
        Some(value) => format!("{value:+.2}"),
        None => "not defined".to_owned(),
    };
    let findings = vec![
        format!(
            "Effective ranks are {:.0} to {:.0} % of the maximum; the fractions at which the task is best are {} to {} % of it, \
             half of them at most {} %.",
            100.0 * low,
            100.0 * high,
            100.0 * sorted[0],
            100.0 * sorted[sorted.len() - 1],
            100.0 * sorted[(sorted.len() - 1) / 2]
        ),
        format!(
            "Spearman's correlation of the effective rank's share with the best fraction: {}; with the gain at it: {} ({} \
             matrices).",
            correlation(&best),
            correlation(&gains),
            points.len()
        ),
    ];
    let title = format!("Effective rank and the best rank: {}", run.data.task_name());
    Some(Analysis { name: "rank", figure: panels(&points), title, findings, tables: vec![table] })
}

/// The most accurate fraction of the whole matrix; of equals the one that keeps most.
fn best_fraction(row: &SweepRow, rho: &[Option<f64>]) -> Option<(usize, f64)> {
    let known = row.accuracy.iter().enumerate().filter(|(column, _)| rho[*column].is_some());
    let known = known.filter_map(|(column, value)| Some((column, (*value)?)));
    known.reduce(|best, other| if Measure::Accuracy.is_better(other.1, best.1) { other } else { best })
}

/// Spearman's correlation, ties by their mean rank; none where one side does not vary.
fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let sum = |pairs: &mut dyn Iterator<Item = (f64, f64)>| pairs.map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let both = sum(&mut a.iter().copied().zip(b.iter().copied()));
    let (of_a, of_b) = (sum(&mut a.iter().map(|&x| (x, x))), sum(&mut b.iter().map(|&x| (x, x))));
    (of_a > 0.0 && of_b > 0.0).then(|| both / (of_a * of_b).sqrt())
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 - 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// A panel per matrix: by layer, the effective rank's share (squares) and the best fraction (dots).
fn panels(points: &[Point]) -> Markup {
    const MOST: usize = 14;
    let mut matrices: Vec<MatrixId> = points.iter().map(|point| point.spectrum.matrix).collect();
    matrices.sort_unstable();
    matrices.dedup();
    let scale = Scale::over([0.0, 1.0], BOTTOM, TOP);
    let panel = |matrix: MatrixId| {
        let here: Vec<&Point> = points.iter().filter(|point| point.spectrum.matrix == matrix).collect();
        let x = Scale::over(here.iter().map(|point| point.spectrum.layer as f64), LEFT, WIDTH - 6.0);
        let said: Vec<String> = (here.iter())
            .map(|it| {
                let share = 100.0 * it.spectrum.effective / it.spectrum.maximum as f64;
                format!("layer {}: effective {share:.0} %, best {:.0} %", it.spectrum.layer, 100.0 * it.rho)
            })
            .collect();
        let every = here.len().div_ceil(10).max(1);
        let content = html! {
            text.name x="0" y="12" { (matrix.to_string()) ": share of the maximum rank, %" }
            (vertical_axis(&scale, LEFT, WIDTH - 4.0, true))
            @for (number, point) in here.iter().enumerate() {
                @let cx = x.place(point.spectrum.layer as f64);
                @let effective = scale.place(point.spectrum.effective / point.spectrum.maximum as f64);
                @let best = scale.place(point.rho);
                g {
                    title { (said[number]) }
                    rect.base x=(at(cx - 3.0)) y=(at(effective - 3.0)) width="6" height="6" {}
                    circle.best cx=(at(cx)) cy=(at(best)) r="3.5" {}
                }
                @if number % every == 0 {
                    text.tick x=(at(cx)) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (point.spectrum.layer) }
                }
            }
            text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "layer" }
        };
        let id = format!("rank-{}", id_of(matrix));
        drawing(&id, &format!("Ranks of {matrix} by layer"), &said.join("; "), [WIDTH, BOTTOM + 34.0], &content)
    };
    html! {
        figure {
            figcaption { "Squares: the effective rank. Dots: the fraction at which the task is best." }
            div.drawings { @for matrix in matrices.iter().take(MOST) { (panel(*matrix)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spearman_is_that_of_ranks() {
        // scipy.stats.spearmanr([1, 2, 3, 4, 5], [5, 6, 7, 8, 7]) of scipy 1.17 gives 0.8207826816681233.
        let value = spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]).unwrap();
        assert!((value - 0.820_782_681_668_123_3).abs() < 1e-12, "{value}");
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
    }
}
