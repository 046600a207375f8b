//! Tables for a terminal.

use crate::result_form::ResultForm;
use crate::sweep::{Other, Sweep};
use laser_edit::Candidate;
use std::fmt::Write;

/// The results of every candidate on validation: a row per layer and matrix, a column per edit, the
/// chosen one marked with `*`. The others are listed below it. `dropped` candidates are in neither.
pub fn sweep_table(sweep: &Sweep, others: &[Other], form: ResultForm, best: &Candidate, dropped: usize) -> String {
    let best = best.to_string();
    let shown = |name: &str, value: f64| {
        let mark = if name == best { "*" } else { "" };
        mark.to_owned() + &form.number(value)
    };
    let mut lines: Vec<Vec<String>> =
        vec![["matrix".to_owned()].into_iter().chain(sweep.edits.iter().cloned()).collect()];
    for row in &sweep.rows {
        let matrix = format!("{}.{}", row.layer, row.matrix);
        let cell = |(edit, value): (&String, &Option<f64>)| {
            value.map_or_else(String::new, |value| shown(&format!("{matrix}:{edit}"), value))
        };
        let cells: Vec<String> = sweep.edits.iter().zip(&row.accuracy).map(cell).collect();
        lines.push([matrix].into_iter().chain(cells).collect());
    }
    let mut text = if sweep.is_empty() { String::new() } else { aligned(&lines) };
    if dropped > 0 {
        let _ =
            writeln!(text, "{dropped} candidates were dropped before all examples were scored: blank, or not listed.");
    }
    if !others.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        let line = |other: &Other| vec![other.edits.clone(), shown(&other.edits, other.score.accuracy)];
        text.push_str(&aligned(&others.iter().map(line).collect::<Vec<_>>()));
    }
    text
}

/// Columns two spaces apart: the first to the left, the others to the right.
pub fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for line in lines {
        let mut row = String::new();
        for (column, cell) in line.iter().enumerate() {
            let width = widths[column];
            let _ = if column == 0 { write!(row, "{cell:<width$}") } else { write!(row, "  {cell:>width$}") };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_run::{Entry, ExampleResult, ResultKind, SplitName};

    #[test]
    fn the_sweep_table_marks_the_best() {
        let entry = |layer: usize, rho: f64, right: usize| {
            let candidate = format!(r#"[{{"layer":{layer},"matrix":"fc_in","rho":{rho}}}]"#);
            let candidate: Candidate = serde_json::from_str(&candidate).unwrap();
            let results = (0..4).map(|i| ExampleResult::binary(i < right, 1.0)).collect();
            Entry::new(SplitName::Validation, &candidate, None, ResultKind::Binary, results)
        };
        let entries = [entry(0, 0.01, 2), entry(0, 0.9, 1), entry(1, 0.9, 4), entry(1, 0.01, 0)];
        let best = entries[2].interventions.clone();
        let table = |shown: usize, dropped: usize| {
            let (sweep, others) = Sweep::of(&entries.iter().take(shown).collect::<Vec<_>>());
            sweep_table(&sweep, &others, ResultForm { binary: true }, &best, dropped)
        };
        assert_eq!(table(4, 0), "matrix      0.9  0.01\n0.fc_in    25.0  50.0\n1.fc_in  *100.0   0.0\n");
        assert_eq!(
            table(3, 1),
            "matrix      0.9  0.01\n0.fc_in    25.0  50.0\n1.fc_in  *100.0\n1 candidates were dropped before all \
             examples were scored: blank, or not listed.\n"
        );
    }
}
