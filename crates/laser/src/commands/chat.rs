//! `laser chat`: type to a model, as it is or edited.

use crate::bar::Bar;
use crate::cli::{ChatOptions, EditOptions, Global, SpeechOptions};
use crate::output;
use anyhow::Context;
use laser::{Session, SessionOptions, Speech, Step, read_recipe};
use laser_edit::{Candidate, InterventionSpec};
use laser_report::visible;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Read, Write};
use std::sync::Arc;

pub fn run(options: &ChatOptions, global: &Global) -> anyhow::Result<()> {
    if global.json && options.prompt.is_none() {
        return Err(output::Usage("--json needs a --prompt".into()).into());
    }
    let session = open(&options.model, global)?;
    let candidate = edits(&session, &options.edit)?;
    let edited = session.edit(&candidate)?;
    let mut speech = session.speech(&edited, options.speech.sampling())?;
    let (mut steps, mut turns) = (Vec::new(), Vec::new());
    let mut answer = |prompt: &str| -> anyhow::Result<Vec<u32>> {
        let tokens = encoded(&session, &options.speech, &turns, prompt)?;
        speech.hear(&tokens)?;
        let mut stdout = std::io::stdout().lock();
        steps.clear();
        let count = say(&mut speech, options.speech.max_tokens, &mut |step| {
            if !global.json {
                stdout.write_all(visible(&step.text).as_bytes())?;
                stdout.flush()?;
            }
            steps.push(step.clone());
            Ok(())
        });
        if !global.json {
            stdout.write_all(b"\n")?;
        }
        count?;
        turns.push((prompt.to_owned(), speech.text().to_owned()));
        Ok(tokens)
    };
    match &options.prompt {
        Some(prompt) => {
            let tokens = answer(prompt)?;
            if global.json {
                return output::print_json(&document(&candidate, prompt, &tokens, speech.text(), &steps));
            }
        }
        None => each_line(global, &mut |line| answer(line).map(drop))?,
    }
    Ok(())
}

/// What a model says to one prompt, as JSON.
pub fn answered(options: &ChatOptions, session: &Session, prompt: &str) -> anyhow::Result<Value> {
    let candidate = edits(session, &options.edit)?;
    let edited = session.edit(&candidate)?;
    let mut speech = session.speech(&edited, options.speech.sampling())?;
    let tokens = encoded(session, &options.speech, &[], prompt)?;
    speech.hear(&tokens)?;
    let mut steps = Vec::new();
    say(&mut speech, options.speech.max_tokens, &mut |step| {
        steps.push(step.clone());
        Ok(())
    })?;
    Ok(document(&candidate, prompt, &tokens, speech.text(), &steps))
}

fn document(edits: &Candidate, prompt: &str, tokens: &[u32], text: &str, steps: &[Step]) -> Value {
    json!({"interventions": edits, "prompt": prompt, "prompt_tokens": tokens, "text": text, "steps": steps})
}

/// Opens the model, without its template: whether that is used is seen when something is said.
pub(super) fn open(model: &crate::cli::ModelOptions, global: &Global) -> anyhow::Result<Session> {
    let progress = Arc::new(Bar::new(global.quiet));
    let how = SessionOptions { device: model.device, progress, ..SessionOptions::default() };
    Ok(Session::open_with(model.checkpoint.source(), how)?)
}

/// The edits that are asked for.
pub(super) fn edits(session: &Session, options: &EditOptions) -> anyhow::Result<Candidate> {
    let calibration = session.calibration_file();
    Ok(match &options.recipe {
        Some(path) => read_recipe(path, session.checkpoint(), calibration)?.edits,
        None => Candidate::new(InterventionSpec::expand_all(&options.reduce, session.config())?)?,
    })
}

/// The tokens of what is said after `turns`: by the chat template, unless there is none or the text
/// is meant raw.
pub(super) fn encoded(
    session: &Session,
    options: &SpeechOptions,
    turns: &[(String, String)],
    text: &str,
) -> anyhow::Result<Vec<u32>> {
    let tokenizer = session.tokenizer();
    if !options.raw
        && let Ok(chat) = tokenizer.clone().in_chat()
    {
        return Ok(chat.encode_next_turn(turns, text)?);
    }
    Ok(tokenizer.encode_next_turn(turns, text)?)
}

/// Lets the model say up to `most` tokens.
pub(super) fn say(
    speech: &mut Speech,
    most: u32,
    told: &mut dyn FnMut(&Step) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for _ in 0..most {
        let Some(step) = speech.step()? else { break };
        told(&step)?;
    }
    Ok(())
}

/// Each line of standard input that says something.
pub(super) fn each_line(global: &Global, said: &mut dyn FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let stdin = std::io::stdin();
    let asks = stdin.is_terminal() && !global.quiet;
    for number in 1.. {
        if asks {
            output::ask("> ");
        }
        let Some(line) = next_line(&mut stdin.lock(), number)? else { break };
        if !line.trim().is_empty() {
            said(line.trim_end_matches(['\n', '\r']))?;
        }
    }
    Ok(())
}

/// No line of standard input has more bytes.
const LONGEST_LINE: u64 = 1 << 20;

/// The next line, the one with this number, of standard input; none at its end.
fn next_line(input: &mut impl BufRead, number: usize) -> anyhow::Result<Option<String>> {
    let most = laser_guard::raised(LONGEST_LINE);
    let mut line = Vec::new();
    let read = input.take(most.saturating_add(1)).read_until(b'\n', &mut line);
    read.context("standard input cannot be read: give --prompt TEXT in its place")?;
    if line.len() as u64 > most {
        let how = laser_guard::how_to_raise();
        anyhow::bail!("standard input: line {number} has more than {most} bytes: give a shorter prompt ({how})");
    }
    if line.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8(line).map_err(|_| {
        anyhow::anyhow!("standard input: line {number} is not UTF-8: convert it first, for example with iconv -t UTF-8")
    })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_utf8_and_of_some_length() {
        let mut input = &b"one\r\n\ntwo"[..];
        let mut next = |number| next_line(&mut input, number).unwrap();
        assert_eq!([next(1), next(2), next(3), next(4)].map(Option::unwrap_or_default), ["one\r\n", "\n", "two", ""]);
        let refused = |bytes: &[u8]| next_line(&mut &bytes[..], 7).unwrap_err().to_string();
        assert!(refused(b"\xff\n").starts_with("standard input: line 7 is not UTF-8: "));
        let long = vec![b'a'; LONGEST_LINE as usize + 1];
        assert!(refused(&long).starts_with("standard input: line 7 has more than 1048576 bytes: "));
        assert!(next_line(&mut &long[1..], 1).unwrap().is_some());
    }
}
