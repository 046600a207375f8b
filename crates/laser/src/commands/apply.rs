//! `laser apply`: the edited model, in the form that is asked for.

use crate::bar::Bar;
use crate::cli::{ApplyOptions, Global, Pick};
use crate::output::{self, Usage};
use crate::output_place::files_of_recipe;
use anyhow::{bail, ensure};
use laser::{JudgedEdits, ModelCard, Output, OutputFormat, OutputPlan, read_front, read_recipe, write_edited};
use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, InterventionSpec};
use laser_report::{aligned, because, front_text, quoted};
use laser_run::{CostedCandidate, Progress};
use laser_writers::{Changes, EditRecord, Patch};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;
use std::io::IsTerminal;
use std::path::PathBuf;

pub fn run(options: &ApplyOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let checkpoint = options.checkpoint.source().open(&progress)?;
    let (edits, output) = written(options, &checkpoint, &progress)?;
    if global.json {
        return output::print_json(&document(options, &output));
    }
    let model = options.checkpoint.model.display();
    let mut text = format!("{edits} of {model} written to {}\n", options.out.display());
    text.push_str(&sizes(&output, matches!(options.form(), OutputFormat::Patch | OutputFormat::Lora)));
    output::print(&text)
}

/// Writes what is asked for.
pub fn written(
    options: &ApplyOptions,
    checkpoint: &Checkpoint,
    progress: &dyn Progress,
) -> anyhow::Result<(Candidate, Output)> {
    let patch = options.patch.as_ref().map(|path| Patch::open(path, checkpoint)).transpose()?;
    let (edits, card) = match &patch {
        Some(patch) => (Candidate::new(patch.edits().to_vec())?, ModelCard::default()),
        None => edits(options, checkpoint, progress)?,
    };
    let changes = patch.as_ref().map_or(Changes::Edits(edits.interventions()), Changes::Patch);
    let plan = OutputPlan {
        format: options.form(),
        force: options.force,
        precision: options.quant.0,
        rank_multiple: options.rank_multiple.into(),
        card,
        calibration: options.checkpoint.calibration.clone(),
        reads: reads(options),
    };
    let output = write_edited(checkpoint, changes, &options.out, &plan)?;
    Ok((edits, output))
}

/// What was written, as JSON.
pub fn document<'a>(options: &ApplyOptions, output: &'a Output) -> ApplyDocument<'a> {
    ApplyDocument { output, out: output::shown(&options.out), format: options.form().name() }
}

/// What was written, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct ApplyDocument<'a> {
    #[serde(flatten)]
    output: &'a Output,
    /// Where it was written to.
    out: String,
    /// The form: `hf`, `hf-factored`, `gguf`, `lora` or `patch`.
    format: &'static str,
}

/// What is read beside the model: a recipe stands for the RUN folder that it is of.
fn reads(options: &ApplyOptions) -> Vec<PathBuf> {
    let recipe = options.recipe.iter().flat_map(|recipe| files_of_recipe(recipe));
    options.patch.iter().cloned().chain(options.checkpoint.files()).chain(recipe).collect()
}

/// What to edit, and what the model card tells of it: the verdict, if it is on these edits.
fn edits(
    options: &ApplyOptions,
    checkpoint: &Checkpoint,
    progress: &dyn Progress,
) -> anyhow::Result<(Candidate, ModelCard)> {
    let Some(path) = &options.recipe else {
        let edits = InterventionSpec::expand_all(&options.reduce, checkpoint.config())?;
        return Ok((Candidate::new(edits)?, ModelCard::default()));
    };
    let calibration = options.checkpoint.calibration.as_deref();
    if let Some(pick) = options.pick {
        let front = read_front(path, checkpoint)?;
        let CostedCandidate { interventions, chosen, .. } = picked(pick, &front.candidates)?;
        front.check_calibration(&interventions, calibration)?;
        ensure!(interventions != Candidate::base(), "this row of the front is the unedited model: pick another");
        let judged = chosen.then(|| front.judged(&interventions)).flatten();
        return Ok((interventions, ModelCard::of_search(judged)));
    }
    let recipe = read_recipe(path, checkpoint, calibration)?;
    if recipe.edits == Candidate::base() {
        let run = recipe.run().map(|run| quoted(&run.display().to_string()));
        bail!(match run {
            Some(run) => format!(
                "{run}: the search chose no edit, as none is within its limits: see `laser front {run}`, and choose one by \
                 --pick ROW"
            ),
            None => format!("{}: the recipe has no edit: give another", path.display()),
        });
    }
    let judged = recipe.judged();
    if let Some(JudgedEdits { verdict, .. }) = judged.as_ref().filter(|it| !it.verdict.word().is_better()) {
        progress.note(&format!("the verdict on this edit is {}: {}", verdict.word(), because(verdict)));
    }
    Ok((recipe.edits, ModelCard::of_search(judged)))
}

/// A row of the front.
fn picked(pick: Pick, front: &[CostedCandidate]) -> anyhow::Result<CostedCandidate> {
    let number = match pick {
        Pick::Row(number) => number,
        Pick::Menu => {
            if !std::io::stderr().is_terminal() {
                let why = "--pick shows a menu in a terminal, and there is none: give the row of laser front RUN";
                return Err(Usage(why.into()).into());
            }
            let table = front_text(front);
            let rows: Vec<&str> = table.lines().skip(1).collect();
            let heading = table.lines().next().unwrap_or_default();
            dialoguer::Select::new()
                .with_prompt(format!("Which edits?\n  {heading}"))
                .items(&rows)
                .default(0)
                .interact()?
        }
    };
    let Some(candidate) = front.get(number) else {
        let why = format!("--pick {number}: the front has the rows 0 to {}: see laser front RUN", front.len() - 1);
        return Err(Usage(why.into()).into());
    };
    Ok(candidate.clone())
}

/// What was saved: by matrix, of the model, and per token.
fn sizes(output: &Output, is_part: bool) -> String {
    let mut lines = vec![["matrix", "stored as", "bytes before", "now"].map(str::to_owned).to_vec()];
    for edit in &output.interventions {
        let Some(stored) = &edit.stored else { continue };
        let form = stored.rank.map_or("whole".to_owned(), |rank| format!("rank {rank}"));
        lines.push(vec![
            format!("{}.{}", edit.intervention.layer, edit.intervention.matrix),
            format!("{} {form}", stored.precision),
            stored.bytes_before.to_string(),
            stored.bytes_after.to_string(),
        ]);
    }
    let mut text = if lines.len() > 1 { format!("\n{}\n", aligned(&lines)) } else { "\n".to_owned() };
    for edit in &output.interventions {
        text.push_str(&remarks(edit));
    }
    let change = |before: u64, after: u64| 100.0 * (after as f64 / before.max(1) as f64 - 1.0);
    let Output { bytes_before, bytes_after, products_before, products_after, .. } = *output;
    if is_part {
        let _ = writeln!(text, "{bytes_after} bytes of tensors written; the model has {bytes_before}");
        return text;
    }
    let _ = writeln!(
        text,
        "weights: {bytes_before} bytes before, {bytes_after} written ({:+.1} %)\n\
         a token costs {products_before} multiplications before, {products_after} now ({:+.1} %)",
        change(bytes_before, bytes_after),
        change(products_before, products_after)
    );
    text
}

/// What a matrix's row does not say.
fn remarks(edit: &EditRecord) -> String {
    let Some(stored) = &edit.stored else { return String::new() };
    let name = format!("{}.{}", edit.intervention.layer, edit.intervention.matrix);
    let mut text = String::new();
    if let Some(why) = &stored.why_dense {
        let _ = writeln!(text, "{name} stays whole: {why}");
    }
    if let Some(rounding) = stored.rounding {
        let _ = writeln!(text, "{name}: rounding to {} changes it by {:.2e} of its norm", stored.precision, rounding);
    }
    text
}
