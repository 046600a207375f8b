//! `laser compare`: what a model says before and after an edit, side by side.

use super::chat::{each_line, edits, encoded, open};
use crate::cli::{CompareOptions, Global};
use crate::output;
use laser::Edited;
use laser::{Session, Speech, Step};
use laser_edit::Candidate;
use serde_json::json;

/// Letters of a column.
const WIDTH: usize = 48;

pub fn run(options: &CompareOptions, global: &Global) -> anyhow::Result<()> {
    if global.json && options.prompt.is_empty() {
        return Err(output::Usage("--json needs a --prompt".into()).into());
    }
    let session = open(&options.model, global)?;
    let candidate = edits(&session, &options.edit)?;
    let models = [session.edit(&Candidate::default())?, session.edit(&candidate)?];
    let mut documents = Vec::new();
    let mut compare = |prompt: &str| -> anyhow::Result<()> {
        if !global.json {
            let heads = ["before".to_owned(), candidate.to_string()];
            output::print(&format!("{prompt}\n\n{}", row(&heads[0], &heads[1])))?;
        }
        let texts = both(&session, &models, options, prompt, global)?;
        documents.push(json!({ "prompt": prompt, "base": texts[0], "edited": texts[1] }));
        Ok(())
    };
    if options.prompt.is_empty() {
        return each_line(global, &mut |line| compare(line));
    }
    options.prompt.iter().try_for_each(|prompt| compare(prompt))?;
    match global.json {
        true => output::print_json(&json!({ "interventions": candidate, "answers": documents })),
        false => Ok(()),
    }
}

/// Both answers, token by token in turn; a row is printed as soon as both have the line.
fn both(
    session: &Session,
    models: &[Edited; 2],
    options: &CompareOptions,
    prompt: &str,
    global: &Global,
) -> anyhow::Result<[String; 2]> {
    let tokens = encoded(session, &options.speech, &[], prompt)?;
    let mut speeches = Vec::new();
    for model in models {
        let mut speech = session.speech(model, options.speech.sampling())?;
        speech.hear(&tokens)?;
        speeches.push(speech);
    }
    let mut columns = [Column::default(), Column::default()];
    for _ in 0..options.speech.max_tokens {
        let mut ended = true;
        for (speech, column) in speeches.iter_mut().zip(&mut columns) {
            match Speech::step(speech)? {
                Some(Step { text, .. }) => {
                    column.push(&text);
                    ended = false;
                }
                None => column.finish(),
            }
        }
        print_rows(&mut columns, global)?;
        if ended {
            break;
        }
    }
    columns.iter_mut().for_each(Column::finish);
    print_rows(&mut columns, global)?;
    if !global.json {
        output::print("\n")?;
    }
    Ok([speeches[0].text().to_owned(), speeches[1].text().to_owned()])
}

/// The rows of which both columns have the line, or one has ended.
fn print_rows(columns: &mut [Column; 2], global: &Global) -> anyhow::Result<()> {
    let ready = |column: &Column| if column.ended { usize::MAX } else { column.lines.len() };
    let count = ready(&columns[0]).min(ready(&columns[1])).min(columns[0].lines.len().max(columns[1].lines.len()));
    for _ in 0..count {
        let [left, right] = columns.each_mut().map(Column::next);
        if !global.json {
            output::print(&row(&left, &right))?;
        }
    }
    Ok(())
}

fn row(left: &str, right: &str) -> String {
    let left: String = left.chars().take(WIDTH).collect();
    format!("{}\n", format!("{left:WIDTH$} | {right}").trim_end())
}

/// A text that is broken into lines as it grows.
#[derive(Default)]
struct Column {
    lines: std::collections::VecDeque<String>,
    /// What may still grow.
    rest: String,
    ended: bool,
}

impl Column {
    fn push(&mut self, text: &str) {
        self.rest.push_str(text);
        loop {
            if let Some((line, rest)) = self.rest.split_once('\n').filter(|(line, _)| line.chars().count() <= WIDTH) {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.lines.push_back(line);
                self.rest = rest;
                continue;
            }
            let Some((limit, _)) = self.rest.char_indices().nth(WIDTH) else { return };
            // At the last space that fits, if there is one.
            let end = self.rest[..limit].rfind(' ').filter(|&end| end > 0);
            let (line, rest) = match end {
                Some(end) => (self.rest[..end].to_owned(), self.rest[end + 1..].to_owned()),
                None => (self.rest[..limit].to_owned(), self.rest[limit..].to_owned()),
            };
            self.lines.push_back(line);
            self.rest = rest;
        }
    }

    fn finish(&mut self) {
        if !self.rest.is_empty() {
            self.lines.push_back(std::mem::take(&mut self.rest));
        }
        self.ended = true;
    }

    fn next(&mut self) -> String {
        self.lines.pop_front().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_break_at_spaces_and_lines() {
        let mut column = Column::default();
        for piece in ["one\ntwo ", &"x".repeat(WIDTH - 2), " y", &"z".repeat(WIDTH + 3)] {
            column.push(piece);
        }
        column.finish();
        let long = "x".repeat(WIDTH - 2);
        let lines: Vec<String> = column.lines.into_iter().collect();
        assert_eq!(lines[..3], ["one".to_owned(), "two".to_owned(), long]);
        assert_eq!(lines[3..].concat(), format!("y{}", "z".repeat(WIDTH + 3)));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(row("a", "b"), format!("a{} | b\n", " ".repeat(WIDTH - 1)));
    }
}
