//! Candidates of one edit, by matrix and by edit.

use laser_edit::{Candidate, Edit, Intervention, MatrixId};
use laser_example::Score;
use laser_run::{CostedCandidate, Entry};
use serde::{Serialize, Serializer};
use std::collections::{BTreeMap, HashMap};

/// What every edit of the grid gave: a row per layer and matrix, a column per edit.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Sweep {
    /// The edits, those that keep most first: `0.9`, `0.01`, `blocks=4,0.05`.
    pub edits: Vec<String>,
    /// The kept fraction of each edit, where it is one of the whole matrix.
    pub rho: Vec<Option<f64>>,
    /// The matrices that were edited, by layer.
    pub rows: Vec<SweepRow>,
}

/// One matrix under every edit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepRow {
    /// The layer, from 0.
    pub layer: usize,
    /// The matrix.
    pub matrix: MatrixId,
    /// Validation accuracy (or mean result) by edit, a fraction; none where it was not scored on all examples.
    #[serde(serialize_with = "rounded")]
    pub accuracy: Vec<Option<f64>>,
    /// Log-loss by edit, nats per token.
    #[serde(serialize_with = "rounded")]
    pub log_loss: Vec<Option<f64>>,
    /// Divergence from the unedited model by edit, nats per token of the text; empty where no cost was measured.
    #[serde(serialize_with = "rounded", skip_serializing_if = "Vec::is_empty")]
    pub kl: Vec<Option<f64>>,
}

/// A candidate that is not a cell of the sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Other {
    /// Its edits.
    pub edits: String,
    /// How many they are.
    pub count: usize,
    /// Its score on validation.
    pub score: Score,
}

/// Six places: more would only make the page longer.
fn rounded<S: Serializer>(values: &[Option<f64>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| value.map(|value| (value * 1e6).round() / 1e6)))
}

/// Each edit's number.
fn numbers<'e>(edits: impl Iterator<Item = &'e String>) -> HashMap<String, usize> {
    edits.enumerate().map(|(number, edit)| (edit.clone(), number)).collect()
}

/// A column's place: the number of row blocks and the kept fraction. Other methods come last.
type Place = (usize, f64);

impl Sweep {
    /// The sweep and the other candidates of `entries`, which are over the whole validation split. The order of the entries does
    /// not matter.
    pub fn of(entries: &[&Entry]) -> (Self, Vec<Other>) {
        let cells = entries.iter().filter_map(|entry| cell(&entry.interventions));
        let known: HashMap<String, Place> = cells.map(|(_, place, edit)| (edit.to_string(), place)).collect();
        let mut columns: Vec<(Place, String)> = known.into_iter().map(|(edit, place)| (place, edit)).collect();
        // Blocks by their number, fractions fall.
        columns.sort_by(|((a, x), s), ((b, y), t)| a.cmp(b).then(y.total_cmp(x)).then(s.cmp(t)));
        let number_of = numbers(columns.iter().map(|(_, edit)| edit));
        let (mut rows, mut others) = (BTreeMap::new(), Vec::new());
        for entry in entries {
            match cell(&entry.interventions) {
                Some((one, _, edit)) => {
                    let row = rows.entry((one.layer, one.matrix)).or_insert_with(|| SweepRow {
                        layer: one.layer,
                        matrix: one.matrix,
                        accuracy: vec![None; columns.len()],
                        log_loss: vec![None; columns.len()],
                        kl: Vec::new(),
                    });
                    if let Some(&column) = number_of.get(&edit.to_string()) {
                        row.accuracy[column] = Some(entry.score.accuracy);
                        row.log_loss[column] = Some(entry.score.log_loss);
                    }
                }
                None if entry.interventions == Candidate::base() => {}
                None => others.push(Other {
                    edits: entry.interventions.to_string(),
                    count: entry.interventions.interventions().len(),
                    score: entry.score,
                }),
            }
        }
        others.sort_by(|a, b| {
            let by_score = b.score.accuracy.total_cmp(&a.score.accuracy);
            by_score.then(a.score.log_loss.total_cmp(&b.score.log_loss)).then(a.edits.cmp(&b.edits))
        });
        let rho = columns.iter().map(|((blocks, rho), _)| (*blocks == 1).then_some(*rho)).collect();
        let edits = columns.into_iter().map(|(_, edit)| edit).collect();
        (Self { edits, rho, rows: rows.into_values().collect() }, others)
    }

    /// The same with what single edits cost.
    pub(crate) fn with_costs(mut self, costs: &[CostedCandidate]) -> Self {
        let number_of = numbers(self.edits.iter());
        let places = self.rows.iter().enumerate().map(|(number, row)| ((row.layer, row.matrix), number));
        let places: HashMap<(usize, MatrixId), usize> = places.collect();
        let found = costs.iter().filter_map(|costed| {
            let (one, _, edit) = cell(&costed.interventions)?;
            Some((*places.get(&(one.layer, one.matrix))?, *number_of.get(&edit.to_string())?, costed.kl))
        });
        let found: Vec<(usize, usize, f64)> = found.collect();
        if !found.is_empty() {
            let count = self.edits.len();
            self.rows.iter_mut().for_each(|row| row.kl.resize(count, None));
        }
        for (row, column, kl) in found {
            self.rows[row].kl[column] = Some(kl);
        }
        self
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The layers, ascending.
    pub fn layers(&self) -> Vec<usize> {
        let mut layers: Vec<usize> = self.rows.iter().map(|row| row.layer).collect();
        layers.dedup();
        layers
    }

    /// The matrices, in the order of a layer's forward pass.
    pub fn matrices(&self) -> Vec<MatrixId> {
        let mut matrices: Vec<MatrixId> = self.rows.iter().map(|row| row.matrix).collect();
        matrices.sort_unstable();
        matrices.dedup();
        matrices
    }
}

impl SweepRow {
    /// The values of a measure, by edit.
    pub fn values(&self, measure: Measure) -> &[Option<f64>] {
        match measure {
            Measure::Accuracy => &self.accuracy,
            Measure::LogLoss => &self.log_loss,
            Measure::Cost => &self.kl,
        }
    }

    /// What a heat map shows of this matrix: its best edit by a measure, or what the most accurate edit costs of those whose
    /// cost is known.
    pub(crate) fn shown(&self, measure: Measure) -> Option<(usize, f64)> {
        if measure != Measure::Cost {
            return self.best(measure);
        }
        let known = self.kl.iter().enumerate().filter_map(|(column, kl)| Some((column, (*kl)?)));
        known.reduce(|best, other| if self.accuracy[other.0] > self.accuracy[best.0] { other } else { best })
    }

    /// The best edit of this matrix by a measure: its column and value.
    pub fn best(&self, measure: Measure) -> Option<(usize, f64)> {
        let known = self.values(measure).iter().enumerate().filter_map(|(column, value)| Some((column, (*value)?)));
        known.reduce(|best, other| if measure.is_better(other.1, best.1) { other } else { best })
    }
}

/// What a figure shows of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Validation accuracy, or the mean result where results are not right or wrong.
    Accuracy,
    /// Log-loss, nats per token.
    LogLoss,
    /// Divergence from the unedited model, nats per token of the text.
    Cost,
}

impl Measure {
    /// Each.
    pub const ALL: [Self; 3] = [Self::Accuracy, Self::LogLoss, Self::Cost];

    /// A word for attributes and files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::LogLoss => "log_loss",
            Self::Cost => "kl",
        }
    }

    /// Of the unedited model, which has this score.
    pub fn of_base(self, score: &Score) -> f64 {
        match self {
            Self::Accuracy => score.accuracy,
            Self::LogLoss => score.log_loss,
            Self::Cost => 0.0,
        }
    }

    /// Whether `a` is better than `b`.
    pub fn is_better(self, a: f64, b: f64) -> bool {
        match self {
            Self::Accuracy => a > b,
            Self::LogLoss | Self::Cost => a < b,
        }
    }
}

/// The one edit of a candidate and its column. A rank of its own for each matrix has none.
fn cell(candidate: &Candidate) -> Option<(&Intervention, Place, &Edit)> {
    let [one] = candidate.interventions() else { return None };
    let place = match one.edit.grid_point() {
        Some(place) => place,
        None if one.edit.to_string().starts_with("rank=") => return None,
        None => (usize::MAX, 0.0),
    };
    Some((one, place, &one.edit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_run::{ExampleResult, ResultKind, SplitName};

    fn entry(candidate: &str, right: usize) -> Entry {
        let candidate: Candidate = serde_json::from_str(candidate).unwrap();
        let results = (0..4).map(|i| ExampleResult::binary(i < right, 1.0 + right as f64)).collect();
        Entry::new(SplitName::Validation, &candidate, None, ResultKind::Binary, results)
    }

    #[test]
    fn entries_in_any_order_make_the_same_sweep() {
        let one = |layer: usize, rho: f64, right| {
            entry(&format!(r#"[{{"layer":{layer},"matrix":"fc_in","rho":{rho}}}]"#), right)
        };
        let two = r#"[{"layer":0,"matrix":"fc_in","rho":0.5},{"layer":1,"matrix":"fc_in","rho":0.5}]"#;
        let (zero, rank) =
            (r#"[{"layer":1,"matrix":"fc_in","zero":true}]"#, r#"[{"layer":1,"matrix":"fc_in","rank":3}]"#);
        let all = [
            entry("[]", 2),
            one(0, 0.01, 1),
            one(1, 0.9, 3),
            one(0, 0.9, 2),
            entry(zero, 0),
            entry(two, 4),
            entry(rank, 1),
        ];
        let mut order: Vec<&Entry> = all.iter().collect();
        let (sweep, others) = Sweep::of(&order);
        order.reverse();
        assert_eq!(Sweep::of(&order), (sweep.clone(), others.clone()));
        assert_eq!(sweep.edits, ["0.9", "0.01", "zero"]);
        assert_eq!(sweep.rho, [Some(0.9), Some(0.01), None]);
        assert_eq!(sweep.rows[0].accuracy, [Some(0.5), Some(0.25), None]);
        assert_eq!(sweep.rows[1].accuracy, [Some(0.75), None, Some(0.0)]);
        assert_eq!(sweep.rows[0].best(Measure::Accuracy), Some((0, 0.5)));
        assert_eq!(sweep.rows[0].best(Measure::LogLoss), Some((1, 2.0)));
        let names: Vec<&str> = others.iter().map(|other| other.edits.as_str()).collect();
        assert_eq!(names, ["0.fc_in:0.5 1.fc_in:0.5", "1.fc_in:rank=3"]);
    }
}
