//! Times the sweep, for `bench/compare.py`:
//!
//!     cargo run --release -p laser-rank --example sweep-speed -- MODEL TASK LAYERS EDIT...
//!
//! The layers (`*`, or a list such as `0,10,20-29`) are swept with the edits given, each as `MATRIX:RHO`. Printed as JSON: for each layer the seconds that all of its
//! candidates took (decomposition and activation cache included), the share of matrix products in the whole and the speed that
//! they reached, beside that of a plain large product just before and after; and every candidate's outcomes.

use anyhow::{Context, Result, ensure};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use laser_checkpoint::Checkpoint;
use laser_edit::Candidate;
use laser_edit::{InterventionSpec, Layers};
use laser_engine::{Detail, Editor, Evaluator};
use laser_example::Example;
use laser_kernels::{Cpu, Products, products};
use laser_model::Model;
use laser_tasks::Task;
use laser_tokenizer::Tokenizer;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const USAGE: &str = "usage: sweep-speed MODEL TASK LAYERS EDIT...";

/// Bytes for the activation cache: all examples of the comparison at once.
const MEMORY: usize = 4 << 30;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, task, ranges, edits @ ..] = &arguments[..] else { anyhow::bail!(USAGE) };
    ensure!(!edits.is_empty(), USAGE);
    let checkpoint = Arc::new(Checkpoint::open(Path::new(model))?);
    let tokenizer = Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser_tokenizer::GGUF_KEYS)?.as_ref())?;
    let model = Model::load(&checkpoint, &Cpu, usize::MAX, |_| ())?;
    let task = Task::open(task)?;
    let examples: Vec<&Example> = task.examples.iter().collect();
    let layers = model.config().layers;
    let mut chosen = Vec::new();
    for range in ranges.split(',') {
        chosen.extend(range.parse::<Layers>()?.resolve(layers)?);
    }

    let mut evaluator = Evaluator::new(&model, &tokenizer, examples.clone(), MEMORY)?;
    let mut editor = Editor::new(&checkpoint, &model);
    ensure!(evaluator.chunks() == 1, "the examples do not fit the memory for the activation cache");
    let peak_before = plain_product();
    let start = Instant::now();
    let responses = evaluator.evaluate(&model, Detail::Outcome)?;
    let base_seconds = start.elapsed().as_secs_f64();
    let mut candidates = vec![outcomes(&Candidate::base(), &responses)];
    let mut swept = Vec::new();
    let (before, start) = (products(), Instant::now());
    for layer in chosen {
        let start = Instant::now();
        let mut of_layer = Vec::new();
        for edit in edits {
            let spec: InterventionSpec = format!("{layer}.{edit}").parse()?;
            of_layer.push(Candidate::new(spec.expand(model.config())?)?);
        }
        for together in of_layer.chunks(evaluator.together(0, 1)) {
            let edited = editor.edit_all(&together.iter().collect::<Vec<_>>())?;
            let responses = evaluator.evaluate_together(0, &edited, Detail::Outcome)?;
            candidates.extend(together.iter().zip(&responses).map(|(candidate, it)| outcomes(candidate, it)));
        }
        swept.push(json!({"layer": layer, "seconds": start.elapsed().as_secs_f64()}));
    }
    let (seconds, after) = (start.elapsed().as_secs_f64(), products());
    let [in_f32, in_bf16] = [after[0] - before[0], after[1] - before[1]];
    let report = json!({
        "examples": examples.len(),
        "candidates_a_layer": edits.len(),
        "threads": std::thread::available_parallelism().context("the number of cores is not known")?.get(),
        "base_seconds": base_seconds,
        "layers": swept,
        "products": {
            "share_of_the_time": in_f32.time.as_secs_f64() / seconds,
            "gflops": gflops(in_f32),
            "share_of_the_time_bf16": in_bf16.time.as_secs_f64() / seconds,
            "gflops_bf16": gflops(in_bf16),
            "plain_product_gflops": [peak_before, plain_product()],
        },
        "candidates": candidates,
    });
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn gflops(products: Products) -> f64 {
    products.flops as f64 / products.time.as_secs_f64().max(1e-9) / 1e9
}

fn outcomes(candidate: &Candidate, responses: &[laser_engine::Response]) -> serde_json::Value {
    json!({
        "candidate": candidate.to_string(),
        "correct": responses.iter().map(|response| response.outcome.correct).collect::<Vec<_>>(),
        "log_loss": responses.iter().map(|response| response.outcome.log_loss()).collect::<Vec<_>>(),
    })
}

/// GFLOP/s of a product of two square matrices by faer with all threads, the median of some.
fn plain_product() -> f64 {
    const SIZE: usize = 2048;
    let matrix = |shift: usize| Mat::from_fn(SIZE, SIZE, |i, j| ((i * 7 + j * 3 + shift) % 11) as f32 - 5.0);
    let (a, b) = (matrix(0), matrix(5));
    let mut product = Mat::<f32>::zeros(SIZE, SIZE);
    let mut seconds: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            matmul(product.as_mut(), Accum::Replace, a.as_ref(), b.as_ref(), 1.0, Par::rayon(0));
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    2.0 * (SIZE as f64).powi(3) / seconds[seconds.len() / 2] / 1e9
}
