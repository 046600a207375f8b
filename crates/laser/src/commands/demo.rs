//! `laser demo`: search, verdict and apply on a model and a task that are part of the program.

use crate::bar::Bar;
use crate::cli::{
    CheckpointOptions, DataOptions, DemoOptions, Dtype, Global, ModelOptions, SpaceOptions, Strategy, TaskOptions,
    TextOptions,
};
use crate::commands::{apply, search};
use crate::output;
use anyhow::Context;
use laser_checkpoint::Checkpoint;
use laser_linalg::Rho;
use laser_model::DeviceKind;
use laser_report::verdict_file;
use laser_run::{Progress, write_whole};
use serde_json::json;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

/// A model trained on noisy in-context recall (Chen, Bruna, Bietti, arXiv 2406.03068) and its task; both are made by
/// `examples/train-demo-model.rs`.
const MODEL: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../../assets/demo/config.json")),
    ("model.safetensors", include_bytes!("../../assets/demo/model.safetensors")),
    ("tokenizer.json", include_bytes!("../../assets/demo/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../../assets/demo/tokenizer_config.json")),
];
const TASK: &[(&str, &[u8])] = &[
    ("demo.yaml", include_bytes!("../../assets/demo/demo.yaml")),
    ("demo.jsonl", include_bytes!("../../assets/demo/demo.jsonl")),
];

/// The default fractions, and 0.02: rank 1 of the model's 64.
const RHOS: [f64; 8] = [0.9, 0.8, 0.6, 0.2, 0.1, 0.05, 0.02, 0.01];

pub fn run(options: &DemoOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let [model, task, run, edited] = ["model", "task", "run", "edited"].map(|name| options.out.join(name));
    unpack(MODEL, &model)?;
    unpack(TASK, &task)?;
    let task = task.join("demo.yaml");
    let rhos = RHOS.map(|rho| rho.to_string()).join(",");
    progress.note(&format!(
        "laser search {} --task {} --matrices all --rho {rhos} --out {}\n",
        model.display(),
        task.display(),
        run.display()
    ));

    let checkpoint = CheckpointOptions { model: model.clone(), architecture: None };
    let model_options = ModelOptions { checkpoint, device: DeviceKind::Cpu };
    let task = TaskOptions {
        task: Some(task.display().to_string()),
        data: DataOptions { data: None, paper_compat: false },
        limit: None,
        seed: 0,
        split_first: false,
        chat: false,
    };
    let text = TextOptions { text: None, text_tokens: None };
    let space = SpaceOptions {
        strategy: Strategy::Exhaustive,
        matrices: vec!["all".parse()?],
        layers: Vec::new(),
        rho: RHOS.into_iter().map(Rho::new).collect::<Result<_, _>>()?,
        blocks: vec![NonZeroUsize::MIN],
        gradient_examples: None,
        start: None,
        width: None,
        compare: None,
        dtype: Dtype::F32,
        memory: None,
    };
    let finished = search::find(&model_options, &task, &text, &space, &run, &progress)?;
    if !global.json {
        output::print(&finished.text)?;
    }

    progress.note(&format!(
        "\nlaser apply {} --recipe {} --out {}",
        model.display(),
        run.join("best.json").display(),
        edited.display()
    ));
    // What stands there can only be an earlier demo's: writing refuses anything else.
    apply::write(&Checkpoint::open(&model)?, &finished.verdict.best, &edited, edited.exists())?;
    if global.json {
        return output::print_json(
            &json!({"run": run, "edited": edited, "best": finished.verdict.best, "verdict": verdict_file(&finished.verdict)}),
        );
    }
    output::print(&format!(
        "\n{} written to {}; the RUN folder is {}\n",
        finished.verdict.best,
        edited.display(),
        run.display()
    ))
}

/// Writes files to `folder`, unless they are there.
fn unpack(files: &[(&str, &[u8])], folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("{}: the demo's files cannot be written: choose another --out", folder.display());
    fs::create_dir_all(folder).with_context(cannot)?;
    for (name, bytes) in files {
        let path = folder.join(name);
        match fs::read(&path) {
            Ok(found) if found == *bytes => continue,
            Ok(_) => anyhow::bail!("{}: holds something else: choose another --out", path.display()),
            Err(_) => {}
        }
        write_whole(&path, bytes)?;
    }
    Ok(())
}
