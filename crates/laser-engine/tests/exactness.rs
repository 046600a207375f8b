//! Cached, batched evaluation gives what one-by-one evaluation gives.

mod support;

use laser_checkpoint::Config;
use laser_edit::Candidate;
use laser_edit::MatrixKind;
use laser_engine::{Detail, Editor, Encoded, Evaluator, Masks, Response, encode};
use laser_example::{ExactMatch, Example, ExampleError, Generation, Matching, SplitMix64, Target};
use laser_model::Model;
use laser_tokenizer::Tokenizer;
use support::{Fixture, candidate, families, folder, open, open_at};

const PLENTY: usize = 1 << 30;

/// Candidates in the order of a sweep, one that comes back down, and several interventions at once.
const CANDIDATES: [&str; 9] = [
    "",
    "0.fc_in:0.1",
    "0.q_proj:0.5",
    "1.fc_out:0.2",
    "1.out_proj:zero",
    "2.fc_up:0.05",
    "2.v_proj:rank=3",
    "0.k_proj:0.3 2.fc_in:tail=0.2",
    "1.fc_up:prune=0.5 1.fc_in:blocks=4,0.3",
];

/// Those of the candidates that a model has the matrices for; in a mixture also one expert's.
fn candidates(config: &Config) -> Vec<Candidate> {
    let has_fc_up = config.matrices.contains(&MatrixKind::FcUp);
    let own = if config.experts.is_some() { &["1.fc_in[2]:0.2", "0.fc_out[0]:zero 0.fc_out[1]:zero"][..] } else { &[] };
    let texts = CANDIDATES.iter().filter(|text| has_fc_up || !text.contains("fc_up")).chain(own);
    texts.map(|text| candidate(text, config)).collect()
}

/// Examples of all three kinds, of very different lengths.
fn examples() -> Vec<Example> {
    let words =
        ["The", "mother", "tongue", "of", "Berlin", "is", "capital", "book", "writer", "French", "answer", "true"];
    let mut random = SplitMix64::new(5);
    let mut text = |n: usize| {
        let picked: Vec<&str> = (0..n).map(|_| words[random.below(words.len() as u64) as usize]).collect();
        picked.join(" ")
    };
    (0..36)
        .map(|i| {
            let prompt = text(1 + (i * 7) % 23);
            let target = match i % 3 {
                // One-letter answers, so that some generations are right and stop early.
                0 => generate(vec![["e", "a", "t", "Germany"][i / 3 % 4].into(), "zz".into()], 1 + i % 8, i % 4 == 0),
                1 => {
                    let first = text(2);
                    Target::choose(vec![format!("{first} of"), format!("{first} book"), "French".into()], i % 2)
                }
                _ => Target::log_likelihood(text(2)),
            };
            Example::new(i.to_string(), None, prompt, target.unwrap()).unwrap()
        })
        .collect()
}

/// Some generations end before an `i`, and are right where they are the answer.
fn generate(answers: Vec<String>, max_new_tokens: usize, exact: bool) -> Result<Target, ExampleError> {
    let target = Target::generate(answers, max_new_tokens)?;
    let Target::Generate(plain) = target else { panic!("no generation") };
    let exactly = Matching::Exact(ExactMatch { ignore_case: true, ..ExactMatch::default() });
    let ended = Generation { until: vec!["i".into()], matching: exactly, ..plain.clone() };
    Ok(Target::Generate(if exact { ended } else { plain }))
}

fn evaluate(
    fixture: &Fixture,
    examples: &[Example],
    candidates: &[Candidate],
    memory: usize,
    detail: Detail,
) -> Vec<Vec<Response>> {
    let mut evaluator = Evaluator::new(&fixture.model, &fixture.tokenizer, examples.iter().collect(), memory).unwrap();
    let mut editor = Editor::new(&fixture.checkpoint, &fixture.model);
    candidates.iter().map(|candidate| evaluator.evaluate(&editor.edit(candidate).unwrap(), detail).unwrap()).collect()
}

fn rank(row: &[f32], token: u32) -> usize {
    let above = |(i, &x): (usize, &f32)| x > row[token as usize] || (x == row[token as usize] && i < token as usize);
    row.iter().enumerate().filter(|&other| above(other)).count()
}

fn argmax(row: &[f32]) -> u32 {
    (0..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best }) as u32
}

/// The same for a masked model: the prompt and as many masks as a continuation has tokens, or as are generated.
fn plain_masked(model: &Model, tokenizer: &Tokenizer, example: &Example, encoded: &Encoded, masks: &Masks) -> Response {
    let at_masks = |count: usize| {
        let input = [&encoded.prompt[..], &vec![masks.token; count], &masks.after].concat();
        let rows = support::logits(model, &input);
        rows[encoded.prompt.len()..][..count].to_vec()
    };
    let logprob = |(row, &token): (&Vec<f32>, &u32)| {
        f64::from(row[token as usize]) - row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln()
    };
    let of = |tokens: &Vec<u32>| at_masks(tokens.len()).iter().zip(tokens).map(logprob).sum::<f64>();
    let sums: Vec<f64> = encoded.continuations.iter().map(of).collect();
    let answer = &encoded.continuations[encoded.answer.start];
    let (mut generated, mut choice_logprobs) = (None, None);
    let correct = match &example.target {
        Target::Rolling { .. } | Target::Episode { .. } => panic!("neither is among these examples"),
        Target::LogLikelihood { .. } => {
            at_masks(answer.len()).iter().zip(answer).all(|(row, &token)| argmax(row) == token)
        }
        Target::Choose(choice) => {
            let best = (0..sums.len()).fold(0, |best, i| if sums[i] > sums[best] { i } else { best });
            choice_logprobs = Some(sums.clone());
            best == choice.correct
        }
        Target::Generate(target) => {
            let ids: Vec<u32> = at_masks(target.max_new_tokens).iter().map(|row| argmax(row)).collect();
            let text = tokenizer.decode(&ids).unwrap();
            generated = Some(ids);
            target.is_correct(&text).unwrap()
        }
    };
    let (answer_logprob, answer_tokens) = (sums[encoded.answer.start], answer.len());
    let answer_rank = rank(&at_masks(answer.len())[0], answer[0]);
    let outcome = laser_example::Outcome { correct, answer_logprob, answer_tokens };
    Response { outcome, generated, choice_logprobs, choice_greedy: None, answer_rank }
}

/// The definition: every token of every sequence through every layer of the edited model, one sequence at a time.
fn plain(model: &Model, tokenizer: &Tokenizer, example: &Example) -> Response {
    let encoded = encode(tokenizer, example, model.config()).unwrap();
    if let Some(masks) = &encoded.masks {
        return plain_masked(model, tokenizer, example, &encoded, masks);
    }
    let prompt = encoded.prompt;
    let logits = |tokens: &[u32]| support::logits(model, tokens);
    let score = |text: &str| {
        let answer = tokenizer.encode_continuation(&example.prompt, &example.continuation(text)).unwrap();
        let rows = logits(&[&prompt[..], &answer[..]].concat());
        let rows = &rows[prompt.len() - 1..];
        let logprob = |(row, &token): (&Vec<f32>, &u32)| {
            f64::from(row[token as usize]) - row.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln()
        };
        let sum: f64 = rows.iter().zip(&answer).map(logprob).sum();
        let greedy = rows.iter().zip(&answer).all(|(row, &token)| argmax(row) == token);
        (sum, answer.len(), greedy, rank(&rows[0], answer[0]))
    };
    let (answer_logprob, answer_tokens, greedy, answer_rank) = score(example.answer());
    let (mut generated, mut choice_logprobs) = (None, None);
    let correct = match &example.target {
        Target::Rolling { .. } | Target::Episode { .. } => panic!("neither is among these examples"),
        Target::LogLikelihood { .. } => greedy,
        Target::Choose(choice) => {
            let scores: Vec<f64> = choice.choices.iter().map(|choice| score(choice).0).collect();
            let best = (0..scores.len()).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
            choice_logprobs = Some(scores);
            best == choice.correct
        }
        Target::Generate(target) => {
            let mut ids = Vec::new();
            while ids.len() < target.max_new_tokens {
                let next = argmax(logits(&[&prompt[..], &ids[..]].concat()).last().unwrap());
                ids.push(next);
                let ended = target.has_ended(&tokenizer.decode(&ids).unwrap());
                if ended || model.config().eos_token_ids.contains(&next) {
                    break;
                }
            }
            let text = tokenizer.decode(&ids).unwrap();
            generated = Some(ids);
            target.is_correct(&text).unwrap()
        }
    };
    let outcome = laser_example::Outcome { correct, answer_logprob, answer_tokens };
    Response { outcome, generated, choice_logprobs, choice_greedy: None, answer_rank }
}

#[test]
fn the_sweep_gives_what_a_plain_forward_of_the_edited_model_gives() {
    let (mut right, mut early, mut all) = (0, 0, 0);
    for name in families() {
        let (fixture, examples) = (open(&name), examples());
        let candidates = candidates(fixture.model.config());
        let found = evaluate(&fixture, &examples, &candidates, PLENTY, Detail::Full);
        for (candidate, found) in candidates.iter().zip(&found) {
            let edited = Editor::new(&fixture.checkpoint, &fixture.model).edit(candidate).unwrap();
            for (example, found) in examples.iter().zip(found) {
                let expected = plain(&edited, &fixture.tokenizer, example);
                let what = format!("{name}, {candidate}, example {}", example.id);
                assert_eq!(found.outcome.correct, expected.outcome.correct, "{what}");
                assert_eq!(found.generated, expected.generated, "{what}");
                assert_eq!(found.answer_rank, expected.answer_rank, "{what}");
                assert_eq!(found.outcome.answer_tokens, expected.outcome.answer_tokens, "{what}");
                let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-4, "{what}: {a} and {b}");
                close(found.outcome.answer_logprob, expected.outcome.answer_logprob);
                assert_eq!(found.choice_logprobs.is_some(), expected.choice_logprobs.is_some());
                let both = found.choice_logprobs.iter().flatten().zip(expected.choice_logprobs.iter().flatten());
                both.for_each(|(a, b)| close(*a, *b));
                right += usize::from(found.outcome.correct);
                early += usize::from(found.outcome.correct && found.generated.is_some());
            }
        }
        all += candidates.len() * examples.len();
    }
    assert!(right > 0 && right < all && early > 0, "the examples tell nothing ({right} of {all} right)");
}

#[test]
fn not_a_bit_depends_on_what_is_evaluated_together() {
    for name in ["llama", "gpt_neox", "gemma3_text", "mixtral", "roberta"] {
        not_a_bit_depends(name);
    }
}

fn not_a_bit_depends(name: &str) {
    let (fixture, examples) = (open(name), examples());
    let candidates = candidates(fixture.model.config());
    let together = evaluate(&fixture, &examples, &candidates, PLENTY, Detail::Outcome);

    // A budget that holds about two examples at a time, and one that holds none.
    for memory in [200_000, 1] {
        assert_eq!(together, evaluate(&fixture, &examples, &candidates, memory, Detail::Outcome), "{memory} bytes");
    }
    // In the other order, so that every candidate finds other streams and other generations kept.
    let reversed: Vec<Candidate> = candidates.iter().rev().cloned().collect();
    let mut backwards = evaluate(&fixture, &examples, &reversed, PLENTY, Detail::Outcome);
    backwards.reverse();
    assert_eq!(together, backwards);
    // Alone: one example, one candidate, nothing kept from before.
    for (i, example) in examples.iter().enumerate().step_by(5) {
        for (candidate, together) in candidates.iter().zip(&together) {
            let alone = evaluate(
                &fixture,
                std::slice::from_ref(example),
                std::slice::from_ref(candidate),
                PLENTY,
                Detail::Outcome,
            );
            assert_eq!(alone[0][0], together[i], "{candidate}, example {i}");
        }
    }
    // With the weights left on disk.
    let on_disk = open_at(&folder(name), 0);
    assert_eq!(together, evaluate(&on_disk, &examples, &candidates, PLENTY, Detail::Outcome), "{name} on disk");
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let found = pool.install(|| evaluate(&fixture, &examples, &candidates, PLENTY, Detail::Outcome));
        assert_eq!(together, found, "{threads} threads");
    }
}

#[test]
fn stopping_early_changes_no_outcome() {
    let (fixture, examples) = (open("qwen2"), examples());
    let candidates = candidates(fixture.model.config());
    let full = evaluate(&fixture, &examples, &candidates, PLENTY, Detail::Full);
    let short = evaluate(&fixture, &examples, &candidates, PLENTY, Detail::Outcome);
    for (full, short) in full.iter().flatten().zip(short.iter().flatten()) {
        assert_eq!(full.outcome, short.outcome);
        if let (Some(full), Some(short)) = (&full.generated, &short.generated) {
            assert_eq!(full[..short.len()], short[..]);
        }
    }
}
