//! What edits do to a text is what the definition gives, whatever is measured together.

mod support;

use laser_engine::{CostMeter, Editor, ReferenceText, TextCost};
use laser_model::Model;
use laser_run::SplitName;
use support::{Fixture, candidate, logits, open};

const TEXT: &str = "The mother tongue of Berlin is German, and the capital of France is Paris. The writer of the book is \
                    French; her answer is true, and it is known to all who have read it. ";
const PROMPTS: [&str; 5] = ["What is it?", "Who wrote the book?", "Tell me.", "The capital of France is", "Berlin"];
const EDITS: [&str; 6] =
    ["", "0.fc_in:0.1", "0.q_proj:0.5", "1.fc_out:0.2 2.v_proj:0.3", "2.fc_out:0.01", "2.out_proj:zero"];

fn text(fixture: &Fixture) -> ReferenceText {
    let (text, config) = (TEXT.repeat(20), fixture.model.config());
    ReferenceText::new(&text, &PROMPTS, &fixture.tokenizer, config, 100_000).unwrap()
}

fn log_softmax(row: &[f32]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = row.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    row.iter().map(|&logit| f64::from(logit - largest) - total.ln()).collect()
}

fn kl(before: &[f32], after: &[f32]) -> f64 {
    let (p, q) = (log_softmax(before), log_softmax(after));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// The same by whole sequences, token by token: of each passage of 64 tokens the number of tokens, nats and divergence.
fn plain(fixture: &Fixture, edited: &Model, text: &ReferenceText, split: SplitName) -> (Vec<(usize, f64, f64)>, f64) {
    let half = text.half(split);
    let window = |tokens: &Vec<u32>| {
        let (before, after) = (logits(&fixture.model, tokens), logits(edited, tokens));
        let places: Vec<usize> = (half.special..tokens.len() - 1).collect();
        let passage = |places: &[usize]| {
            places.iter().fold((0, 0.0, 0.0), |(count, nats, sum), &place| {
                let next = tokens[place + 1] as usize;
                (count + 1, nats - log_softmax(&after[place])[next], sum + kl(&before[place], &after[place]))
            })
        };
        places.chunks(64).map(passage).collect::<Vec<_>>()
    };
    let prompt =
        |tokens: &Vec<u32>| kl(logits(&fixture.model, tokens).last().unwrap(), logits(edited, tokens).last().unwrap());
    let prompts: f64 = half.prompts.iter().map(prompt).sum();
    (half.windows.iter().flat_map(window).collect(), prompts / half.prompts.len() as f64)
}

#[test]
fn costs_are_the_definition() {
    for name in ["llama", "gpt2", "gemma2"] {
        let fixture = open(name);
        let text = text(&fixture);
        let mut editor = Editor::new(&fixture.checkpoint, &fixture.model);
        for split in [SplitName::Validation, SplitName::Test] {
            let mut meter = CostMeter::new(&fixture.model, text.half(split), 1 << 28);
            for edit in EDITS {
                let edited = editor.edit(&candidate(edit, fixture.model.config())).unwrap();
                let found = meter.measure(std::slice::from_ref(&edited)).unwrap().remove(0);
                let (passages, first_token_kl) = plain(&fixture, &edited, &text, split);
                assert_eq!(found.passages.len(), passages.len());
                for (found, (tokens, nats, kl)) in found.passages.iter().zip(passages) {
                    assert_eq!(found.tokens, tokens);
                    assert!((found.nats - nats).abs() < 1e-4 * nats, "{name} {edit}: {} {nats}", found.nats);
                    assert!((found.kl - kl).abs() < 1e-4 * kl + 1e-4, "{name} {edit}: {} {kl}", found.kl);
                }
                let close = (found.first_token_kl - first_token_kl).abs() < 1e-4 * first_token_kl + 1e-6;
                assert!(close, "{name} {edit}: {} {first_token_kl}", found.first_token_kl);
                assert_eq!(edit.is_empty(), found.passages.iter().all(|passage| passage.kl == 0.0));
            }
        }
    }
}

#[test]
fn what_is_measured_together_and_in_what_order_changes_no_bit() {
    let fixture = open("llama");
    let text = text(&fixture);
    let mut editor = Editor::new(&fixture.checkpoint, &fixture.model);
    let edits: Vec<_> = EDITS.iter().map(|edit| candidate(edit, fixture.model.config())).collect();
    let models: Vec<Model> = edits.iter().map(|edit| editor.edit(edit).unwrap()).collect();
    let meter = |memory| CostMeter::new(&fixture.model, text.half(SplitName::Test), memory);
    let together = meter(1 << 28).measure(&models).unwrap();
    // A budget for nothing: every window by itself, and no logits kept.
    for memory in [0, 1 << 19, 1 << 22] {
        let mut small = meter(memory);
        assert!(memory > 0 || small.together(1) == 1);
        assert_eq!(small.measure(&models).unwrap(), together, "{memory}");
    }
    let mut one = meter(1 << 28);
    let alone: Vec<TextCost> =
        models.iter().rev().map(|model| one.measure(std::slice::from_ref(model)).unwrap().remove(0)).collect();
    assert!(together.iter().eq(alone.iter().rev()));
}

#[test]
fn a_text_needs_two_windows() {
    let fixture = open("llama");
    let short = |text: &str, limit: usize| {
        ReferenceText::new(text, &PROMPTS, &fixture.tokenizer, fixture.model.config(), limit)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    };
    let message = "the reference text has 100 tokens, and two windows of 128 are needed, of which one chooses and one \
                   reports: give a longer text, or a larger --text-tokens";
    assert_eq!(short(&TEXT.repeat(20), 100), message);
    assert!(short("", 1000).starts_with("the reference text has 0 tokens"));
    assert_eq!(short(&TEXT.repeat(20), 300), "");
    let bert = open("bert");
    let masked = ReferenceText::new(TEXT, &PROMPTS, &bert.tokenizer, bert.model.config(), 100);
    assert!(masked.err().unwrap().to_string().contains("masked"));
}
