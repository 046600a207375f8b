//! RUN folders: read by every reader, judged, shown and exported.

use laser_edit::Recipe;
use laser_report::{ComparedRuns, ReadRun};
use laser_run::{Costs, Entries, Journal, RunFolder};

use crate::{scratch::with_files, sections::parts};

const NAMES: [&str; 10] = [
    "run.json",
    "journal.jsonl",
    "examples.jsonl",
    "costs.jsonl",
    "strategy.json",
    "best.json",
    "verdict.json",
    "gradient.json",
    "rounding.json",
    "report.html",
];

pub(crate) fn run(input: &[u8]) {
    let mut files = parts(input);
    files.retain(|(name, _)| NAMES.contains(&&**name));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (&**name, &**content)).collect();
    with_files(&files, |path| {
        let _: Result<Recipe, _> = serde_json::from_slice(&std::fs::read(path.join("best.json")).unwrap_or_default());
        let Ok(folder) = RunFolder::open(path) else { return };
        let _ = (folder.entries(), folder.judge().is_ok(), folder.ranking(), folder.recipe());
        let read = ReadRun::open(&folder);
        let _ = (read.data.page(), read.data.sentence(), read.data.write_csv(path));
        let _ = laser_report::lm_eval_files(&read, "2024-07-26T00-00-00");
        let _ = laser_report::optuna_journal(&read, "2024-07-26T00:00:00.000000");
        let _ = (
            laser_report::methods_compared(&read),
            laser_report::monotone(&read, None),
            laser_report::paraphrase(&read),
        );
        let _ = laser_report::front_text(&read.data.costs);
        let both = ComparedRuns { runs: vec![read.data.clone(), read.data] };
        let _ = (both.page(), both.text());
        // What a search that is started again reads; it mends an unfinished last line.
        let _ = Journal::<Entries>::open(&path.join("journal.jsonl"));
        let _ = Journal::<Costs>::open(&path.join("costs.jsonl"));
    });
}
