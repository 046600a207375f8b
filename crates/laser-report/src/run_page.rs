//! The report of one run: its sections, the page, and its tables as CSV.

use crate::changed_example::ChangedExample;
use crate::charts;
use crate::data_table::{Cell, DataTable};
use crate::equivalent_command::equivalent_command;
use crate::page::{folded, page, picture, section};
use crate::reason_text::because;
use crate::report_data::{Best, ReportData, State};
use crate::sweep::Sweep;
use crate::trace_text::{bf16_text, trace_text};
use crate::visible_text::{beginning, ending, visible};
use laser_example::Score;
use laser_run::CostedCandidate;
use maud::{Markup, html};
use serde::Serialize;
use std::path::Path;

/// A page is kept below so many bytes.
const MOST_BYTES: usize = 1_000_000;
const EXAMPLE: &str = "A test example as the unedited model does it, and as the edited one does.";
/// Characters that are shown of a prompt (its end) and of an answer.
const PROMPT: usize = 280;
const ANSWER: usize = 160;

/// How much of long lists a page shows.
#[derive(Debug, Clone, Copy)]
struct Caps {
    changed: usize,
    others: usize,
    sweep: usize,
    points: usize,
}

/// From generous to little: the first that keeps the page small is taken.
const CAPS: [Caps; 4] = [
    Caps { changed: 400, others: 500, sweep: 1200, points: 1500 },
    Caps { changed: 200, others: 100, sweep: 500, points: 800 },
    Caps { changed: 60, others: 50, sweep: 150, points: 400 },
    Caps { changed: 20, others: 20, sweep: 40, points: 100 },
];

/// What the page's script reads, and other programs may.
#[derive(Serialize)]
struct PageData<'a> {
    model: String,
    task: String,
    state: State,
    word: Option<String>,
    because: Option<&'a str>,
    binary: bool,
    base: Option<Score>,
    best: Option<&'a Best>,
    sweep: &'a Sweep,
}

impl ReportData {
    /// The report as an HTML page.
    pub fn page(&self) -> String {
        let page = |caps: Caps| {
            let mut data = self.page_data();
            let cut = Sweep { rows: self.sweep.rows.iter().take(caps.sweep).cloned().collect(), ..self.sweep.clone() };
            data.sweep = &cut;
            page(&format!("{} on {}", self.model_name(), self.task_name()), &self.body(caps), &data)
        };
        let [generous, smaller @ ..] = CAPS;
        smaller.into_iter().fold(page(generous), |text, caps| if text.len() < MOST_BYTES { text } else { page(caps) })
    }

    /// The verdict and the figures that say where an edit helps, as a page for a notebook.
    pub fn summary_page(&self) -> String {
        let figures = [charts::intervals(self).map(|it| it.0), charts::heat_map(self, 0).map(|it| it.0)];
        let body = html! { (self.headline()) (self.notices()) @for figure in figures.iter().flatten() { (figure) } };
        page(&format!("{} on {}", self.model_name(), self.task_name()), &body, &self.page_data())
    }

    /// Writes every table of the report into `folder`, and nothing is left out of them. Returns their names.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_csv(&self, folder: &Path) -> Result<Vec<String>, laser_run::Error> {
        let mut tables = Vec::new();
        tables.extend(charts::intervals(self).map(|(_, table)| table));
        tables.extend(self.tasks_table());
        tables.extend(charts::heat_map(self, 0).map(|(_, tables)| tables).unwrap_or_default());
        tables.extend(charts::steps(self).map(|(_, table)| table));
        tables.extend(charts::label_histogram(self).map(|(_, table)| table));
        let points = self.points();
        tables.extend((points.len() > 1).then(|| charts::cost_table(points.iter(), self.form())));
        tables.extend(self.rounds());
        tables.extend([self.others_table(), self.facts()]);
        if self.verdict.is_some() {
            tables.push(self.changed_table());
        }
        let written = |table: &DataTable| table.write_csv(folder).map(|()| format!("{}.csv", table.name));
        tables.iter().map(written).collect()
    }

    fn page_data(&self) -> PageData<'_> {
        PageData {
            model: self.model_name(),
            task: self.task_name(),
            state: self.state,
            word: self.word.map(|word| word.to_string()),
            because: self.because.as_deref(),
            binary: self.is_binary(),
            base: self.base,
            best: self.best.as_ref(),
            sweep: &self.sweep,
        }
    }

    fn body(&self, caps: Caps) -> Markup {
        let part = |figure: Option<Markup>, id: &str, heading: &str| {
            figure.map_or_else(|| html! {}, |figure| section(id, heading, &figure))
        };
        html! {
            header { h1 { (visible(&self.model_name())) " on " (visible(&self.task_name())) } (self.headline()) (self.notices()) }
            (part(charts::intervals(self).map(|it| it.0), "before-and-after", "Before and after"))
            (part(self.tasks_section(), "tasks", "Each task by itself"))
            (part(charts::heat_map(self, caps.sweep).map(|it| it.0), "where", "Where it helps"))
            (part(charts::curves(self), "how-much", "How much to remove"))
            (part(charts::cost_front(&self.points(), self.form(), &[], caps.points), "cost", "What it costs"))
            (part(charts::label_histogram(self).map(|it| it.0), "choices", "Which choices"))
            (part(charts::steps(self).map(|it| it.0), "composition", "Composition"))
            (part(self.others_section(caps.others), "others", "Other candidates"))
            (part(self.changed_section(caps.changed), "answers", "Answers gained and lost"))
            (part(self.picture.as_deref().map(|svg| picture(svg, EXAMPLE)), "example", "An example"))
            (section("run", "What was run", &self.run_section()))
        }
    }

    /// The verdict in a sentence, or how far the search is.
    fn headline(&self) -> Markup {
        let Some((verdict, because)) = self.verdict.as_ref().zip(self.because.as_deref()) else {
            return html! { p.verdict { (self.so_far()) } };
        };
        let [base, edited] =
            [&verdict.base, &verdict.edited].map(|scores| self.form().value(scores.test.score.accuracy));
        let word = verdict.word();
        html! {
            p.verdict {
                strong class=(format!("word {word}")) { (word) } " "
                code { (verdict.best.to_string()) } ": " (visible(because)) ". On " (verdict.base.test.score.n)
                " test examples " (base) " → " strong { (edited) } "; log-loss "
                (format!("{:.3} → {:.3}", verdict.base.test.score.log_loss, verdict.edited.test.score.log_loss)) "."
            }
        }
    }

    /// The verdict in a sentence, or how far the search is.
    pub fn sentence(&self) -> String {
        match self.word.zip(self.because.as_ref()).zip(self.verdict.as_ref()) {
            Some(((word, because), verdict)) => format!("{}: {word}: {because}", verdict.best),
            None => self.so_far(),
        }
    }

    fn so_far(&self) -> String {
        let state = match self.state {
            State::Running => "The search is still running",
            State::Unfinished => "The search has not come to its end",
            State::Finished => "There is no verdict",
        };
        let of = self.asked().map(|all| format!(" of {all}")).unwrap_or_default();
        let best = match (&self.best, &self.base) {
            (Some(best), Some(base)) => format!(
                "; the best so far is {} with {} on validation (base {})",
                best.edits,
                self.form().value(best.score.accuracy),
                self.form().value(base.accuracy)
            ),
            _ => String::new(),
        };
        format!("{state}: {}{of} candidates were scored{best}.", self.candidates)
    }

    fn notices(&self) -> Markup {
        let state = match self.state {
            State::Finished => None,
            State::Running => {
                Some("A process writes to this RUN folder: this is what there was when the page was written.")
            }
            State::Unfinished => Some("Run the same search again to resume it. This is what there is so far."),
        };
        html! {
            @if state.is_some() || !self.problems.is_empty() {
                ul.notices role="status" {
                    @if let Some(state) = state { li { (state) } }
                    @for problem in &self.problems { li { (visible(problem)) } }
                }
            }
        }
    }

    fn points(&self) -> Vec<charts::Point> {
        let base = self.base.map_or(0.0, |base| base.accuracy);
        let point = |it: &CostedCandidate| charts::Point::new(it.interventions.to_string(), it, base);
        self.costs.iter().map(point).collect()
    }

    /// The verdict on each of several tasks.
    fn tasks_table(&self) -> Option<DataTable> {
        let tasks = &self.verdict.as_ref().filter(|verdict| !verdict.tasks.is_empty())?.tasks;
        let columns =
            ["task", "weight", "examples", "base", "edited", "p", "verdict", "because"].map(|name| (name, name));
        let mut table = DataTable::new("tasks", "Each task by itself, on its test examples", &columns);
        for task in tasks {
            let (verdict, form) = (&task.verdict, self.form());
            table.rows.push(vec![
                task.name.as_str().into(),
                Cell::Number(task.weight, 2),
                Cell::Count(verdict.base.test.score.n),
                form.cell(verdict.base.test.score.accuracy),
                form.cell(verdict.edited.test.score.accuracy),
                Cell::Number(verdict.test.p, 4),
                verdict.word().to_string().as_str().into(),
                because(verdict).as_str().into(),
            ]);
        }
        Some(table)
    }

    fn tasks_section(&self) -> Option<Markup> {
        let table = self.tasks_table()?;
        Some(html! { (table.html(usize::MAX)) })
    }

    fn others_table(&self) -> DataTable {
        let form = self.form();
        let columns =
            [("edits", "edits"), ("count", "number of edits"), ("accuracy", form.heading()), ("log_loss", "log-loss")];
        let mut table =
            DataTable::new("others", "Candidates beside the grid, on validation, the better first", &columns);
        for other in &self.others {
            let row = vec![
                other.edits.as_str().into(),
                Cell::Count(other.count),
                form.cell(other.score.accuracy),
                Cell::Number(other.score.log_loss, 4),
            ];
            table.rows.push(row);
        }
        table
    }

    fn others_section(&self, longest: usize) -> Option<Markup> {
        let rounds = self.rounds();
        if self.others.is_empty() && rounds.is_none() {
            return None;
        }
        let trace = self.trace.as_ref().map(|trace| trace_text(trace, !trace.steps.is_empty())).unwrap_or_default();
        let checks = self.bf16_checks.as_deref().map(bf16_text).unwrap_or_default();
        Some(html! {
            @for line in trace.lines().chain(checks.lines()) { p { (line) } }
            @if let Some(rounds) = rounds { (folded("Rounds of the race", &rounds, usize::MAX)) }
            @if !self.others.is_empty() {
                (folded(&format!("{} compositions and other edits", self.others.len()), &self.others_table(), longest))
            }
        })
    }

    fn rounds(&self) -> Option<DataTable> {
        let race = self.trace.as_ref()?.race.as_ref()?;
        let columns = [("round", "round"), ("candidates", "candidates"), ("examples", "examples each has seen")];
        let mut table = DataTable::new("rounds", "Rounds of the race", &columns);
        for (number, round) in race.rounds.iter().enumerate() {
            table.rows.push(vec![Cell::Count(number + 1), Cell::Count(round.candidates), Cell::Count(round.examples)]);
        }
        Some(table)
    }

    fn changed_table(&self) -> DataTable {
        let columns =
            ["change", "id", "prompt", "answer", "before", "after", "log_loss_change"].map(|name| (name, name));
        let mut table = DataTable::new("changed", "Test examples whose result changes", &columns);
        let known = |text: &Option<String>| text.as_deref().map_or(Cell::Empty, Cell::from);
        for it in &self.changed {
            table.rows.push(vec![
                change(it).into(),
                it.id.as_str().into(),
                it.prompt.as_str().into(),
                it.answer.as_str().into(),
                known(&it.before),
                known(&it.after),
                Cell::Number(it.log_loss_change, 3),
            ]);
        }
        table
    }

    fn changed_section(&self, longest: usize) -> Option<Markup> {
        let verdict = self.verdict.as_ref()?;
        let shown = evenly(&self.changed, longest);
        let left_out = self.changed.len() - shown.len();
        let (gained, lost) = (verdict.test.gained, verdict.test.lost);
        let sortable = |label: &str| html! { th scope="col" { button.sort type="button" { (label) } } };
        Some(html! {
            p { (gained) " test examples gained, " (lost) " lost." }
            @if left_out > 0 {
                p.note { "Shown are " (shown.len()) ", at equal distances; " (left_out) " more are in changed.csv of "
                    code { "laser report RUN --csv DIR" } "." }
            }
            @if !shown.is_empty() {
                div.filter hidden {
                    label { "Filter " input #filter type="search" autocomplete="off"; }
                    label { "Show "
                        select #kind { option value="" { "all" } option value="gained" { "gained" } option value="lost" { "lost" } }
                    }
                    span #count aria-live="polite" {}
                }
                div.scroll tabindex="0" role="region" aria-label="Answers gained and lost" {
                    table #changed {
                        thead { tr { @for label in ["change", "prompt", "answer", "base", "best", "log-loss"] { (sortable(label)) } } }
                        tbody { @for it in &shown { (changed_row(it)) } }
                    }
                }
                @if shown.len() > 60 { p.note.paper { "On paper only the first 60 are shown." } }
            }
        })
    }

    /// What was run, as a table.
    fn facts(&self) -> DataTable {
        let mut table = DataTable::new("run", "What was run", &[("what", "what"), ("value", "value")]);
        let mut add = |what: &str, value: String| table.rows.push(vec![what.into(), value.into()]);
        if let Some(run) = &self.run {
            let search = &run.search;
            add("model", run.model.path.clone());
            for file in &run.model.files {
                add(&format!("SHA-256 of {}", file.name), format!("{} ({} bytes)", file.sha256, file.bytes));
            }
            add(
                "task",
                format!(
                    "{}, {} examples, {} of them on validation",
                    run.task.spec,
                    run.task.examples,
                    self.on_validation()
                ),
            );
            if run.task.cut_prompts > 0 {
                add("prompts cut at their beginning", run.task.cut_prompts.to_string());
            }
            if run.task.skipped_rows > 0 {
                add("rows left out", run.task.skipped_rows.to_string());
            }
            add("digest of the task", run.task.digest.clone());
            add("strategy", search.strategy.clone());
            add("seed", search.seed.to_string());
            add("version", run.version.clone());
            add("device", search.device.clone());
            add("kernels", search.kernel_path.clone().unwrap_or_else(|| "not recorded".to_owned()));
            if let Some(text) = &search.text {
                add("SHA-256 of the text", format!("{} (its first {} tokens)", text.sha256, text.limit));
            }
            add("the same search", equivalent_command(run));
        }
        if let Some(trace) = &self.trace {
            add("evaluations of an example", trace.evaluations.to_string());
        }
        if let Some([began, scored]) = &self.times {
            add("RUN folder", self.folder.display().to_string());
            add("run.json was written", began.clone());
            add("journal.jsonl was last written", scored.clone());
        }
        table
    }

    fn on_validation(&self) -> usize {
        self.base.map_or(0, |base| base.n)
    }

    fn run_section(&self) -> Markup {
        let facts = self.facts();
        html! {
            dl { @for row in &facts.rows { @if let [what, value] = row.as_slice() { dt { (what.shown()) } dd { (value.shown()) } } } }
            p.note { "laser " (crate::report_data::VERSION) " wrote this page. Every number in it follows from the files of the RUN folder." }
        }
    }
}

fn change(it: &ChangedExample) -> &'static str {
    if it.gained { "gained" } else { "lost" }
}

fn changed_row(it: &ChangedExample) -> Markup {
    let said = |text: &Option<String>| text.as_deref().map_or_else(String::new, |text| beginning(text.trim(), ANSWER));
    html! {
        tr.(change(it)) data-kind=(change(it)) {
            td { (change(it)) }
            td.text data-label="prompt" title=(format!("id {}", visible(&it.id))) { (ending(&it.prompt, PROMPT)) }
            td.text data-label="answer" { (beginning(&it.answer, ANSWER)) }
            td.text data-label="base" { (said(&it.before)) }
            td.text data-label="best" { (said(&it.after)) }
            td data-label="log-loss" { (format!("{:+.3}", it.log_loss_change)) }
        }
    }
}

/// At most so many of a list, at equal distances.
fn evenly<T>(all: &[T], most: usize) -> Vec<&T> {
    let shown = all.len().min(most);
    (0..shown).map(|k| &all[k * all.len() / shown]).collect()
}
