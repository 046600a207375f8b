//! Base and best on both splits, with their intervals.

use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, figure};
use crate::report_data::ReportData;
use crate::result_form::ResultForm;
use laser_run::{Interval, ScoreWithInterval, Scores};
use maud::{Markup, html};

const LEFT: f64 = 104.0;
const ROW: f64 = 26.0;
const TOP: f64 = 26.0;

/// The figure, once there is a verdict.
pub fn intervals(data: &ReportData) -> Option<(Markup, DataTable)> {
    let verdict = data.verdict.as_ref()?;
    let (base, edited) = (&verdict.base, &verdict.edited);
    let label = if data.is_binary() { "Accuracy, %" } else { "Mean result" };
    let panel = |id: &str, title: &str, percent: bool, of: fn(&ScoreWithInterval) -> (f64, Interval)| {
        let rows = rows(base, edited).map(|(name, edited, score)| (name, edited, of(score)));
        panel(id, title, percent, &rows)
    };
    let drawings = html! {
        (panel("scores-accuracy", label, data.is_binary(), |it| (it.score.accuracy, it.accuracy_interval)))
        (panel("scores-log-loss", "Log-loss, nats per token", false, |it| (it.score.log_loss, it.log_loss_interval)))
    };
    let table = table(&verdict.best.to_string(), data.form(), base, edited);
    let caption = "Base and best with 95 % intervals. The best was chosen on validation, so its score there is too high. Trust the test figures.";
    Some((figure("scores", caption, &drawings, &table.html(usize::MAX)), table))
}

fn rows<'a>(base: &'a Scores, edited: &'a Scores) -> [(&'static str, bool, &'a ScoreWithInterval); 4] {
    [
        ("validation, base", false, &base.validation),
        ("validation, best", true, &edited.validation),
        ("test, base", false, &base.test),
        ("test, best", true, &edited.test),
    ]
}

fn panel(id: &str, title: &str, percent: bool, rows: &[(&str, bool, (f64, Interval)); 4]) -> Markup {
    let ends = rows.iter().flat_map(|(_, _, (value, interval))| [*value, interval.low, interval.high]);
    let scale = Scale::over(ends, LEFT, WIDTH - 40.0);
    let bottom = TOP + 4.0 * ROW;
    let shown = |value: f64, places: usize| match percent {
        true => format!("{:.*}", places.min(1), 100.0 * value),
        false => format!("{value:.places$}"),
    };
    let tick = |value: f64| match percent {
        true => format!("{:.*}", scale.places().saturating_sub(2), 100.0 * value),
        false => format!("{value:.*}", scale.places()),
    };
    let said: Vec<String> = rows.iter().map(|(name, _, (value, _))| format!("{name} {}", shown(*value, 3))).collect();
    let content = html! {
        text.name x="0" y="12" { (title) }
        @for value in scale.ticks() {
            @let x = at(scale.place(value));
            line.grid x1=(x) x2=(x) y1=(at(TOP - 4.0)) y2=(at(bottom)) {}
            text.tick x=(x) y=(at(bottom + 12.0)) text-anchor="middle" { (tick(value)) }
        }
        @for (number, (name, edited, (value, interval))) in rows.iter().enumerate() {
            @let y = TOP + ROW * (number as f64 + 0.5);
            @let class = if *edited { "best" } else { "base" };
            text.tick x=(at(LEFT - 8.0)) y=(at(y + 3.5)) text-anchor="end" { (name) }
            line class=(class) x1=(at(scale.place(interval.low))) x2=(at(scale.place(interval.high))) y1=(at(y)) y2=(at(y)) {}
            @if *edited { circle class=(class) cx=(at(scale.place(*value))) cy=(at(y)) r="4.5" {} }
            @else { rect class=(class) x=(at(scale.place(*value) - 4.0)) y=(at(y - 4.0)) width="8" height="8" {} }
            text.value x=(at(WIDTH)) y=(at(y + 3.5)) text-anchor="end" { (shown(*value, 3)) }
        }
    };
    drawing(id, title, &said.join("; "), [WIDTH, bottom + 18.0], &content)
}

fn table(best: &str, form: ResultForm, base: &Scores, edited: &Scores) -> DataTable {
    let columns = [
        ("edits", "edits"),
        ("split", "split"),
        ("examples", "examples"),
        ("accuracy", form.heading()),
        ("accuracy_low", "from"),
        ("accuracy_high", "to"),
        ("log_loss", "log-loss"),
        ("log_loss_low", "from"),
        ("log_loss_high", "to"),
    ];
    let mut table = DataTable::new("scores", "Base and best on both splits, with 95 % intervals", &columns);
    for (name, is_edited, score) in rows(base, edited) {
        let split = name.split(',').next().unwrap_or_default();
        table.rows.push(vec![
            if is_edited { best.into() } else { "base".into() },
            split.into(),
            Cell::Count(score.score.n),
            form.cell(score.score.accuracy),
            form.cell(score.accuracy_interval.low),
            form.cell(score.accuracy_interval.high),
            Cell::Number(score.score.log_loss, 4),
            Cell::Number(score.log_loss_interval.low, 4),
            Cell::Number(score.log_loss_interval.high, 4),
        ]);
    }
    table
}
