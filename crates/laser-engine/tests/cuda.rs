//! Whole models by the GPU's kernels, which run on this machine's processor here.

#[path = "support/golden.rs"]
mod golden;
mod support;

use golden::compare;
use laser_checkpoint::Checkpoint;
use laser_cuda::shim::Shim;
use laser_cuda::{Cuda, Device};
use laser_edit::Candidate;
use laser_engine::{Detail, Editor, Evaluator, Response};
use laser_example::{Example, Target};
use laser_kernels::{Backend, Differentiable};
use laser_model::Model;
use laser_tokenizer::Tokenizer;
use std::sync::Arc;
use support::{candidate, folder};

/// Families that differ in what they ask of a backend.
const FAMILIES: [&str; 13] = [
    "llama",
    "gpt2",
    "gemma2",
    "phi",
    "mixtral",
    "qwen2_moe",
    "qwen3",
    "bert",
    "gptj",
    "qwen2_windowed",
    "granite",
    "nemotron",
    "bloom_six_heads",
];

/// Without `g++` a test says so and passes.
fn backend() -> Option<Cuda> {
    if std::process::Command::new("g++").arg("--version").output().is_err() {
        println!("skipped: there is no g++");
        return None;
    }
    Some(Cuda::on(Device::on(Shim::new().unwrap())))
}

#[test]
fn families_agree_with_transformers() {
    let Some(backend) = backend() else { return };
    for name in FAMILIES {
        let start = std::time::Instant::now();
        let agreement = compare(&folder(name), &backend);
        assert!(agreement.wrong.is_empty(), "{name}: {:#?}", agreement.wrong);
        let (rows, edits, seconds) = (agreement.rows, agreement.edits, start.elapsed().as_secs_f64());
        println!("{name}: {rows} rows, {edits} edits, {:.1e} at most, {seconds:.1} s", agreement.furthest);
    }
}

/// Examples of all three kinds, of different lengths, some of which share their beginning.
fn examples() -> Vec<Example> {
    let prompts = [
        "The mother tongue of Berlin is",
        "The mother tongue of the writer of this book is",
        "capital",
        "The answer is true of the capital, the book and the writer",
    ];
    let target = |i: usize| match i % 3 {
        0 => Target::generate(vec!["e".into(), "zz".into()], 1 + i % 5),
        1 => Target::choose(vec!["French of".into(), "book".into()], i % 2),
        _ => Target::log_likelihood("German book".into()),
    };
    let example = |i: usize| Example::new(i.to_string(), None, prompts[i % 4].into(), target(i).unwrap()).unwrap();
    (0..8).map(example).collect()
}

struct Loaded {
    checkpoint: Arc<Checkpoint>,
    model: Model<Cuda>,
    tokenizer: Tokenizer,
}

impl Loaded {
    fn evaluate(&self, examples: &[Example], candidates: &[Candidate], memory: usize) -> Vec<Vec<Response>> {
        let mut evaluator = Evaluator::new(&self.model, &self.tokenizer, examples.iter().collect(), memory).unwrap();
        let mut editor = Editor::new(&self.checkpoint, &self.model);
        let edit = |candidate: &Candidate| editor.edit(candidate).unwrap();
        let edited: Vec<Model<Cuda>> = candidates.iter().map(edit).collect();
        edited.iter().map(|edited| evaluator.evaluate(edited, Detail::Outcome).unwrap()).collect()
    }
}

#[test]
fn not_a_bit_depends_on_what_is_evaluated_together() {
    let Some(backend) = backend() else { return };
    let checkpoint = Arc::new(Checkpoint::open(&folder("llama")).unwrap());
    let tokenizer =
        Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser_tokenizer::GGUF_KEYS).unwrap().as_ref()).unwrap();
    let exact = Model::load(&checkpoint, &backend, usize::MAX, |_| {}).unwrap();
    let in_bf16 = exact.to_bf16().unwrap();
    let on_demand = Model::load(&checkpoint, &backend, 0, |_| {}).unwrap();
    let examples = examples();
    let texts = ["", "0.fc_in:0.1", "1.fc_out:0.2", "1.out_proj:zero", "2.v_proj:rank=3"];
    let candidates: Vec<Candidate> = texts.iter().map(|text| candidate(text, checkpoint.config())).collect();
    let mut of_models = Vec::new();
    for model in [exact, in_bf16, on_demand] {
        let loaded = Loaded { checkpoint: checkpoint.clone(), model, tokenizer: tokenizer.clone() };
        let whole = loaded.evaluate(&examples, &candidates, 1 << 30);
        // Two examples at a time.
        assert_eq!(whole, loaded.evaluate(&examples, &candidates, 100_000));
        let reversed: Vec<Candidate> = candidates.iter().rev().cloned().collect();
        let mut backwards = loaded.evaluate(&examples, &reversed, 1 << 30);
        backwards.reverse();
        assert_eq!(whole, backwards);
        for i in [0, 5] {
            let alone = loaded.evaluate(&examples[i..=i], &candidates, 1 << 30);
            let of_whole: Vec<&Response> = whole.iter().map(|responses| &responses[i]).collect();
            assert_eq!(alone.iter().map(|responses| &responses[0]).collect::<Vec<_>>(), of_whole);
        }
        // All candidates of a layer in one pass.
        let mut evaluator =
            Evaluator::new(&loaded.model, &loaded.tokenizer, examples.iter().collect(), 1 << 30).unwrap();
        let of_layer: Vec<&Candidate> = candidates[2..4].iter().collect();
        let edited = Editor::new(&checkpoint, &loaded.model).edit_all(&of_layer).unwrap();
        let together = evaluator.evaluate_together(0, &edited, Detail::Outcome).unwrap();
        assert_eq!(together[..], whole[2..4]);
        of_models.push(whole);
    }
    assert_eq!(of_models[0], of_models[2]);
    assert_ne!(of_models[0], of_models[1], "bf16 changes nothing");
    assert_eq!((backend.kernel_path(), backend.reference().kernel_path()), ("cuda shim".into(), "cpu candle".into()));
}
