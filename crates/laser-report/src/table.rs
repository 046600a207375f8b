//! Tables for a terminal.

use laser_edit::{Candidate, Edit, Intervention};
use laser_run::Entry;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Validation accuracy of every candidate that keeps a fraction of one matrix: a row a layer and matrix, a column an edit, the chosen
/// one marked with `*`. All others are listed below it, those of fewer edits and the more accurate first. `dropped` candidates are not among
/// the entries.
pub fn sweep_table(entries: &[&Entry], best: &Candidate, dropped: usize) -> String {
    let mut columns: Vec<(Fraction, Edit)> = Vec::new();
    for (_, column) in entries.iter().filter_map(|entry| cell(&entry.interventions)) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    // Blocks by their number, fractions fall.
    columns.sort_by(|((a, x), _), ((b, y), _)| a.cmp(b).then(y.total_cmp(x)));
    let mut rows: BTreeMap<_, Vec<(usize, String)>> = BTreeMap::new();
    let mut others = Vec::new();
    for entry in entries {
        let mark = if entry.interventions == *best { "*" } else { "" };
        let accuracy = format!("{mark}{:.1}", 100.0 * entry.score.accuracy);
        if let Some((one, column)) = cell(&entry.interventions) {
            let column = columns.iter().position(|other| *other == column).unwrap_or_default();
            rows.entry((one.layer, one.matrix)).or_default().push((column, accuracy));
        } else if !entry.interventions.interventions().is_empty() {
            let edits = entry.interventions.interventions().len();
            others.push((edits, entry.score.accuracy, vec![entry.interventions.to_string(), accuracy]));
        }
    }
    let mut lines: Vec<Vec<String>> =
        vec![["matrix".to_owned()].into_iter().chain(columns.iter().map(|(_, edit)| edit.to_string())).collect()];
    for ((layer, matrix), cells) in rows {
        let mut line = vec![String::new(); columns.len() + 1];
        line[0] = format!("{layer}.{matrix}");
        for (column, cell) in cells {
            line[column + 1] = cell;
        }
        lines.push(line);
    }
    others.sort_by(|(edits, a, _), (other_edits, b, _)| edits.cmp(other_edits).then(b.total_cmp(a)));
    let others: Vec<Vec<String>> = others.into_iter().map(|(_, _, line)| line).collect();
    let mut text = if columns.is_empty() { String::new() } else { aligned(&lines) };
    if dropped > 0 {
        let _ = writeln!(text, "Blank or not listed: {dropped}, dropped before all examples were scored.");
    }
    if !others.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&aligned(&others));
    }
    text
}

/// The number of row blocks and the kept fraction: [`Edit::grid_point`].
type Fraction = (usize, f64);

/// The one intervention of a candidate, and its column, where that is a fraction.
fn cell(candidate: &Candidate) -> Option<(&Intervention, (Fraction, Edit))> {
    let [one] = candidate.interventions() else { return None };
    Some((one, (one.edit.grid_point()?, one.edit.clone())))
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
    use laser_run::{ExampleResult, ResultKind, SplitName};

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
        assert_eq!(
            sweep_table(&entries.iter().collect::<Vec<_>>(), &best, 0),
            "matrix      0.9  0.01\n0.fc_in    25.0  50.0\n1.fc_in  *100.0   0.0\n"
        );
        assert_eq!(
            sweep_table(&entries.iter().take(3).collect::<Vec<_>>(), &best, 1),
            "matrix      0.9  0.01\n0.fc_in    25.0  50.0\n1.fc_in  *100.0\nBlank or not listed: 1, dropped before all examples were scored.\n"
        );
    }
}
