//! Section 5.1.2 (figure 5): what the components say that an edit takes away.

use super::Analysis;
use super::frequent_words::is_frequent_word;
use crate::data_table::{Cell, DataTable};
use crate::plot::{Scale, WIDTH, at, drawing, points, vertical_axis};
use crate::report_data::ReadRun;
use crate::visible_text::{beginning, ending};
use laser_edit::Intervention;
use maud::{Markup, html};

const LEFT: f64 = 44.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 190.0;
/// Characters that are shown of a prompt and of an answer.
const PROMPT: usize = 80;
const ANSWER: usize = 40;

/// What a model says with some components of a matrix alone, on the examples that the edit turns
/// right.
#[derive(Debug, Clone, PartialEq)]
pub struct PartAnswers {
    /// Which components.
    pub part: MatrixPart,
    /// One for each example.
    pub answers: Vec<PartAnswer>,
}

/// Some components of a matrix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MatrixPart {
    /// All of them.
    Whole,
    /// Those that the edit keeps.
    Kept,
    /// The smallest ones, this share of the maximum rank.
    Bottom(f64),
}

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub struct PartAnswer {
    /// The most likely next token.
    pub token: String,
    /// What is generated, or the token where nothing is.
    pub said: String,
    /// Whether it is right.
    pub right: bool,
    /// Cosine of the output embeddings of the token and of the right answer's first one.
    pub cosine: f64,
    /// Whether the token is among the nearest to the right one.
    pub near: bool,
}

/// Which tokens a component of the matrix pushes most.
#[derive(Debug, Clone, PartialEq)]
pub struct PushedTokens {
    /// The component, from 1, by its singular value.
    pub component: usize,
    /// Its singular value.
    pub value: f64,
    /// Whether the edit keeps it.
    pub kept: bool,
    /// The tokens at both ends; which end is up says nothing.
    pub ends: [Vec<String>; 2],
}

/// What was found with a model.
#[derive(Debug, Clone, PartialEq)]
pub struct TailFindings {
    /// The edit.
    pub edit: Intervention,
    /// How many examples it turns right, and of how many.
    pub turned: [usize; 2],
    /// Prompt and right answer of those that were looked at.
    pub examples: Vec<[String; 2]>,
    /// What is said with each part.
    pub parts: Vec<PartAnswers>,
    /// The share of the vocabulary that counts as near.
    pub nearest: f64,
    /// By what way components reach the vocabulary; none where they do not.
    pub way: &'static str,
    /// Some components of both sides.
    pub components: Vec<PushedTokens>,
    /// The share of the vocabulary that is high-frequency words.
    pub frequent_tokens: f64,
}

/// The analysis of `found`, which is of the test split of `run`. None where no example was looked
/// at.
pub fn tail(run: &ReadRun, found: &TailFindings) -> Option<Analysis> {
    let rows: Vec<Row> = found.parts.iter().map(Row::of).collect::<Option<_>>()?;
    let columns = [
        ("part", "components"),
        ("right", "right, %"),
        ("frequent", "high-frequency word, %"),
        ("near", "right type, %"),
        ("cosine", "mean cosine"),
    ];
    let caption = format!("What is said with parts of {}.{}", found.edit.layer, found.edit.matrix);
    let mut table = DataTable::new("tail", caption, &columns);
    for row in &rows {
        table.rows.push(vec![
            row.part.name().into(),
            Cell::Percent(row.right),
            Cell::Percent(row.frequent),
            Cell::Percent(row.near),
            Cell::Number(row.cosine, 3),
        ]);
    }
    let title = format!("What {} takes away: {}", found.edit, run.data.task_name());
    let mut tables = vec![table, answers(found)];
    tables.extend((!found.components.is_empty()).then(|| components(found)));
    Some(Analysis { name: "tail", title, findings: findings(found, &rows), figure: lines(&rows), tables })
}

/// A part's means over the examples.
struct Row {
    part: MatrixPart,
    right: f64,
    frequent: f64,
    near: f64,
    cosine: f64,
}

impl Row {
    fn of(part: &PartAnswers) -> Option<Self> {
        let n = part.answers.len() as f64;
        let mean = |value: &dyn Fn(&PartAnswer) -> f64| part.answers.iter().map(value).sum::<f64>() / n;
        (n > 0.0).then(|| Self {
            part: part.part,
            right: mean(&|it| f64::from(it.right)),
            frequent: mean(&|it| f64::from(is_frequent_word(&it.token))),
            near: mean(&|it| f64::from(it.near)),
            cosine: mean(&|it| it.cosine),
        })
    }
}

impl MatrixPart {
    fn name(self) -> String {
        match self {
            Self::Whole => "whole matrix".to_owned(),
            Self::Kept => "kept part".to_owned(),
            Self::Bottom(_) => format!("smallest {} %", self.short()),
        }
    }

    fn short(self) -> String {
        match self {
            Self::Whole => "whole".to_owned(),
            Self::Kept => "kept".to_owned(),
            Self::Bottom(share) => {
                let text = format!("{:.1}", 100.0 * share);
                text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
            }
        }
    }
}

fn findings(found: &TailFindings, rows: &[Row]) -> Vec<String> {
    let [turned, of] = found.turned;
    let each = |value: fn(&Row) -> f64| {
        // The whole, what is kept, and all of the tail.
        let tail = rows.iter().rfind(|row| matches!(row.part, MatrixPart::Bottom(_)));
        let shown = rows.iter().filter(|row| !matches!(row.part, MatrixPart::Bottom(_))).chain(tail);
        let shown: Vec<String> = shown
            .map(|row| match row.part {
                MatrixPart::Bottom(_) => format!("the tail alone {:.0} %", 100.0 * value(row)),
                part => format!("the {} {:.0} %", part.name(), 100.0 * value(row)),
            })
            .collect();
        shown.join(", ")
    };
    let mut findings = vec![
        format!(
            "{} turns {turned} of {of} test examples right; {} of them are looked at.",
            found.edit,
            found.examples.len()
        ),
        format!("The most likely next token is a high-frequency word: {}.", each(|row| row.frequent)),
        format!(
            "It is of the right type (among the {:.0} % of tokens whose output embeddings are nearest to the answer's): {}.",
            100.0 * found.nearest,
            each(|row| row.near)
        ),
    ];
    let share = |kept: bool| {
        let ends: Vec<&String> =
            found.components.iter().filter(|it| it.kept == kept).flat_map(|it| it.ends.iter().flatten()).collect();
        let frequent = ends.iter().filter(|token| is_frequent_word(token)).count();
        (!ends.is_empty()).then(|| 100.0 * frequent as f64 / ends.len() as f64)
    };
    if let (Some(kept), Some(tail)) = (share(true), share(false)) {
        findings.push(format!(
            "Of the tokens that a component pushes most ({}), high-frequency words are {kept:.0} % for the kept components and \
             {tail:.0} % for those of the tail; of the vocabulary they are {:.1} %.",
            found.way,
            100.0 * found.frequent_tokens
        ));
    }
    findings
}

/// Each example with what the whole matrix, the kept part and the tail answer.
fn answers(found: &TailFindings) -> DataTable {
    let shown: Vec<&PartAnswers> = (found.parts.iter().filter(|it| !matches!(it.part, MatrixPart::Bottom(_))))
        .chain(found.parts.iter().rfind(|it| matches!(it.part, MatrixPart::Bottom(_))))
        .collect();
    let name = |part: &PartAnswers| match part.part {
        MatrixPart::Whole => "whole",
        MatrixPart::Kept => "kept",
        MatrixPart::Bottom(_) => "tail",
    };
    let columns: Vec<(&str, &str)> =
        ["prompt", "answer"].into_iter().chain(shown.iter().map(|part| name(part))).map(|name| (name, name)).collect();
    let mut table =
        DataTable::new("tail_answers", "Answers with the whole matrix, the kept part and the tail", &columns);
    for (number, [prompt, answer]) in found.examples.iter().enumerate() {
        let mut row =
            vec![Cell::Text(one_line(ending(prompt, PROMPT))), Cell::Text(one_line(beginning(answer, ANSWER)))];
        for part in &shown {
            let said = part.answers.get(number).map_or("", |answer| answer.said.trim());
            row.push(Cell::Text(one_line(beginning(said, ANSWER))));
        }
        table.rows.push(row);
    }
    table
}

fn one_line(text: String) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn components(found: &TailFindings) -> DataTable {
    let columns = [
        ("component", "component"),
        ("part", "part"),
        ("value", "singular value"),
        ("one_end", "tokens at one end"),
        ("other_end", "at the other"),
    ];
    let caption = format!("Tokens that components of {}.{} push most", found.edit.layer, found.edit.matrix);
    let mut table = DataTable::new("tail_components", caption, &columns);
    for it in &found.components {
        let end =
            |tokens: &[String]| Cell::Text(tokens.iter().map(|token| token.trim()).collect::<Vec<_>>().join(" | "));
        table.rows.push(vec![
            Cell::Count(it.component),
            if it.kept { "kept" } else { "tail" }.into(),
            Cell::Number(it.value, 3),
            end(&it.ends[0]),
            end(&it.ends[1]),
        ]);
    }
    table
}

/// A name, a class, and a share.
type Line = (&'static str, &'static str, fn(&Row) -> f64);

/// The three shares by part.
fn lines(rows: &[Row]) -> Markup {
    let kinds: [Line; 3] = [
        ("right", "best", |row| row.right),
        ("high-frequency word", "other", |row| row.frequent),
        ("right type", "base", |row| row.near),
    ];
    let scale = Scale::over([0.0, 1.0], BOTTOM, TOP);
    let step = (WIDTH - LEFT - 24.0) / (rows.len().max(2) - 1) as f64;
    let x = |number: usize| LEFT + 12.0 + step * number as f64;
    let content = html! {
        text.name x="0" y="12" { "Share of the answers, %" }
        (vertical_axis(&scale, LEFT, WIDTH - 4.0, true))
        @for (name, class, value) in &kinds {
            @let places: Vec<(f64, f64)> = rows.iter().enumerate().map(|(i, row)| (x(i), scale.place(value(row)))).collect();
            g {
                title { (name) }
                polyline class=(class) points=(points(&places)) {}
                @for (x, y) in &places { circle class=(class) cx=(at(*x)) cy=(at(*y)) r="3.5" {} }
            }
        }
        @for (number, row) in rows.iter().enumerate() {
            text.tick x=(at(x(number))) y=(at(BOTTOM + 14.0)) text-anchor="middle" { (row.part.short()) }
        }
        text.tick x=(at((LEFT + WIDTH) / 2.0)) y=(at(BOTTOM + 28.0)) text-anchor="middle" { "components: the smallest ones, % of the rank" }
    };
    let said: Vec<String> = (rows.iter())
        .map(|row| {
            let shares = kinds.map(|(name, _, value)| format!("{name} {:.0} %", 100.0 * value(row)));
            format!("{}: {}", row.part.name(), shares.join(", "))
        })
        .collect();
    let drawn = drawing("tail-lines", "Answers by components", &said.join("; "), [WIDTH, BOTTOM + 34.0], &content);
    html! {
        figure {
            figcaption { "Blue: right answers. Orange: high-frequency words. Grey: tokens of the right type." }
            div.drawings { (drawn) }
        }
    }
}
