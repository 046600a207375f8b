//! Token ids and decoded texts against transformers and sentencepiece, for small tokenizers in the
//! files of older repositories (`tests/tokenizers/make.py` makes them).

#![allow(missing_docs)]

use std::path::{Path, PathBuf};

use laser_tokenizer::Tokenizer;
use serde_json::{Value, json};

const FOLDERS: [&str; 10] =
    ["gpt2", "gptj", "opt", "roberta", "qwen2", "bert", "bert_cased", "llama", "llama_legacy", "gemma"];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers").join(name)
}

fn json_file(path: &Path) -> Option<Value> {
    std::fs::read(path).ok().map(|bytes| serde_json::from_slice(&bytes).unwrap())
}

fn open(name: &str) -> Tokenizer {
    Tokenizer::open(&folder(name), None).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn the_beginning_of_a_long_text_has_the_ids_that_it_has_in_the_whole() {
    // Umlauts, so that cuts may fall within a character; and a token of hundreds of characters.
    let words = "The quick brown fox jumps over the lazy dög, and é is no e.\n".repeat(2_500);
    let spaces = format!("{}{}", " ".repeat(100_000), words);
    for name in FOLDERS {
        let tokenizer = open(name);
        for text in [&words, &spaces] {
            let whole = tokenizer.encode_text(text).unwrap();
            for limit in [0, 1, 1_000, 9_000] {
                let beginning = tokenizer.encode_beginning(text, limit).unwrap();
                assert_eq!(beginning, whole[..limit.min(whole.len())], "{name}, {limit}");
            }
        }
    }
}

#[test]
fn ids_and_texts_are_those_of_transformers() {
    for name in FOLDERS {
        let (tokenizer, golden) = (open(name), json_file(&folder(name).join("golden.json")).unwrap());
        for row in golden["rows"].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            assert_eq!(tokenizer.encode_prompt(text).unwrap(), ids(&row["ids"]), "{name}: {text:?}");
            assert_eq!(tokenizer.decode(&ids(&row["plain"])).unwrap(), row["decoded"], "{name}: {text:?}");
            let (before, after) = tokenizer.encode_masked(text).unwrap();
            assert_eq!([before, after].concat(), ids(&row["ids"]), "{name}: {text:?}");
        }
        assert_eq!(json!(tokenizer.mask_token()), golden["mask"], "{name}");
    }
}

#[test]
fn ids_are_those_of_sentencepiece() {
    for name in ["unigram", "unigram_bytes", "bpe_rules"] {
        let (tokenizer, golden) = (open(name), json_file(&folder(name).join("sentencepiece.json")).unwrap());
        for row in golden["rows"].as_array().unwrap() {
            let text = row["text"].as_str().unwrap();
            assert_eq!(tokenizer.encode_prompt(text).unwrap(), ids(&row["plain"]), "{name}: {text:?}");
        }
    }
}

#[test]
fn a_masked_prompt_is_split_before_what_ends_every_text() {
    let bert = open("bert");
    let (cls, sep) = (bert.encode_masked("").unwrap().0, bert.encode_masked("").unwrap().1);
    assert_eq!((cls.as_slice(), sep.as_slice()), (&[2][..], &[3][..]));
    let (before, after) = bert.encode_masked("hello").unwrap();
    assert!(before.starts_with(&[2]) && before.len() > 1);
    assert_eq!((after, bert.mask_token()), (vec![3], Some(4)));
    let (_, after) = open("roberta").encode_masked("hello").unwrap();
    assert_eq!((after, open("roberta").mask_token()), (vec![2], Some(4)));
    let (before, after) = open("llama").encode_masked("hello").unwrap();
    assert_eq!((before[0], after, open("llama").mask_token()), (1, vec![], None));
}

#[test]
fn a_chat_is_rendered_as_transformers_does() {
    for name in ["gpt2", "llama"] {
        let (tokenizer, golden) = (open(name), json_file(&folder(name).join("golden.json")).unwrap());
        let said = "  What is <this>? ";
        assert_eq!(tokenizer.chat(said).unwrap(), golden["chat"]["text"]);
        let chat = tokenizer.in_chat().unwrap();
        // The template brings the only special tokens.
        assert_eq!(chat.encode_prompt(said).unwrap(), ids(&golden["chat"]["ids"]), "{name}");
        let answer = chat.encode_continuation(said, " hello").unwrap();
        assert_eq!(chat.decode(&answer).unwrap(), "hello", "{name}");
    }
    let missing = open("bert").in_chat().unwrap_err().to_string();
    assert!(missing.contains("no chat template") && !missing.contains('\n'), "{missing}");
}

#[test]
fn damaged_files_are_refused_or_read_but_never_panic() {
    let scratch = tempfile::tempdir().unwrap();
    for (name, file) in [
        ("unigram", "tokenizer.model"),
        ("llama", "tokenizer.model"),
        ("gpt2", "merges.txt"),
        ("gpt2", "vocab.json"),
        ("bert", "vocab.txt"),
    ] {
        for entry in std::fs::read_dir(folder(name)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, scratch.path().join(path.file_name().unwrap())).unwrap();
        }
        let whole = std::fs::read(folder(name).join(file)).unwrap();
        let try_it = |bytes: &[u8]| {
            std::fs::write(scratch.path().join(file), bytes).unwrap();
            match Tokenizer::open(scratch.path(), None) {
                Ok(tokenizer) => {
                    let _ = tokenizer.encode_prompt("naïve ﬁ ½\tcafé 東京 <s> 🙂");
                }
                Err(error) => assert!(!error.to_string().contains('\n'), "{error}"),
            }
        };
        for at in (0..whole.len()).step_by(37) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x15 << (at % 4);
            try_it(&damaged);
            try_it(&whole[..at]);
        }
        for entry in std::fs::read_dir(scratch.path()).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}
