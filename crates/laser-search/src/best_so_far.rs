//! Tells who watches a search which candidate is the best so far.

use laser_run::{Entry, Objective, Progress, SplitName};

/// The best candidate of those that were scored on the whole validation split.
#[derive(Debug, Default)]
pub struct BestSoFar(Option<(f64, f64)>);

impl BestSoFar {
    /// Takes note of an entry, and tells `progress` if it is the best so far by `objective`.
    pub fn take(&mut self, entry: &Entry, objective: &Objective, progress: &dyn Progress) {
        let is_candidate = entry.split == SplitName::Validation && entry.part.is_none();
        if !is_candidate || entry.interventions.interventions().is_empty() {
            return;
        }
        let (value, log_loss) = (objective.value(entry), entry.score.log_loss);
        let accuracy = entry.score.accuracy;
        if self.0.is_none_or(|(best, loss)| value > best || (value == best && log_loss < loss)) {
            self.0 = Some((value, log_loss));
            progress.best(&match entry.is_binary() {
                true => format!("{} {:.1} %", entry.interventions, 100.0 * accuracy),
                false => format!("{} {accuracy:.3}", entry.interventions),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_edit::Candidate;
    use laser_run::{ExampleResult, ResultKind};
    use std::sync::Mutex;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn start(&self, _: &str, _: usize, _: usize) {}
        fn advance(&self, _: usize) {}
        fn finish(&self) {}
        fn best(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    #[test]
    fn only_a_better_candidate_is_told() {
        let entry = |split, candidate: &str, right: usize, loss: f64| {
            let candidate: Candidate = serde_json::from_str(candidate).unwrap();
            let results = (0..4).map(|i| ExampleResult::binary(i < right, loss)).collect();
            Entry::new(split, &candidate, None, ResultKind::Binary, results)
        };
        let (heard, mut best) = (Heard::default(), BestSoFar::default());
        let one = |layer: usize| format!(r#"[{{"layer":{layer},"matrix":"fc_in","rho":0.1}}]"#);
        for (split, candidate, right, loss) in [
            (SplitName::Validation, "[]".to_owned(), 4, 0.1),
            (SplitName::Validation, one(0), 2, 1.0),
            (SplitName::Validation, one(1), 1, 0.5),
            (SplitName::Test, one(2), 4, 0.5),
            (SplitName::Validation, one(3), 2, 0.9),
            (SplitName::Validation, one(4), 3, 2.0),
        ] {
            best.take(&entry(split, &candidate, right, loss), &Objective::PLAIN, &heard);
        }
        assert_eq!(*heard.0.lock().unwrap(), ["0.fc_in:0.1 50.0 %", "3.fc_in:0.1 50.0 %", "4.fc_in:0.1 75.0 %"]);
    }
}
