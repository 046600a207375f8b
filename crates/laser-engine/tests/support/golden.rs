//! What a fixture's golden.json says, against what a backend gives.

use laser_checkpoint::Checkpoint;
use laser_edit::{Candidate, Intervention};
use laser_engine::{Detail, Editor, Evaluator};
use laser_example::{Example, Target};
use laser_kernels::Backend;
use laser_model::Model;
use laser_tokenizer::Tokenizer;
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

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

/// How a fixture's numbers agree with those of transformers.
#[derive(Debug, Default)]
pub struct Agreement {
    pub rows: usize,
    pub edits: usize,
    /// The largest difference of a log-probability, as a part of it.
    pub furthest: f64,
    /// What disagrees: differences above DESIGN's tolerance, 1e-4 of the number, and other tokens.
    pub wrong: Vec<String>,
}

impl Agreement {
    fn close(&mut self, found: f64, expected: f64, what: &str) {
        self.furthest = self.furthest.max((found - expected).abs() / expected.abs());
        self.hold((found - expected).abs() <= 1e-4 * expected.abs(), || {
            format!("{what}: {found}, transformers has {expected}")
        });
    }

    fn hold(&mut self, holds: bool, what: impl Fn() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }
}

/// The fixture in `folder`, through the plain forward pass and through the sweep engine, base and reduced.
pub fn compare<B: Backend>(folder: &Path, backend: &B) -> Agreement {
    let checkpoint = Arc::new(Checkpoint::open(folder).unwrap());
    let model = Model::load(&checkpoint, backend, usize::MAX, |_| {}).unwrap();
    let tokenizer =
        Tokenizer::open(checkpoint.path(), checkpoint.metadata(&laser_tokenizer::GGUF_KEYS).unwrap().as_ref()).unwrap();
    let golden: Golden = serde_json::from_slice(&std::fs::read(folder.join("golden.json")).unwrap()).unwrap();
    assert!(!golden.base.is_empty() && !golden.reduced.is_empty());
    let mut agreement = Agreement { rows: golden.base.len(), edits: golden.reduced.len(), ..Agreement::default() };
    let mut editor = Editor::new(&checkpoint, &model);
    let base = Reduced { interventions: Vec::new(), scores: golden.base };
    for Reduced { interventions, scores } in std::iter::once(base).chain(golden.reduced) {
        let candidate = Candidate::new(interventions).unwrap();
        let edited = editor.edit(&candidate).unwrap();
        check(&mut agreement, [&model, &edited], &tokenizer, &candidate.to_string(), &scores);
    }
    agreement
}

fn check<B: Backend>(
    agreement: &mut Agreement,
    [unedited, edited]: [&Model<B>; 2],
    tokenizer: &Tokenizer,
    candidate: &str,
    rows: &[Row],
) {
    let examples: Vec<Example> = rows
        .iter()
        .enumerate()
        .map(|(i, row)| {
            let generated = row.greedy.as_ref().or(row.top1.as_ref()).unwrap().len();
            let target = Target::generate(vec![row.answer.trim().to_owned()], generated).unwrap();
            Example::new(i.to_string(), None, row.prompt.clone(), target).unwrap()
        })
        .collect();
    let mut evaluator = Evaluator::new(unedited, tokenizer, examples.iter().collect(), 1 << 30).unwrap();
    let responses = evaluator.evaluate(edited, Detail::Full).unwrap();
    for ((row, response), encoded) in rows.iter().zip(&responses).zip(evaluator.encoded()) {
        let what = format!("{candidate}, {:?}", row.prompt);
        agreement.hold(encoded.prompt == row.prompt_ids, || format!("{what}: the prompt's tokens"));
        let answer_alone = std::slice::from_ref(&row.answer_ids);
        agreement.hold(encoded.continuations == answer_alone, || format!("{what}: the answer's tokens"));
        let (prompt, answer) = match &encoded.masks {
            None => {
                let tokens = [&row.prompt_ids[..], &row.answer_ids[..]].concat();
                let all = logprobs(edited, &tokens, &tokens[1..]);
                let (prompt, answer) = all.split_at(row.prompt_ids.len() - 1);
                (Some(prompt.iter().sum()), answer.to_vec())
            }
            Some(masks) => {
                let input = [&row.prompt_ids[..], &vec![masks.token; row.answer_ids.len()]].concat();
                let wanted = [&row.prompt_ids[..], &row.answer_ids[..]].concat();
                (None, logprobs(edited, &input, &wanted)[row.prompt_ids.len()..].to_vec())
            }
        };
        agreement.hold(prompt.is_some() == row.prompt_logprob.is_some(), || format!("{what}: masks"));
        if let (Some(found), Some(expected)) = (prompt, row.prompt_logprob) {
            agreement.close(found, expected, &what);
        }
        agreement.hold(answer.len() == row.answer_logprobs.len(), || format!("{what}: the answer's length"));
        for (found, expected) in answer.iter().zip(&row.answer_logprobs) {
            agreement.close(*found, *expected, &what);
        }
        agreement.close(response.outcome.answer_logprob, row.answer_logprobs.iter().sum(), &what);
        agreement.hold(response.outcome.answer_tokens == row.answer_ids.len(), || format!("{what}: answer tokens"));
        let expected = row.greedy.as_ref().or(row.top1.as_ref());
        agreement.hold(response.generated.as_ref() == expected, || {
            format!("{what}: generated {:?}, transformers has {expected:?}", response.generated)
        });
    }
}

/// ln p at each position of `tokens`, by the plainest road, of the token that `wanted` gives for it.
fn logprobs<B: Backend>(model: &Model<B>, tokens: &[u32], wanted: &[u32]) -> Vec<f64> {
    let logits = model.logits(tokens).unwrap();
    let of = |(row, &token): (&[f32], &u32)| {
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        f64::from(row[token as usize]) - total.ln()
    };
    logits.data().chunks(logits.cols()).zip(wanted).map(of).collect()
}
