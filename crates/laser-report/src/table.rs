//! Tables for a terminal.

use laser_search::{Candidate, Conclusion, Entry, Interval, ScoreWithInterval, Verdict};
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

/// Base and best on both splits, and how sure the difference is.
pub fn verdict_table(verdict: &Verdict) -> String {
    let row = |name: String, scores: &laser_search::Scores| {
        vec![
            name,
            percent(&scores.validation),
            format!("{:.3}", scores.validation.score.log_loss),
            percent(&scores.test),
            format!("{:.3}", scores.test.score.log_loss),
        ]
    };
    let header = ["", "validation accuracy", "log-loss", "test accuracy", "log-loss"].map(str::to_owned).to_vec();
    let mut text =
        aligned(&[header, row("base".into(), &verdict.base), row(verdict.best.to_string(), &verdict.edited)]);
    let test = &verdict.test;
    let points = |x: f64| 100.0 * x;
    let Interval { low, high } = test.accuracy_gain_interval;
    let loss = test.log_loss_change_interval;
    let _ = write!(
        text,
        "\nOn test: accuracy {:+.1} points (95 % {:+.1} to {:+.1}), log-loss {:+.3} nats a token (95 % {:+.3} to {:+.3});\n\
         {} answers gained, {} lost, McNemar's exact p = {}. Chosen on validation from {} candidates.\n",
        points(test.accuracy_gain),
        points(low),
        points(high),
        test.log_loss_change,
        loss.low,
        loss.high,
        test.gained,
        test.lost,
        p_value(test.mcnemar_p),
        verdict.candidates,
    );
    text.push_str(match test.conclusion() {
        Conclusion::Better => "The gain holds on unseen examples.\n",
        Conclusion::NoDifference => "No difference in accuracy is shown on unseen examples.\n",
        Conclusion::Worse => "On unseen examples the edit is worse: do not apply it.\n",
    });
    if loss.low > 0.0 && test.conclusion() != Conclusion::Worse {
        text.push_str("Its log-loss on unseen examples is worse.\n");
    }
    text
}

fn percent(score: &ScoreWithInterval) -> String {
    let Interval { low, high } = score.accuracy_interval;
    format!("{:.1} % ({:.1} to {:.1})", 100.0 * score.score.accuracy, 100.0 * low, 100.0 * high)
}

fn p_value(p: f64) -> String {
    if p >= 0.001 { format!("{p:.3}") } else { format!("{p:.1e}") }
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
