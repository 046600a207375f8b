//! How a byte-level BPE splits a text into words, by the names that GGUF files give the rules.

use serde_json::{Value, json};

use crate::{
    definition::sequence,
    error::{Result, TokenizerError},
};

pub(crate) struct PreTokenizer {
    pub normalizer: Value,
    pub pre_tokenizer: Value,
}

/// GPT-2's words; what it leaves over (whitespace) is a piece of its own.
const GPT_2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";

/// GPT-4's words; families differ in how long a run of digits may be.
fn gpt_4(digits: &str) -> String {
    format!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
}

/// GPT-4o's words: those of GPT-4, split again where lower case turns into upper case.
fn gpt_4o(contraction: &str, digits: &str) -> String {
    let (upper, lower) = (r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]");
    format!(
        r"[^\r\n\p{{L}}\p{{N}}]?{upper}*{lower}+{contraction}|[^\r\n\p{{L}}\p{{N}}]?{upper}+{lower}*{contraction}|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
}

fn byte_level(use_regex: bool) -> Value {
    json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex})
}

/// Splits by one regular expression after the other, then bytes.
fn splits(patterns: &[&str]) -> Value {
    let split =
        |regex: &&str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    sequence("pretokenizers", patterns.iter().map(split).chain([byte_level(false)]).collect())
}

/// The rules that `tokenizer.ggml.pre` stands for, as the models' own tokenizer.json has them where
/// that is known, else as llama.cpp has them.
pub(crate) fn named(name: &str) -> Result<PreTokenizer> {
    let (nfc, plain) = (json!({"type": "NFC"}), Value::Null);
    let (normalizer, pre_tokenizer) = match name {
        "gpt-2" | "phi-2" | "jina-es" | "jina-de" | "jina-v2-es" | "jina-v2-de" | "jais" => (plain, byte_level(true)),
        "mpt" | "olmo" => (nfc, byte_level(true)),
        "smollm" | "starcoder" | "refact" | "command-r" | "codeshell" | "exaone" | "minerva-7b" => {
            let digits = json!({"type": "Digits", "individual_digits": true});
            (plain, sequence("pretokenizers", vec![digits, byte_level(true)]))
        }
        "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "dbrx" | "smaug-bpe" | "glm4" | "chatglm-bpe" => {
            (plain, splits(&[&gpt_4(r"\p{N}{1,3}")]))
        }
        "qwen2" | "deepseek-r1-qwen" => (nfc, splits(&[&gpt_4(r"\p{N}")])),
        "stablelm2" => (plain, splits(&[&gpt_4(r"\p{N}")])),
        "tekken" => (plain, splits(&[&gpt_4o("", r"\p{N}")])),
        "gpt-4o" | "llama4" => (plain, splits(&[&gpt_4o("(?i:'s|'t|'re|'ve|'m|'ll|'d)?", r"\p{N}{1,3}")])),
        "deepseek-coder" => {
            (plain, splits(&[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-\u{d7ff}]+", r"\p{N}"]))
        }
        "deepseek-v3" => {
            let words = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;
            (plain, splits(&[r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", words]))
        }
        "falcon" => (plain, splits(&[r"[\p{P}\$\+<=>\^~\|`]+", GPT_2, "[0-9][0-9][0-9]"])),
        "default" => (plain, splits(&[r"[\p{P}\$\+<=>\^~\|]+", GPT_2, r"\p{N}+", "[0-9][0-9][0-9]"])),
        other => {
            return Err(TokenizerError::Tokenizer {
                why: format!("the GGUF file's pre-tokenizer `{other}` is not known"),
                advice: "use the model's Hugging Face folder, which has its tokenizer.json",
            });
        }
    };
    Ok(PreTokenizer { normalizer, pre_tokenizer })
}

/// Llama 3's and Mistral's newer tokenizers take a word that is a token as it is, whatever their
/// merges say, and start each text with the BOS token where the file does not say otherwise.
pub(crate) fn takes_whole_words(name: &str) -> bool {
    matches!(name, "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "tekken")
}
