//! Tables for a terminal.

use laser_search::{Candidate, Entry};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Validation accuracy of every single-matrix candidate: a row a layer and matrix, a column an edit, the chosen one
/// marked with `*`. Candidates of several interventions are listed below it.
pub fn sweep_table(entries: &[&Entry], best: &Candidate) -> String {
    let mut columns: Vec<String> = Vec::new();
    let mut rows: BTreeMap<_, Vec<(usize, String)>> = BTreeMap::new();
    let mut several = Vec::new();
    for entry in entries {
        let mark = if entry.interventions == *best { "*" } else { "" };
        let cell = format!("{mark}{:.1}", 100.0 * entry.score.accuracy);
        match entry.interventions.interventions() {
            [] => {}
            [one] => {
                let edit = one.edit.to_string();
                let column = columns.iter().position(|other| *other == edit).unwrap_or_else(|| {
                    columns.push(edit);
                    columns.len() - 1
                });
                rows.entry((one.layer, one.matrix)).or_default().push((column, cell));
            }
            _ => several.push((entry.interventions.to_string(), cell)),
        }
    }
    let mut lines: Vec<Vec<String>> = vec![["matrix".to_owned()].into_iter().chain(columns.iter().cloned()).collect()];
    for ((layer, matrix), cells) in rows {
        let mut line = vec![String::new(); columns.len() + 1];
        line[0] = format!("{layer}.{matrix}");
        for (column, cell) in cells {
            line[column + 1] = cell;
        }
        lines.push(line);
    }
    lines.extend(several.into_iter().map(|(name, cell)| vec![name, cell]));
    aligned(&lines)
}

/// Columns two blanks apart: the first to the left, the others to the right.
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
    use laser_checkpoint::{Edit, Intervention, MatrixKind};
    use laser_linalg::Rho;
    use laser_search::SplitName;
    use laser_tasks::Outcome;

    #[test]
    fn the_sweep_table_marks_the_best() {
        let entry = |layer, rho, right: usize| {
            let edit = Edit::Rho(Rho::new(rho).unwrap());
            let candidate = Candidate::new([Intervention { layer, matrix: MatrixKind::FcIn.into(), edit }]).unwrap();
            let outcomes: Vec<Outcome> =
                (0..4).map(|i| Outcome { correct: i < right, answer_logprob: -1.0, answer_tokens: 1 }).collect();
            Entry::new(SplitName::Validation, &candidate, &outcomes)
        };
        let entries = [entry(0, 0.9, 1), entry(0, 0.01, 2), entry(1, 0.9, 4), entry(1, 0.01, 0)];
        let best = entries[2].interventions.clone();
        assert_eq!(
            sweep_table(&entries.iter().collect::<Vec<_>>(), &best),
            "matrix      0.9  0.01\n0.fc_in    25.0  50.0\n1.fc_in  *100.0   0.0\n"
        );
    }
}
