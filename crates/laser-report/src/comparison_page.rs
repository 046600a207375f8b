//! Several runs side by side.

use crate::charts::{self, Point};
use crate::data_table::{Cell, DataTable};
use crate::page::{page, section};
use crate::report_data::{ReportData, State};
use crate::visible_text::visible;
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
            @if let Some(figure) = charts::best_layer(&self.runs) { (section("layers", "Where it helps", &figure)) }
            @if let Some((figure, _)) = charts::cost_front(&self.points()) { (section("cost", "What it costs", &figure)) }
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
        let costs = charts::cost_front(&self.points()).map(|(_, table)| table);
        let written = |table: DataTable| table.write_csv(folder).map(|()| format!("{}.csv", table.name));
        [self.table()].into_iter().chain(costs).map(written).collect()
    }

    /// The paper's tables 1 and 3: a row a task and model, with the best edits beside the accuracies.
    fn table(&self) -> DataTable {
        let columns = [
            ("task", "task"),
            ("model", "model"),
            ("best", "best (l.tau:rho)"),
            ("base_accuracy", "base, %"),
            ("best_accuracy", "best, %"),
            ("gain", "gain, points"),
            ("base_log_loss", "base log-loss"),
            ("best_log_loss", "best log-loss"),
            ("verdict", "verdict"),
        ];
        let mut table = DataTable::new("compared", "On test, the best edits of each run", &columns);
        for run in &self.runs {
            let mut row = vec![run.task_name().into(), run.model_name().into()];
            let result = |value: f64| if run.is_binary() { Cell::Percent(value) } else { Cell::Number(value, 3) };
            row.extend(match &run.verdict {
                Some(verdict) => {
                    let (base, edited) = (verdict.base.test.score, verdict.edited.test.score);
                    [
                        verdict.best.to_string().into(),
                        result(base.accuracy),
                        result(edited.accuracy),
                        Cell::Points(verdict.test.accuracy_gain),
                        Cell::Number(base.log_loss, 3),
                        Cell::Number(edited.log_loss, 3),
                        verdict.word().to_string().into(),
                    ]
                }
                None => {
                    let state = if run.state == State::Running { "running" } else { "not finished" };
                    let [a, b, c, d, e, f] = [const { Cell::Empty }; 6];
                    [a, b, c, d, e, f, state.into()]
                }
            });
            table.rows.push(row);
        }
        table
    }

    fn points(&self) -> Vec<Point> {
        let of_run = |run: &ReportData| {
            let name = run.task_name();
            let point = move |cost: &crate::report_data::Cost| Point {
                name: format!("{name}: {}", cost.edits),
                gain: cost.gain,
                cost: cost.perplexity,
            };
            run.costs.iter().map(point).collect::<Vec<_>>()
        };
        self.runs.iter().flat_map(of_run).collect()
    }

    fn notices(&self) -> Markup {
        let problems: Vec<String> = (self.runs.iter())
            .flat_map(|run| run.problems.iter().map(|problem| format!("{}: {problem}", run.folder.display())))
            .collect();
        html! { @if !problems.is_empty() { ul.notices { @for problem in &problems { li { (visible(problem)) } } } } }
    }
}
