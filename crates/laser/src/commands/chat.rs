//! `laser chat`: type to a model, as it is or edited.

use crate::bar::Bar;
use crate::cli::{ChatOptions, EditOptions, Global, SpeechOptions};
use crate::output;
use laser::{Session, SessionOptions, Speech, Step, read_recipe};
use laser_edit::{Candidate, InterventionSpec};
use laser_report::visible;
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Write};
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
    loop {
        if asks {
            output::ask("> ");
        }
        let mut line = String::new();
        if stdin.lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            said(line.trim_end_matches(['\n', '\r']))?;
        }
    }
}
