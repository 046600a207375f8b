//! `laser chat`: type to a model, as it is or edited.

use crate::bar::Bar;
use crate::cli::{ChatOptions, EditOptions, Global, SpeechOptions};
use crate::output;
use laser::{Session, SessionOptions, Speech, Step, read_recipe};
use laser_edit::{Candidate, InterventionSpec};
use serde_json::json;
use std::io::{BufRead, IsTerminal, Write};
use std::sync::Arc;

pub fn run(options: &ChatOptions, global: &Global) -> anyhow::Result<()> {
    let session = open(&options.model, global)?;
    let candidate = edits(&session, &options.edit)?;
    let edited = session.edit(&candidate)?;
    let mut speech = session.speech(&edited, options.speech.sampling())?;
    let mut steps = Vec::new();
    let mut answer = |prompt: &str, is_first: bool| -> anyhow::Result<Vec<u32>> {
        let tokens = encoded(&session, &options.speech, prompt, is_first)?;
        speech.hear(&tokens)?;
        let mut stdout = std::io::stdout().lock();
        steps.clear();
        let count = say(&mut speech, options.speech.max_tokens, &mut |step| {
            if !global.json {
                stdout.write_all(step.text.as_bytes())?;
                stdout.flush()?;
            }
            steps.push(step.clone());
            Ok(())
        });
        if !global.json {
            stdout.write_all(b"\n")?;
        }
        count.map(|()| tokens)
    };
    match &options.prompt {
        Some(prompt) => {
            let tokens = answer(prompt, true)?;
            if global.json {
                let text = speech.text();
                let document = json!({
                    "interventions": candidate, "prompt": prompt, "prompt_tokens": tokens, "text": text, "steps": steps,
                });
                return output::print_json(&document);
            }
        }
        None => each_line(global, &mut |line, number| answer(line, number == 0).map(drop))?,
    }
    Ok(())
}

/// Opens the model, without its template: whether that is used is seen when something is said.
pub(super) fn open(model: &crate::cli::ModelOptions, global: &Global) -> anyhow::Result<Session> {
    let progress = Arc::new(Bar::new(global.quiet));
    let how = SessionOptions { device: model.device, progress, ..SessionOptions::default() };
    Ok(Session::open_with(model.checkpoint.source(), how)?)
}

/// The edits that are asked for.
pub(super) fn edits(session: &Session, options: &EditOptions) -> anyhow::Result<Candidate> {
    Ok(match &options.recipe {
        Some(path) => read_recipe(path, session.checkpoint())?.edits,
        None => Candidate::new(InterventionSpec::expand_all(&options.reduce, session.config())?)?,
    })
}

/// The tokens of what is said: by the chat template, unless there is none or the text is meant raw.
pub(super) fn encoded(
    session: &Session,
    options: &SpeechOptions,
    text: &str,
    is_first: bool,
) -> anyhow::Result<Vec<u32>> {
    let tokenizer = session.tokenizer();
    if !options.raw
        && let Ok(chat) = tokenizer.clone().in_chat()
    {
        return Ok(chat.encode_prompt(text)?);
    }
    if is_first { Ok(tokenizer.encode_prompt(text)?) } else { Ok(tokenizer.encode_continuation("\n", text)?) }
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

/// Each line of standard input that says something, and its number.
pub(super) fn each_line(
    global: &Global,
    said: &mut dyn FnMut(&str, usize) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if global.json {
        return Err(output::Usage("--json needs a --prompt".into()).into());
    }
    let stdin = std::io::stdin();
    let asks = stdin.is_terminal() && !global.quiet;
    let mut number = 0;
    loop {
        if asks {
            eprint!("> ");
        }
        let mut line = String::new();
        if stdin.lock().read_line(&mut line)? == 0 {
            return Ok(());
        }
        if !line.trim().is_empty() {
            said(line.trim_end_matches(['\n', '\r']), number)?;
            number += 1;
        }
    }
}
