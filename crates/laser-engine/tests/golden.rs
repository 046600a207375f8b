//! Log-probabilities and greedy continuations against transformers, base and reduced.

mod support;

use laser_checkpoint::Intervention;
use laser_edit::Candidate;
use laser_engine::{Detail, Editor, Evaluator};
use laser_example::{Example, Target};
use laser_model::Model;
use serde::Deserialize;
use support::{Fixture, families, folder, open};

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
    /// Causal models: the sum over the prompt's tokens after the first.
    prompt_logprob: Option<f64>,
    /// Causal models: what greedy generation gives.
    greedy: Option<Vec<u32>>,
    /// Masked models: the most likely token at each mask, of as many masks as the answer has tokens.
    top1: Option<Vec<u32>>,
}

/// The tolerance of DESIGN: 1e-4 of the number.
fn assert_close(found: f64, expected: f64, what: &str) {
    assert!((found - expected).abs() <= 1e-4 * expected.abs(), "{what}: {found}, transformers has {expected}");
}

/// ln p at each position of `tokens`, by the plainest road, of the token that `wanted` gives for it.
fn logprobs(model: &Model, tokens: &[u32], wanted: &[u32]) -> Vec<f64> {
    let logits = support::logits(model, tokens);
    let of = |(row, &token): (&Vec<f32>, &u32)| {
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        f64::from(row[token as usize]) - total.ln()
    };
    logits.iter().zip(wanted).map(of).collect()
}

fn check(fixture: &Fixture, interventions: &[Intervention], rows: &[Row]) {
    let candidate = Candidate::new(interventions.iter().cloned()).unwrap();
    let edited = Editor::new(&fixture.checkpoint, &fixture.model).edit(&candidate).unwrap();
    let examples: Vec<Example> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let generated = row.greedy.as_ref().or(row.top1.as_ref()).unwrap().len();
            let target = Target::generate(vec![row.answer.trim().to_owned()], generated).unwrap();
            Example::new(i.to_string(), None, row.prompt.clone(), target).unwrap()
        })
        .collect();
    let mut evaluator = Evaluator::new(&fixture.model, &fixture.tokenizer, examples.iter().collect(), 1 << 30).unwrap();
    let responses = evaluator.evaluate(&edited, Detail::Full).unwrap();
    for ((row, response), encoded) in rows.iter().zip(&responses).zip(evaluator.encoded()) {
        let what = format!("{}, {candidate}, {:?}", fixture.checkpoint.architecture().family, row.prompt);
        assert_eq!(encoded.prompt, row.prompt_ids, "{what}");
        assert_eq!(encoded.continuations, std::slice::from_ref(&row.answer_ids), "{what}");
        let (prompt, answer) = match &encoded.masks {
            None => {
                let tokens = [&row.prompt_ids[..], &row.answer_ids[..]].concat();
                let all = logprobs(&edited, &tokens, &tokens[1..]);
                let (prompt, answer) = all.split_at(row.prompt_ids.len() - 1);
                (Some(prompt.iter().sum()), answer.to_vec())
            }
            Some(masks) => {
                let input = [&row.prompt_ids[..], &vec![masks.token; row.answer_ids.len()]].concat();
                let wanted = [&row.prompt_ids[..], &row.answer_ids[..]].concat();
                (None, logprobs(&edited, &input, &wanted)[row.prompt_ids.len()..].to_vec())
            }
        };
        assert_eq!(prompt.is_some(), row.prompt_logprob.is_some(), "{what}");
        if let (Some(found), Some(expected)) = (prompt, row.prompt_logprob) {
            assert_close(found, expected, &what);
        }
        assert_eq!(answer.len(), row.answer_logprobs.len(), "{what}");
        for (found, expected) in answer.iter().zip(&row.answer_logprobs) {
            assert_close(*found, *expected, &what);
        }
        assert_close(response.outcome.answer_logprob, row.answer_logprobs.iter().sum(), &what);
        assert_eq!(response.outcome.answer_tokens, row.answer_ids.len());
        assert_eq!(response.generated.as_ref(), row.greedy.as_ref().or(row.top1.as_ref()), "{what}");
    }
}

/// Every fixture, through the plain forward pass and through the sweep engine, base and reduced.
#[test]
fn every_family_agrees_with_transformers() {
    let families = families();
    assert!(families.len() >= 19, "{families:?}");
    for name in families {
        let fixture = open(&name);
        let golden: Golden =
            serde_json::from_slice(&std::fs::read(folder(&name).join("golden.json")).unwrap()).unwrap();
        assert!(!golden.base.is_empty() && !golden.reduced.is_empty());
        check(&fixture, &[], &golden.base);
        for reduced in &golden.reduced {
            check(&fixture, &reduced.interventions, &reduced.scores);
        }
        println!("{name}: {} rows, {} edits", golden.base.len(), golden.reduced.len());
    }
}
