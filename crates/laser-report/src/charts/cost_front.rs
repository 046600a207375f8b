//! What edits gain on the task against what they cost elsewhere, with the front marked.

use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, figure, vertical_axis};
use crate::result_form::ResultForm;
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 190.0;

/// An edit set in the figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// What it is called.
    pub name: String,
    /// Change of test accuracy, as a fraction.
    pub gain: f64,
    /// Change of a text's perplexity, as a fraction.
    pub cost: f64,
    /// The number of its run: costs and gains of different models and tasks do not compare.
    pub run: usize,
}

/// The figure, where a cost of an edit was measured. `form` is that of the results of all runs.
pub fn cost_front(all: &[Point], form: ResultForm) -> Option<(Markup, DataTable)> {
    if all.len() < 2 {
        return None;
    }
    let gained = format!("gain on test{}", form.points());
    let columns = [
        ("edits", "edits"),
        ("gain", gained.as_str()),
        ("perplexity", "perplexity, change in %"),
        ("front", "on the front"),
    ];
    let mut table = DataTable::new("costs", "Gain and cost", &columns);
    for point in all {
        table.rows.push(vec![
            point.name.as_str().into(),
            form.change_cell(point.gain),
            Cell::Percent(point.cost),
            if on_front(point, all) { "yes" } else { "no" }.into(),
        ]);
    }
    let x = Scale::over(all.iter().map(|point| 100.0 * point.cost), LEFT + 4.0, WIDTH - 8.0);
    let y = Scale::over(all.iter().map(|point| point.gain), BOTTOM, TOP);
    let said: Vec<String> = all
        .iter()
        .map(|point| format!("{}: {} at {:+.1} %", point.name, form.change(point.gain), 100.0 * point.cost))
        .collect();
    let content = html! {
        text.name x="0" y="12" { "Gain on test" (form.points()) }
        (vertical_axis(&y, LEFT, WIDTH - 4.0, form.binary))
        @for tick in x.ticks() {
            text.tick x=(at(x.place(tick))) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (format!("{tick:.*}", x.places())) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "change of perplexity, %" }
        @for point in all {
            @let (cx, cy) = (x.place(100.0 * point.cost), y.place(point.gain));
            g {
                title { (point.name) }
                @if on_front(point, all) { circle.best cx=(at(cx)) cy=(at(cy)) r="5" {} }
                @else { circle.base cx=(at(cx)) cy=(at(cy)) r="3" {} }
            }
        }
    };
    let drawn = drawing("front-points", "Gain against cost", &said.join("; "), [WIDTH, BOTTOM + 34.0], &content);
    let several = all.iter().any(|point| point.run != all[0].run);
    let caption = format!(
        "Gain on test against the change of a text's perplexity. Large dots are on the front{}: no other gains as much at so low a \
         cost.",
        if several { " of their run" } else { "" }
    );
    Some((figure("costs", &caption, &drawn, &table.html(usize::MAX)), table))
}

/// Whether no other point of its run is at least as good in both, and better in one.
fn on_front(point: &Point, all: &[Point]) -> bool {
    !all.iter().any(|other| {
        let as_good = other.run == point.run && other.gain >= point.gain && other.cost <= point.cost;
        as_good && (other.gain > point.gain || other.cost < point.cost)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_is_what_no_other_beats() {
        let point = |gain, cost| Point { name: String::new(), gain, cost, run: 0 };
        let all = [point(0.0, 0.0), point(0.1, 0.05), point(0.05, 0.06), point(0.2, 0.3), point(0.2, 0.4)];
        let on: Vec<bool> = all.iter().map(|point| on_front(point, &all)).collect();
        assert_eq!(on, [true, true, false, true, false]);
        let other_run = Point { run: 1, ..point(0.01, 0.5) };
        assert!(on_front(&other_run, &[all.as_slice(), std::slice::from_ref(&other_run)].concat()));
    }
}
