//! Log-probabilities and greedy continuations against transformers, base and reduced.

mod support;

use laser_checkpoint::Intervention;
use laser_model::Model;
use laser_search::{Candidate, Detail, Editor, Evaluator};
use laser_tasks::{Example, Target};
use serde::Deserialize;
use support::{Fixture, folder, open};

#[derive(Deserialize)]
struct Golden {
    base: Vec<Row>,
    reduced: Vec<Reduced>,
}

#[derive(Deserialize)]
struct Reduced {
    interventions: Vec<Intervention>,
    scores: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    prompt: String,
    answer: String,
    prompt_ids: Vec<u32>,
    answer_ids: Vec<u32>,
    answer_logprobs: Vec<f64>,
    prompt_logprob: f64,
    greedy: Vec<u32>,
}

/// The tolerance of DESIGN: 1e-4 of the number.
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-4 * expected.abs(), "{what}: {found}, transformers has {expected}");
}

/// ln p of `tokens[i]` after `tokens[..i]`, for i from 1.
fn logprobs(model: &Model, tokens: &[u32]) -> Vec<f64> {
    let logits = model.logits(tokens).unwrap().to_vec2::<f32>().unwrap();
    let after = |(row, &token): (&Vec<f32>, &u32)| {
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        f64::from(row[token as usize]) - total.ln()
    };
    logits.iter().zip(&tokens[1..]).map(after).collect()
}

fn check(fixture: &Fixture, interventions: &[Intervention], rows: &[Row]) {
    let candidate = Candidate::new(interventions.iter().copied()).unwrap();
    let edited = Editor::new(&fixture.checkpoint, &fixture.model).edit(&candidate).unwrap();
    let boundary = candidate.boundary(fixture.model.config().layers);
    let examples: Vec<Example> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let target = Target::generate(vec![row.answer.trim().to_owned()], row.greedy.len()).unwrap();
            Example::new(i.to_string(), None, row.prompt.clone(), target).unwrap()
        })
        .collect();
    let mut evaluator = Evaluator::new(&fixture.model, &fixture.tokenizer, examples.iter().collect(), 1 << 30).unwrap();
    let responses = evaluator.evaluate(&edited, boundary, Detail::Full).unwrap();
    for ((row, response), encoded) in rows.iter().zip(&responses).zip(evaluator.encoded()) {
        let what = format!("{candidate}, {:?}", row.prompt);
        assert_eq!(encoded.prompt, row.prompt_ids, "{what}");
        assert_eq!(encoded.continuations, std::slice::from_ref(&row.answer_ids), "{what}");
        let tokens = [&row.prompt_ids[..], &row.answer_ids[..]].concat();
        let plain = logprobs(&edited, &tokens);
        let (prompt, answer) = plain.split_at(row.prompt_ids.len() - 1);
        assert_close(prompt.iter().sum(), row.prompt_logprob, &what);
        for (found, expected) in answer.iter().zip(&row.answer_logprobs) {
            assert_close(*found, *expected, &what);
        }
        assert_close(response.outcome.answer_logprob, row.answer_logprobs.iter().sum(), &what);
        assert_eq!(response.outcome.answer_tokens, row.answer_ids.len());
        assert_eq!(response.generated.as_deref(), Some(&row.greedy[..]), "{what}");
    }
}

fn agrees_with_transformers(name: &str) {
    let fixture = open(name);
    let golden: Golden = serde_json::from_slice(&std::fs::read(folder(name).join("golden.json")).unwrap()).unwrap();
    assert!(!golden.base.is_empty() && !golden.reduced.is_empty());
    check(&fixture, &[], &golden.base);
    for reduced in &golden.reduced {
        check(&fixture, &reduced.interventions, &reduced.scores);
    }
}

#[test]
fn llama() {
    agrees_with_transformers("llama");
}

#[test]
fn mistral() {
    agrees_with_transformers("mistral");
}

#[test]
fn qwen2() {
    agrees_with_transformers("qwen2");
}
