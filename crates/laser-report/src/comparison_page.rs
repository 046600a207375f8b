//! Several runs side by side.

use crate::charts::{self, Point};
use crate::data_table::{Cell, DataTable};
use crate::numbers::p_text;
use crate::page::{page, section};
use crate::report_data::{ReportData, State};
use crate::result_form::ResultForm;
use crate::visible_text::visible;
use laser_run::CostedCandidate;
use maud::{Markup, html};
use serde::Serialize;
use std::path::Path;

/// Runs that are compared.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct ComparedRuns {
    /// Each run, in the order in which they are shown.
    pub runs: Vec<ReportData>,
}

impl ComparedRuns {
    /// The comparison as an HTML page.
    pub fn page(&self) -> String {
        let table = self.table();
        let body = html! {
            header {
                h1 { (self.runs.len()) " runs compared" }
                (self.notices())
            }
            (section("table", "The best of each run", &table.html(usize::MAX)))
            @if let Some(figure) = charts::best_layer(&self.runs, &self.names()) { (section("layers", "Where it helps", &figure)) }
            @if let Some((figure, _)) = self.costs() { (section("cost", "What it costs", &figure)) }
        };
        page(&format!("{} runs compared", self.runs.len()), &body, &table.json())
    }

    /// The table for a terminal.
    pub fn text(&self) -> String {
        let table = self.table();
        let header = table.columns.iter().map(|column| column.label.clone()).collect();
        let rows = table.rows.iter().map(|row| row.iter().map(Cell::shown).collect());
        crate::table::aligned(&[header].into_iter().chain(rows).collect::<Vec<_>>())
    }

    /// Writes the tables into `folder`. Returns their names.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_csv(&self, folder: &Path) -> Result<Vec<String>, laser_run::Error> {
        let costs = self.costs().map(|(_, table)| table);
        let written = |table: DataTable| table.write_csv(folder).map(|()| format!("{}.csv", table.name));
        [self.table()].into_iter().chain(costs).map(written).collect()
    }

    /// The paper's tables 1 and 3: a row per task and model, with the best edits beside the accuracies.
    fn table(&self) -> DataTable {
        let columns = [
            ("task", "task"),
            ("verdict", "verdict"),
            ("model", "model"),
            ("best", "best (l.tau:rho)"),
            ("base_accuracy", "base, %"),
            ("best_accuracy", "best, %"),
            ("gain", "gain, points"),
            ("p", "p"),
            ("validation_gain", "gain on validation, points"),
            ("base_log_loss", "base log-loss"),
            ("best_log_loss", "best log-loss"),
            ("perplexity", "perplexity of the text, change in %"),
            ("run", "folder"),
        ];
        let mut table = DataTable::new("compared", "On test, the best edits of each run", &columns);
        for run in &self.runs {
            let word = match (&run.verdict, run.state) {
                (Some(verdict), _) => verdict.word().to_string(),
                (None, State::Running) => "running".to_owned(),
                (None, _) => "not finished".to_owned(),
            };
            let mut row: Vec<Cell> = vec![run.task_name().into(), word.into(), run.model_name().into()];
            let form = run.form();
            row.extend(match &run.verdict {
                Some(verdict) => {
                    let (base, edited) = (verdict.base.test.score, verdict.edited.test.score);
                    [
                        verdict.best.to_string().into(),
                        form.cell(base.accuracy),
                        form.cell(edited.accuracy),
                        form.change_cell(verdict.test.accuracy_gain),
                        Cell::Text(p_text(verdict.test.p)),
                        form.change_cell(
                            verdict.edited.validation.score.accuracy - verdict.base.validation.score.accuracy,
                        ),
                        Cell::Number(base.log_loss, 3),
                        Cell::Number(edited.log_loss, 3),
                        verdict.perplexity.as_ref().map_or(Cell::Empty, |it| Cell::Points(it.edited / it.base - 1.0)),
                    ]
                }
                None => [const { Cell::Empty }; 9],
            });
            row.push(run.folder.display().to_string().into());
            table.rows.push(row);
        }
        table
    }

    /// What each run is called: its task; its model where there are several; its folder where that
    /// is not enough.
    fn names(&self) -> Vec<String> {
        let one_model = self.runs.windows(2).all(|pair| pair[0].model_name() == pair[1].model_name());
        let name = |run: &ReportData| match one_model {
            true => run.task_name(),
            false => format!("{}, {}", run.task_name(), run.model_name()),
        };
        let names: Vec<String> = self.runs.iter().map(name).collect();
        let is_one = |name: &String| names.iter().filter(|other| *other == name).count() == 1;
        let named = |(run, name): (&ReportData, &String)| match is_one(name) {
            true => name.clone(),
            false => format!("{name} ({})", run.folder.display()),
        };
        self.runs.iter().zip(&names).map(named).collect()
    }

    fn costs(&self) -> Option<(Markup, DataTable)> {
        let names = self.names();
        let points = self.runs.iter().zip(names.clone()).enumerate().flat_map(|(number, (run, name))| {
            let base = run.base.map_or(0.0, |base| base.accuracy);
            let point = move |it: &CostedCandidate| {
                Point::new(format!("{name}: {}", it.interventions), it, base).of_run(number)
            };
            run.costs.iter().filter(|it| it.has_row()).map(point)
        });
        let form = ResultForm { binary: self.runs.iter().all(ReportData::is_binary) };
        let points: Vec<Point> = points.collect();
        Some((charts::cost_front(&points, form, &names, usize::MAX)?, charts::cost_table(points.iter(), form)))
    }

    fn notices(&self) -> Markup {
        let problems: Vec<String> = (self.runs.iter())
            .flat_map(|run| run.problems.iter().map(|problem| format!("{}: {problem}", run.folder.display())))
            .collect();
        html! { @if !problems.is_empty() { ul.notices { @for problem in &problems { li { (visible(problem)) } } } } }
    }
}
