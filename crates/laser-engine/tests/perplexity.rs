//! Perplexity by sliding windows is what the definition gives.

mod support;

use laser_engine::Corpus;
use laser_run::Windows;
use support::{Fixture, open};

const TEXT: &str = "The mother tongue of Berlin is German, and the capital of France is Paris. The writer of the book is \
                    French; her answer is true, and it is known to all who have read it.";

/// Minus the mean log-probability of `ids[1..]`, each after the tokens before it in its window.
fn plain(fixture: &Fixture, ids: &[u32], windows: Windows) -> f64 {
    let mut sum = 0.0;
    for place in 1..ids.len() {
        // The first window that holds the token.
        let number = (place + 1).saturating_sub(windows.window).div_ceil(windows.stride);
        let start = number * windows.stride;
        let rows = support::logits(&fixture.model, &ids[start..place]);
        let row = rows.last().unwrap();
        let total: f64 = row.iter().map(|&logit| f64::from(logit).exp()).sum();
        sum += f64::from(row[ids[place] as usize]) - total.ln();
    }
    -sum / (ids.len() - 1) as f64
}

#[test]
fn every_token_is_predicted_once_from_what_its_window_shows() {
    for name in ["llama", "gpt2"] {
        let fixture = open(name);
        let ids = fixture.tokenizer.encode_prompt(TEXT).unwrap();
        for (window, stride) in [(1_000, 500), (40, 20), (24, 7), (2, 1)] {
            let windows = Windows { window, stride };
            let limit = ids.len() - 3;
            let text = Corpus::new(TEXT, &fixture.tokenizer, fixture.model.config(), windows, limit);
            let Ok(text) = text else { panic!("{name}: the text was refused") };
            let found = text.perplexity(&fixture.model, &|| {}).unwrap();
            assert_eq!(found.tokens, limit - 1);
            let expected = plain(&fixture, &ids[..limit], windows);
            assert!(
                (found.perplexity.ln() - expected).abs() < 1e-5,
                "{name} {window}: {} {expected}",
                found.perplexity
            );
        }
    }
}

#[test]
fn texts_without_a_perplexity_are_refused() {
    let refused = |name: &str, text: &str| {
        let fixture = open(name);
        let windows = laser_engine::windows_for(fixture.model.config());
        let text = Corpus::new(text, &fixture.tokenizer, fixture.model.config(), windows, 100);
        text.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused("llama", "").contains("fewer than two tokens"));
    assert!(refused("bert", TEXT).contains("masked"));
}
