//! Times a sweep on a GPU: gpu-sweep MODEL ROWS [--tiny] [--shim] [--seconds N]
//!
//! MODEL is a llama with random weights, as scripts/synthetic-7b.py makes it. 200 short prompts are scored by their answers'
//! log-probabilities, at some layers under eight low-rank edits each. The rows' tokens go to the file ROWS, for others to be
//! timed on them. Prints tables as it goes; ends by itself after N seconds (200), whatever happens. --tiny is for
//! small models; with --shim the kernels run on this machine's processor.

use laser_checkpoint::Checkpoint;
use laser_cuda::shim::Shim;
use laser_cuda::verify::Numbers;
use laser_cuda::{Cuda, Device, Kind, Rows};
use laser_edit::{Candidate, InterventionSpec, MatrixId, MatrixKind};
use laser_engine::{Detail, Editor, Evaluator, Response};
use laser_example::{Example, Target};
use laser_kernels::Backend;
use laser_matrix::{LowRank, Rho, rank_for};
use laser_model::Model;
use laser_tokenizer::Tokenizer;
use std::collections::HashSet;
use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Each of both matrices.
const RHOS: [f64; 4] = [0.01, 0.05, 0.1, 0.2];
const KINDS: [MatrixKind; 2] = [MatrixKind::FcIn, MatrixKind::FcOut];
const CANDIDATES: usize = RHOS.len() * KINDS.len();
/// Bytes for decompositions.
const MEMORY: usize = 8 << 30;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let seconds = value("--seconds").unwrap_or(200);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        say(&format!("\nStopped: {seconds} seconds are over."));
        std::process::exit(3);
    });
    let [model, rows, ..] = &arguments[..] else {
        eprintln!("usage: gpu-sweep MODEL ROWS [--tiny] [--shim] [--seconds N]");
        return ExitCode::from(2);
    };
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    match measure(Path::new(model), Path::new(rows), has("--shim"), has("--tiny")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("\nError: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// At once, so that what is known is there if the program is stopped.
fn say(line: &str) {
    println!("{line}");
    let _ = std::io::stdout().flush();
}

fn seconds<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(T, f64)> {
    let start = Instant::now();
    let made = work()?;
    Ok((made, start.elapsed().as_secs_f64()))
}

fn measure(path: &Path, rows_file: &Path, shim: bool, tiny: bool) -> Outcome<()> {
    let device = if shim { Device::on(Shim::new()?) } else { Device::gpu(0)? };
    let backend = Cuda::on(device.clone());
    say(&format!("{}\n", backend.kernel_path()));
    let side = if tiny { 64 } else { 8192 };
    let peaks = [plain(&device, Kind::Bf16, side)?, plain(&device, Kind::F32, side / 2)?];
    say(&format!("A plain product: {side}² in bf16 {:.1} TFLOP/s, {}² in f32 {:.1}\n", peaks[0], side / 2, peaks[1]));

    let checkpoint = Arc::new(Checkpoint::open(path)?);
    let tokenizer = Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser_tokenizer::GGUF_KEYS)?.as_ref())?;
    let load = || -> Outcome<_> {
        let model = Model::load(&checkpoint, &backend, usize::MAX, |_| {})?;
        device.synchronise()?;
        Ok(model)
    };
    let (exact, loading) = seconds(load)?;
    let (rounded, rounding) = seconds(|| {
        let model = exact.to_bf16()?;
        device.synchronise()?;
        Ok(model)
    })?;
    let memory = device.memory()?;
    say(&format!(
        "Loaded as f32 in {loading:.1} s, a copy in bf16 in {rounding:.2} s; {:.1} of {:.1} GB are free\n",
        memory.free as f64 / 1e9,
        memory.total as f64 / 1e9
    ));
    let examples = examples(if tiny { 3 } else { 200 });
    let sweep = Sweep { checkpoint: &checkpoint, tokenizer: &tokenizer, examples: &examples, device: &device, tiny };
    let work = sweep.work(rows_file)?;
    sweep.run("bf16", &rounded, &work, peaks[0], &sweep.layers())?;
    let last = sweep.layers().pop().unwrap_or(0);
    sweep.run("f32", &exact, &work, peaks[1], &[last.saturating_sub(3), last])?;
    sweep.alone("bf16", &rounded)?;
    sweep.alone("f32", &exact)?;
    sweep.decompose(&exact)
}

/// TFLOP/s of a large product, the best of some.
fn plain(device: &Device, kind: Kind, side: usize) -> Outcome<f64> {
    let block = Numbers::new(1).normals(1 << 16, 0.02);
    let values: Vec<f32> = block.iter().copied().cycle().take(side * side).collect();
    let (x, weights) = (Rows::of(device, kind, &values, side, side)?, Rows::of(device, kind, &values, side, side)?);
    let mut best = f64::INFINITY;
    for _ in 0..8 {
        let from = device.mark()?;
        let _product = device.linear(&x, &weights, None, None)?;
        best = best.min(device.milliseconds(&from, &device.mark()?)?);
    }
    Ok(2.0 * (side as f64).powi(3) / best / 1e9)
}

/// Short questions, each of other words.
fn examples(count: usize) -> Vec<Example> {
    let words =
        ["The", "mother", "tongue", "of", "Berlin", "is", "capital", "book", "writer", "French", "answer", "true"];
    let mut random = Numbers::new(9);
    let mut text = |n: usize| (0..n).map(|_| words[random.below(words.len())]).collect::<Vec<_>>().join(" ");
    let example = |i: usize| {
        let (prompt, answer) = (format!("{} {i}", text(3 + i % 8)), text(1));
        Example::new(i.to_string(), None, prompt, Target::log_likelihood(answer).ok()?).ok()
    };
    (0..count).filter_map(example).collect()
}

/// How much there is to do.
struct Work {
    /// Rows of a candidate that go through a block.
    rows: usize,
    /// Those of them that are read.
    read: usize,
}

struct Sweep<'a> {
    checkpoint: &'a Checkpoint,
    tokenizer: &'a Tokenizer,
    examples: &'a [Example],
    device: &'a Device,
    tiny: bool,
}

impl<'a> Sweep<'a> {
    fn layers(&self) -> Vec<usize> {
        let layers = self.checkpoint.config().layers;
        let mut chosen = vec![0, layers / 2];
        chosen.extend(layers.saturating_sub(4).max(layers / 2 + 1)..layers);
        chosen
    }

    fn evaluator<'m>(&self, model: &'m Model<Cuda>, examples: &[&'m Example]) -> Outcome<Evaluator<'m, Cuda>>
    where
        'a: 'm,
    {
        Ok(Evaluator::new(model, self.tokenizer, examples.to_vec(), self.device.memory()?.free / 4 * 3)?)
    }

    /// Counts rows, each prefix of tokens once, and writes the tokens down.
    fn work(&self, file: &Path) -> Outcome<Work> {
        let (mut prefixes, mut read, mut lines, mut tokens) = (HashSet::new(), HashSet::new(), Vec::new(), 0);
        for example in self.examples {
            let encoded = laser_engine::encode(self.tokenizer, example, self.checkpoint.config())?;
            let answer = &encoded.continuations[encoded.answer.start];
            let all = [&encoded.prompt[..], &answer[..]].concat();
            let given = &all[..all.len() - 1];
            prefixes.extend((1..=given.len()).map(|end| given[..end].to_vec()));
            read.extend((encoded.prompt.len()..all.len()).map(|end| all[..end].to_vec()));
            tokens += given.len();
            lines.push(format!("[{}, {:?}]", encoded.prompt.len(), all));
        }
        std::fs::write(file, format!("[{}]\n", lines.join(",\n")))?;
        let (n, rows, read) = (self.examples.len(), prefixes.len(), read.len());
        say(&format!(
            "{n} examples of {tokens} tokens in all; {rows} rows, as beginnings are shared; {read} are read\n"
        ));
        Ok(Work { rows, read })
    }

    /// Operations of matrix products in the layers from `first` on, of one candidate.
    fn flops(&self, first: usize, work: &Work) -> f64 {
        let config = self.checkpoint.config();
        let elements = |kind: &MatrixKind| kind.shape(config).iter().product::<usize>() as f64;
        let is_cached = |kind: &&MatrixKind| matches!(kind, MatrixKind::KProj | MatrixKind::VProj);
        let all: f64 = config.matrices.iter().map(elements).sum();
        let cached: f64 = config.matrices.iter().filter(is_cached).map(elements).sum();
        let below_last = (config.layers - 1 - first) as f64;
        // Of rows that are not read the last layer computes keys and values alone.
        2.0 * (work.rows as f64 * (below_last * all + cached) + work.read as f64 * (all - cached))
    }

    fn run(&self, name: &str, model: &Model<Cuda>, work: &Work, peak: f64, layers: &[usize]) -> Outcome<()> {
        let examples: Vec<&Example> = self.examples.iter().collect();
        let mut evaluator = self.evaluator(model, &examples)?;
        let (_, base) = seconds(|| Ok(evaluator.evaluate(model, Detail::Outcome)?))?;
        let (_, again) = seconds(|| Ok(evaluator.evaluate(model, Detail::Outcome)?))?;
        say(&format!("## {name}: {CANDIDATES} candidates a layer\n"));
        say(&format!(
            "The unedited model, all layers: {base:.3} s; kept streams read again: {again:.4} s; {} candidates together\n",
            evaluator.together(0, 1)
        ));
        say("| layer | edits, s | first pass, s | again, s | examples a second and candidate | tokens a second | \
             TFLOP/s of products | share of the plain product |");
        say("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for &layer in layers {
            let factors = self.factors(layer)?;
            let (edited, editing) = seconds(|| self.edits(model, layer, &factors))?;
            let mut pass = || {
                seconds(|| -> Outcome<Vec<Vec<Response>>> {
                    let mut responses = Vec::new();
                    for together in edited.chunks(evaluator.together(0, 1)) {
                        responses.extend(evaluator.evaluate_together(0, together, Detail::Outcome)?);
                    }
                    Ok(responses)
                })
            };
            let (_, first) = pass()?;
            let times: Vec<f64> = (0..3).map(|_| Ok(pass()?.1)).collect::<Outcome<_>>()?;
            let best = times.into_iter().fold(f64::INFINITY, f64::min);
            let candidates = edited.len() as f64;
            let rate = candidates * self.examples.len() as f64 / best;
            let speed = candidates * self.flops(layer, work) / best / 1e12;
            say(&format!(
                "| {layer} | {editing:.4} | {first:.4} | {best:.4} | {rate:.0} | {:.0} | {speed:.1} | {:.2} |",
                candidates * work.rows as f64 / best,
                speed / peak
            ));
        }
        let hidden = self.checkpoint.config().hidden_size;
        let backend = model.backend();
        let x = backend.rows(Numbers::new(3).normals(work.read * hidden, 1.0), hidden)?;
        let wanted: Vec<&[u32]> = vec![&[7]; work.read];
        model.predict(&x, &wanted)?;
        let (_, reading) = seconds(|| Ok(model.predict(&x, &wanted)?))?;
        say(&format!("\nRead-out of {} rows, the head in f32: {reading:.4} s\n", work.read));
        Ok(())
    }

    /// Random factors: decompositions would take minutes, and times do not depend on the values.
    fn factors(&self, layer: usize) -> Outcome<Vec<(MatrixId, LowRank)>> {
        let mut numbers = Numbers::new(layer as u64 + 1);
        let mut factors = Vec::new();
        for kind in KINDS {
            let [rows, cols] = kind.shape(self.checkpoint.config());
            for rho in RHOS {
                let rank = rank_for(Rho::new(rho)?, rows, cols);
                let (u, v) = (numbers.normals(4096, 0.02), numbers.normals(4093, 1.0));
                let entry = |values: &[f32], i: usize, k: usize| values[(i * 31 + k * 7) % values.len()];
                let made =
                    LowRank::from_fn([rows, cols], rank, 0, |i, k| entry(&u, i, k), |_| 0.5, |j, k| entry(&v, j, k));
                factors.push((MatrixId::from(kind), made));
            }
        }
        Ok(factors)
    }

    fn edits(&self, model: &Model<Cuda>, layer: usize, factors: &[(MatrixId, LowRank)]) -> Outcome<Vec<Model<Cuda>>> {
        let edit = |(id, factors): &(MatrixId, LowRank)| Ok(model.replace_by_factors(layer, *id, factors)?);
        let edited = factors.iter().map(edit).collect::<Outcome<_>>()?;
        self.device.synchronise()?;
        Ok(edited)
    }

    /// Whether examples alone have the bits that they have among the others.
    fn alone(&self, name: &str, model: &Model<Cuda>) -> Outcome<()> {
        let examples: Vec<&Example> = self.examples.iter().collect();
        let layer = self.checkpoint.config().layers / 2;
        let edited = self.edits(model, layer, &self.factors(layer)?)?;
        let whole = self.evaluator(model, &examples)?.evaluate_together(0, &edited[..2], Detail::Outcome)?;
        let step = (examples.len() / 5).max(1);
        let (mut same, mut all, mut furthest) = (0, 0, 0f64);
        for i in (0..examples.len()).step_by(step) {
            let mut evaluator = self.evaluator(model, &examples[i..=i])?;
            for (edited, whole) in edited.iter().zip(&whole) {
                let alone = evaluator.evaluate_chunk(0, edited, Detail::Outcome)?;
                let of = |response: &Response| response.outcome.answer_logprob;
                furthest = furthest.max((of(&alone[0]) - of(&whole[i])).abs());
                same += usize::from(alone[0] == whole[i]);
                all += 1;
            }
        }
        say(&format!(
            "{name}, examples alone: {same} of {all} have the same bits; at most {furthest:.1e} nats apart\n"
        ));
        Ok(())
    }

    /// What an edit takes if its matrix must be decomposed first, on the processor.
    fn decompose(&self, model: &Model<Cuda>) -> Outcome<()> {
        let layer = self.checkpoint.config().layers - 1;
        for matrix in if self.tiny { &["fc_in"][..] } else { &["q_proj", "fc_in"] } {
            let mut editor = Editor::new(self.checkpoint, model).with_memory(MEMORY);
            let mut edit = |rho: &str| -> Outcome<f64> {
                let spec: InterventionSpec = format!("{layer}.{matrix}:{rho}").parse()?;
                let candidate = Candidate::new(spec.expand(model.config())?)?;
                Ok(seconds(|| {
                    let edited = editor.edit(&candidate)?;
                    self.device.synchronise()?;
                    Ok(edited)
                })?
                .1)
            };
            let (first, second) = (edit("0.1")?, edit("0.05")?);
            say(&format!("An edit of {layer}.{matrix} with its decomposition: {first:.2} s; another: {second:.3} s"));
        }
        Ok(())
    }
}
