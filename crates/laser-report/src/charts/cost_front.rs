//! What edits gain on the task against what they cost elsewhere, with the front marked.

use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, figure, vertical_axis};
use crate::result_form::ResultForm;
use crate::visible_text::visible;
use laser_run::CostedCandidate;
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 230.0;
/// Of so many colours neighbours are hard to tell apart: each run takes one that is so far from the last.
const COLOURS: usize = 10;
const COLOUR_STEP: usize = 3;

/// An edit set in the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What it is called.
    name: String,
    /// Change of the mean result on validation.
    gain: f64,
    of: CostedCandidate,
    /// The number of its run, where several are compared.
    run: Option<usize>,
}

impl Point {
    /// The point of a candidate, where the unedited model's mean result on validation is `base`.
    pub fn new(name: String, of: &CostedCandidate, base: f64) -> Self {
        Self { name, gain: of.validation.accuracy - base, of: of.clone(), run: None }
    }

    /// The same, of one of several runs.
    pub fn of_run(self, run: usize) -> Self {
        Self { run: Some(run), ..self }
    }

    /// Where there are several runs each has a colour of its own.
    fn class(&self) -> String {
        match self.run {
            Some(run) => format!("q{}", COLOUR_STEP * run % COLOURS),
            None if self.of.on_front => "best".to_owned(),
            None => "base".to_owned(),
        }
    }
}

/// The figure, where costs were measured. `form` is that of the results of all runs, `runs` are the names of those that are
/// compared. Beside the front at most `most` points are drawn, at equal distances.
pub fn cost_front(points: &[Point], form: ResultForm, runs: &[String], most: usize) -> Option<Markup> {
    if points.len() < 2 {
        return None;
    }
    let all = some_of(points, most);
    let left_out = points.len() - all.len();
    let x = Scale::over(all.iter().map(|it| it.of.kl), LEFT + 4.0, WIDTH - 8.0);
    let y = Scale::over(all.iter().map(|it| it.gain), BOTTOM, TOP);
    let said: Vec<String> = all
        .iter()
        .filter(|it| it.of.on_front)
        .map(|it| format!("{}: {} at {:.3} nats", it.name, form.change(it.gain), it.of.kl))
        .collect();
    let title = |it: &Point| {
        format!("{}: {}, perplexity {:+.1} %", it.name, form.change(it.gain), 100.0 * it.of.perplexity_growth)
    };
    let content = html! {
        text.name x="0" y="12" { "Gain on validation" (form.points()) }
        (vertical_axis(&y, LEFT, WIDTH - 4.0, form.binary))
        @for tick in x.ticks() {
            text.tick x=(at(x.place(tick))) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (format!("{tick:.*}", x.places())) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" {
            "KL divergence from the unedited model, nats per token"
        }
        @for &it in &all {
            @let (cx, cy) = (x.place(it.of.kl), y.place(it.gain));
            g {
                title { (title(it)) }
                circle class=(it.class()) cx=(at(cx)) cy=(at(cy)) r=(if it.of.on_front { "5" } else { "3" }) {}
            }
        }
    };
    let drawn = drawing("front-points", "Gain against cost", &said.join("; "), [WIDTH, BOTTOM + 34.0], &content);
    let caption = "What edits gain on validation against how much they change what the model predicts on a text that has \
                   nothing to do with the task. Large dots are on the front: no other edit of the same run gains as much on the \
                   task at so low a cost.";
    let drawn = html! {
        (drawn)
        @if !runs.is_empty() {
            ul.runs {
                @for (number, name) in runs.iter().enumerate() {
                    li { span class=(format!("swatch q{}", COLOUR_STEP * number % COLOURS)) {} " " (visible(name)) }
                }
            }
        }
    };
    let numbers = html! {
        (cost_table(all.iter().copied(), form).html(usize::MAX))
        @if left_out > 0 { p.note { (left_out) " more edits: " code { "--csv DIR" } " writes them all." } }
    };
    Some(figure("costs", caption, &drawn, &numbers))
}

/// What the figure draws, as a table.
pub fn cost_table<'p>(points: impl Iterator<Item = &'p Point>, form: ResultForm) -> DataTable {
    let gained = format!("gain on validation{}", form.points());
    let columns = [
        ("edits", "edits"),
        ("gain", gained.as_str()),
        ("kl", "KL divergence, nats per token"),
        ("perplexity", "perplexity, change in %"),
        ("first_token_kl", "KL of the first token, nats"),
        ("saved_weights", "weights saved"),
        ("front", "on the front"),
    ];
    let mut table = DataTable::new("costs", "Gain and cost", &columns);
    for Point { name, gain, of, .. } in points {
        table.rows.push(vec![
            name.as_str().into(),
            form.change_cell(*gain),
            Cell::Number(of.kl, 4),
            Cell::Percent(of.perplexity_growth),
            Cell::Number(of.first_token_kl, 4),
            Cell::Number(of.saved_weights as f64, 0),
            if of.on_front { "yes" } else { "no" }.into(),
        ]);
    }
    table
}

/// What has a row in the front, and at most `most` of the others, at equal distances.
fn some_of(points: &[Point], most: usize) -> Vec<&Point> {
    let others = points.iter().filter(|it| !it.of.has_row()).count();
    let mut number = 0;
    let is_shown = |it: &&Point| {
        // The first of those that fall on the same place among `most`.
        let is_drawn = it.of.has_row() || others <= most || number * most % others < most;
        number += usize::from(!it.of.has_row());
        is_drawn
    };
    points.iter().filter(is_shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_edit::Candidate;
    use laser_example::Score;

    /// A page of a hundred thousand points had 35 MB.
    #[test]
    fn of_very_many_points_some_are_drawn_and_all_are_in_the_table() {
        let points: Vec<Point> = (0..20_000)
            .map(|i| {
                let of = CostedCandidate {
                    interventions: Candidate::base(),
                    validation: Score { n: 10, accuracy: 0.5, log_loss: 1.0 },
                    kl: f64::from(i) / 1e4,
                    perplexity_growth: 0.0,
                    first_token_kl: 0.0,
                    saved_weights: 0,
                    guards: Vec::new(),
                    on_front: i % 1_000 == 0,
                    chosen: i == 77,
                };
                Point::new(i.to_string(), &of, 0.5)
            })
            .collect();
        let form = ResultForm { binary: true };
        for (most, drawn) in [(100, 121), (19_000, 19_021), (usize::MAX, 20_000)] {
            let page = cost_front(&points, form, &[], most).unwrap().into_string();
            assert_eq!((page.matches("<circle").count(), page.contains("more edits: ")), (drawn, drawn < 20_000));
        }
        assert_eq!(cost_table(points.iter(), form).rows.len(), 20_000);
        assert!(cost_front(&points[..1], form, &[], 100).is_none());
    }
}
