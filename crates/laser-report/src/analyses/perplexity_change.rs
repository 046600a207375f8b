//! Appendix C.4: how well a model predicts a text, before and after.

use super::Analysis;
use crate::data_table::{Cell, DataTable};
use crate::plot::{WIDTH, at, drawing};
use laser_run::PerplexityChange;
use maud::html;

/// The analysis of `edits` on the text called `text`.
pub fn perplexity_change(edits: &str, text: &str, change: &PerplexityChange) -> Analysis {
    let growth = change.edited / change.base - 1.0;
    let columns = [("edits", "edits"), ("perplexity", "perplexity"), ("change", "change, %"), ("tokens", "tokens")];
    let mut table = DataTable::new("perplexity", "Perplexity of the text", &columns);
    for (name, value, change_of) in [("base", change.base, 0.0), (edits, change.edited, growth)] {
        table.rows.push(vec![name.into(), Cell::Number(value, 3), Cell::Points(change_of), Cell::Count(change.tokens)]);
    }
    let most = change.base.max(change.edited);
    let bars = [("base", change.base), ("best", change.edited)];
    let content = html! {
        text.name x="0" y="12" { "Perplexity of the text" }
        @for (number, (class, value)) in bars.iter().enumerate() {
            @let (y, width) = (24.0 + 30.0 * number as f64, (WIDTH - 130.0) * value / most);
            text.tick x="62" y=(at(y + 15.0)) text-anchor="end" { (if *class == "base" { "base" } else { "edited" }) }
            rect class=(format!("bar {class}")) x="70" y=(at(y)) width=(at(width)) height="22" {}
            text.tick x=(at(76.0 + width)) y=(at(y + 15.0)) { (format!("{value:.2}")) }
        }
    };
    let said = format!("base {:.3}, edited {:.3}", change.base, change.edited);
    let drawn = drawing("perplexity-bars", "Perplexity before and after", &said, [WIDTH, 90.0], &content);
    Analysis {
        name: "perplexity",
        title: format!("Perplexity of {text} under {edits}"),
        findings: vec![format!(
            "Perplexity goes from {:.3} to {:.3} ({:+.1} %) over {} tokens, in windows of {} tokens with stride {}.",
            change.base,
            change.edited,
            100.0 * growth,
            change.tokens,
            change.windows.window,
            change.windows.stride
        )],
        figure: html! { figure { div.drawings { (drawn) } } },
        tables: vec![table],
    }
}
