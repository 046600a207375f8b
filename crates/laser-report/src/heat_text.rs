//! The heat map for a terminal with colours: a column per layer, a row per matrix.

use crate::sweep::{Measure, Sweep};
use laser_edit::Candidate;
use std::fmt::Write;

/// Letters of a cell; room for a sign, two digits and a space.
const CELL: usize = 4;

/// The change of validation accuracy by the best edit of each matrix, in points, coloured; `width`
/// letters wide at most. None where there is nothing to show or no room. It is for results that are
/// right or wrong: others have no common scale.
pub fn heat_text(sweep: &Sweep, base_accuracy: f64, best: &Candidate, width: usize) -> Option<String> {
    let (layers, matrices) = (sweep.layers(), sweep.matrices());
    let names: Vec<String> = matrices.iter().map(ToString::to_string).collect();
    let label = names.iter().map(String::len).max()? + 1;
    let fitting = width.checked_sub(label)? / CELL;
    if fitting == 0 || layers.is_empty() {
        return None;
    }
    let change = |layer: usize, number: usize| {
        let row = sweep.rows.iter().find(|row| row.layer == layer && row.matrix == matrices[number])?;
        Some(row.best(Measure::Accuracy)?.1 - base_accuracy)
    };
    let all = sweep.rows.iter().filter_map(|row| row.best(Measure::Accuracy));
    let greatest = all.map(|(_, value)| (value - base_accuracy).abs()).fold(0.0, f64::max);
    let is_best = |layer: usize, number: usize| {
        best.interventions().iter().any(|edit| edit.layer == layer && edit.matrix == matrices[number])
    };
    let mut text =
        String::from("Points of accuracy that the best edit of each matrix changes, by layer (best underlined)\n");
    for band in layers.chunks(fitting) {
        let _ = write!(text, "{:label$}", "");
        for layer in band {
            let _ = write!(text, "{layer:>CELL$}");
        }
        text.push('\n');
        for (number, name) in names.iter().enumerate() {
            let _ = write!(text, "{name:label$}");
            for &layer in band {
                match change(layer, number) {
                    Some(change) => text.push_str(&cell(change, greatest, is_best(layer, number))),
                    None => text.push_str(&" ".repeat(CELL)),
                }
            }
            text.push('\n');
        }
    }
    Some(text)
}

/// A cell: blue where it is better, orange where it is worse, the stronger the more.
fn cell(change: f64, greatest: f64, is_best: bool) -> String {
    let strength = if greatest > 0.0 { change.abs() / greatest } else { 0.0 };
    let [red, green, blue] = if change > 0.0 { [0.0, 114.0, 178.0] } else { [213.0, 94.0, 0.0] };
    // From a dark grey, on which white letters are read, to the colour.
    let mixed = |full: f64| (40.0 + strength * (full - 40.0)).round() as u8;
    let underline = if is_best { "\x1b[4m" } else { "" };
    let points = format!("{:+.0}", 100.0 * change);
    let (r, g, b) = (mixed(red), mixed(green), mixed(blue));
    format!("\x1b[48;2;{r};{g};{b}m\x1b[38;2;255;255;255m{underline}{points:>CELL$}\x1b[0m")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::SweepRow;
    use laser_edit::MatrixKind;

    fn sweep(layers: usize) -> Sweep {
        let row = |layer: usize| SweepRow {
            layer,
            matrix: MatrixKind::FcIn.into(),
            accuracy: vec![Some(0.5 + 0.1 * layer as f64)],
            log_loss: vec![Some(1.0)],
            kl: Vec::new(),
        };
        Sweep { edits: vec!["0.1".into()], rho: vec![Some(0.1)], rows: (0..layers).map(row).collect() }
    }

    /// Without escape sequences.
    fn plain(text: &str) -> String {
        text.split('\x1b')
            .enumerate()
            .map(|(i, it)| if i == 0 { it } else { it.split_once('m').map_or("", |it| it.1) })
            .collect()
    }

    #[test]
    fn it_is_no_wider_than_the_terminal() {
        let text = plain(&heat_text(&sweep(5), 0.6, &Candidate::base(), 16).unwrap());
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            ["         0   1", "fc_in  -10  +0", "         2   3", "fc_in  +10 +20", "         4", "fc_in  +30"]
        );
        assert!(heat_text(&sweep(5), 0.6, &Candidate::base(), 9).is_none());
        assert!(heat_text(&Sweep::default(), 0.6, &Candidate::base(), 80).is_none());
    }

    #[test]
    fn colours_say_better_and_worse() {
        let text = heat_text(&sweep(3), 0.6, &Candidate::base(), 80).unwrap();
        assert!(text.contains("\x1b[48;2;213;94;0m") && text.contains("\x1b[48;2;0;114;178m"), "{text:?}");
    }
}
