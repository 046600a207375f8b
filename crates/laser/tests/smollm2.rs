//! SmolLM2-135M-Instruct against an independent program: token ids, log-probabilities, generations.
//!
//! The model is fetched by `scripts/smollm2.sh`; without it these tests are skipped, unless `LASER_REQUIRE_MODEL` is
//! set, which the continuous integration does.

use laser::checkpoint::{Checkpoint, InterventionSpec};
use laser::model::{Device, Model, Tokenizer};
use laser::search::{Candidate, Detail, Editor, Evaluator, Response};
use laser::tasks::{Example, Target};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Golden {
    examples: Vec<GoldenExample>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct GoldenExample {
    prompt: String,
    answer: String,
    prompt_ids: Vec<u32>,
    answer_ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Run {
    interventions: Vec<String>,
    answer_logprobs: Vec<Vec<f64>>,
    log_loss: f64,
    generations: Vec<Generation>,
    generation_accuracy: f64,
}

#[derive(Deserialize)]
struct Generation {
    ids: Vec<u32>,
    text: String,
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn model_path() -> Option<PathBuf> {
    let path = repository().join("models/SmolLM2-135M-Instruct.Q4_1.gguf");
    if path.is_file() {
        return Some(path);
    }
    assert!(std::env::var_os("LASER_REQUIRE_MODEL").is_none(), "{} is missing", path.display());
    println!("skipped: {} is not there; scripts/smollm2.sh fetches it", path.display());
    None
}

struct Subject {
    checkpoint: Checkpoint,
    model: Model,
    tokenizer: Tokenizer,
}

impl Subject {
    fn open(path: &Path) -> Self {
        let checkpoint = Checkpoint::open(path).unwrap();
        let model = Model::load(&checkpoint, &Device::Cpu, |_| {}).unwrap();
        let tokenizer = Tokenizer::open(&checkpoint.tokenizer_source().unwrap()).unwrap();
        Self { checkpoint, model, tokenizer }
    }

    fn evaluate(&self, examples: &[Example], interventions: &[InterventionSpec]) -> Vec<Response> {
        let layers = self.model.config().layers;
        let candidate = Candidate::new(InterventionSpec::expand_all(interventions, layers).unwrap()).unwrap();
        let edited = Editor::new(&self.checkpoint, &self.model).edit(&candidate).unwrap();
        let mut evaluator = Evaluator::new(&self.model, &self.tokenizer, examples.iter().collect(), 2 << 30).unwrap();
        evaluator.evaluate(&edited, candidate.boundary(layers), Detail::Full).unwrap()
    }
}

#[test]
fn agrees_with_transformers_on_real_questions() {
    let Some(path) = model_path() else { return };
    let subject = Subject::open(&path);
    let golden = repository().join("tests/fixtures/smollm2/smollm2-qa_wikidata.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let examples: Vec<Example> = golden
        .examples
        .iter()
        .enumerate()
        .map(|(i, example)| {
            let target = Target::generate(vec![example.answer.clone()], 10).unwrap();
            Example::new(i.to_string(), None, example.prompt.clone(), target).unwrap()
        })
        .collect();
    for (example, golden) in examples.iter().zip(&golden.examples) {
        assert_eq!(subject.tokenizer.encode_prompt(&example.prompt).unwrap(), golden.prompt_ids, "{}", example.prompt);
        let answer = subject.tokenizer.encode_continuation(&example.continuation(example.answer())).unwrap();
        assert_eq!(answer, golden.answer_ids, "{}", example.answer());
    }
    for run in &golden.runs {
        let name = if run.interventions.is_empty() { "base".to_owned() } else { run.interventions.join(" ") };
        let specs: Vec<InterventionSpec> = run.interventions.iter().map(|text| text.parse().unwrap()).collect();
        let responses = subject.evaluate(&examples, &specs);
        let mut furthest = 0.0f64;
        for (response, logprobs) in responses.iter().zip(&run.answer_logprobs) {
            furthest = furthest.max((response.outcome.answer_logprob - logprobs.iter().sum::<f64>()).abs());
        }
        let log_loss = responses.iter().map(|r| r.outcome.log_loss()).sum::<f64>() / responses.len() as f64;
        let mut same = 0;
        let mut right = 0;
        for (response, generation) in responses.iter().zip(&run.generations) {
            let ids = response.generated.as_ref().unwrap();
            same += usize::from(*ids == generation.ids);
            right += usize::from(response.outcome.correct);
            if *ids == generation.ids {
                assert_eq!(subject.tokenizer.decode(ids).unwrap(), generation.text);
            }
        }
        let n = run.generations.len();
        println!("{name}: log-probabilities within {furthest:.1e}, {same} of {n} generations identical");
        assert!(furthest < 2e-3, "{name}: {furthest}");
        assert!((log_loss - run.log_loss).abs() < 1e-3, "{name}: log-loss {log_loss}, expected {}", run.log_loss);
        assert!(same >= n - 2, "{name}: only {same} of {n} generations are identical");
        let expected = (run.generation_accuracy * n as f64).round() as usize;
        assert!(right.abs_diff(expected) <= 1, "{name}: {right} right, expected {expected}");
    }
}
