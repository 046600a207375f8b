//! SmolLM2-135M-Instruct against an independent program: token ids, log-probabilities, generations.
//!
//! The model is fetched by `scripts/smollm2.sh`; without it these tests are skipped, unless `LASER_REQUIRE_MODEL` is
//! set, which the continuous integration does.

use laser::checkpoint::Checkpoint;
use laser::edit::Candidate;
use laser::edit::{Intervention, InterventionSpec};
use laser::engine::{Detail, Editor, Evaluator, Response};
use laser::example::{Example, Target};
use laser::kernels::Cpu;
use laser::model::Model;
use laser::tasks::Task;
use laser::writers::{HuggingFaceWriter, WriteOptions, write_model};
use laser_tokenizer::Tokenizer;
use serde::Deserialize;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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
    // Not println!, which the test runner keeps to itself.
    let _ = writeln!(std::io::stderr(), "skipped: {} is not there; scripts/smollm2.sh fetches it", path.display());
    None
}

struct Subject {
    checkpoint: Arc<Checkpoint>,
    model: Model,
    tokenizer: Tokenizer,
}

impl Subject {
    fn open(path: &Path) -> Self {
        let checkpoint = Arc::new(Checkpoint::open(path).unwrap());
        let model = Model::load(&checkpoint, &Cpu, usize::MAX, |_| {}).unwrap();
        let tokenizer =
            Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser::tokenizer::GGUF_KEYS).unwrap().as_ref())
                .unwrap();
        Self { checkpoint, model, tokenizer }
    }

    fn evaluate(&self, examples: &[Example], interventions: &[InterventionSpec]) -> Vec<Response> {
        let candidate =
            Candidate::new(InterventionSpec::expand_all(interventions, self.model.config()).unwrap()).unwrap();
        let edited = Editor::new(&self.checkpoint, &self.model).edit(&candidate).unwrap();
        let mut evaluator = Evaluator::new(&self.model, &self.tokenizer, examples.iter().collect(), 2 << 30).unwrap();
        evaluator.evaluate(&edited, Detail::Full).unwrap()
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
        let answer =
            subject.tokenizer.encode_continuation(&example.prompt, &example.continuation(example.answer())).unwrap();
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

fn facts(n: usize) -> Vec<Example> {
    Task::open("facts").unwrap().limit(n, 0).unwrap().examples
}

#[test]
fn the_folder_that_apply_writes_is_the_edited_model() {
    let Some(path) = model_path() else { return };
    let subject = Subject::open(&path);
    let specs = ["28.fc_up:0.2".parse::<InterventionSpec>().unwrap()];
    let examples = facts(30);
    let expected = subject.evaluate(&examples, &specs);

    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("edited");
    let edits: Vec<Intervention> = specs[0].expand(subject.model.config()).unwrap();
    let extra = subject.tokenizer.huggingface_files().to_vec();
    write_model(
        &subject.checkpoint,
        &edits,
        &out,
        &HuggingFaceWriter::default(),
        &WriteOptions { extra, ..WriteOptions::default() },
    )
    .unwrap();
    let written = Subject::open(&out);
    let found = written.evaluate(&examples, &[]);

    let mut same = 0;
    for ((example, expected), found) in examples.iter().zip(&expected).zip(&found) {
        let ids = |subject: &Subject| subject.tokenizer.encode_prompt(&example.prompt).unwrap();
        assert_eq!(ids(&subject), ids(&written));
        // The folder holds f16: three digits.
        let difference = found.outcome.log_loss() - expected.outcome.log_loss();
        assert!(difference.abs() < 2e-2, "{}: {difference}", example.prompt);
        same += usize::from(found.generated == expected.generated);
    }
    assert!(same + 1 >= examples.len(), "only {same} of {} generations are the same", examples.len());
}

#[test]
fn a_search_of_layer_28_finds_what_is_known_to_be_there() {
    let Some(path) = model_path() else { return };
    let golden = repository().join("tests/fixtures/smollm2/smollm2-qa_wikidata.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let place = tempfile::tempdir().unwrap();
    let rows: String = golden
        .examples
        .iter()
        .map(|example| format!("{}\n", serde_json::json!({"q": example.prompt, "a": example.answer})))
        .collect();
    std::fs::write(place.path().join("rows.jsonl"), rows).unwrap();
    let yaml = "task: qa\ndataset_path: json\ndataset_kwargs: {data_files: rows.jsonl}\noutput_type: loglikelihood\n\
                doc_to_text: \"{{q}}\"\ndoc_to_target: \" {{a}}\"\n";
    std::fs::write(place.path().join("qa.yaml"), yaml).unwrap();
    let arguments = "--task qa.yaml --layers 27-28 --matrices fc_up,fc_out --rho 0.2,0.05 --out run --quiet";
    let output = assert_cmd::cargo::cargo_bin_cmd!("laser")
        .current_dir(place.path())
        .arg("search")
        .arg(path.canonicalize().unwrap())
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verdict: serde_json::Value =
        serde_json::from_slice(&std::fs::read(place.path().join("run/verdict.json")).unwrap()).unwrap();
    assert_eq!(verdict["best"][0]["layer"], 28, "{verdict}");
    assert!(verdict["test"]["accuracy_gain"].as_f64().unwrap() > 0.0, "{verdict}");
}
