//! Text to token ids and back, as the checkpoint's own files say.

use crate::{Error, Result};
use laser_checkpoint::{GgufVocabulary, TokenizerSource};
use serde_json::{Value, json};

/// The checkpoint's tokenizer.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What a Hugging Face folder needs to have the same tokenizer, where the source is not one itself.
    files: Vec<(String, Vec<u8>)>,
}

impl Tokenizer {
    /// Reads `tokenizer.json`, or builds the same from a GGUF vocabulary.
    pub fn open(source: &TokenizerSource) -> Result<Self> {
        match source {
            TokenizerSource::Json { path, .. } => {
                let bytes = std::fs::read(path).map_err(|error| malformed(format!("{}: {error}", path.display())))?;
                Ok(Self { inner: parse(&bytes)?, files: Vec::new() })
            }
            TokenizerSource::Gguf(vocabulary) => {
                let json = json_of(vocabulary)?.to_string().into_bytes();
                let inner = parse(&json)?;
                let settings = format!("{:#}\n", settings_of(vocabulary)).into_bytes();
                let files = vec![("tokenizer.json".into(), json), ("tokenizer_config.json".into(), settings)];
                Ok(Self { inner, files })
            }
            TokenizerSource::Missing => Err(Error::Tokenizer {
                why: "the checkpoint has no tokenizer.json".into(),
                advice: "put the model's tokenizer.json beside config.json",
            }),
        }
    }

    /// The ids of a prompt, with the special tokens that the tokenizer's configuration adds.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        self.encode(text, true)
    }

    /// The ids of `text` where it follows `prompt`, without special tokens: what the two together have beyond the prompt
    /// alone, so that a tokenizer that starts every text with a blank does not put one in between. Where the two together
    /// split otherwise than the prompt does, `text` is encoded on its own.
    pub fn encode_continuation(&self, prompt: &str, text: &str) -> Result<Vec<u32>> {
        let (before, whole) = (self.encode(prompt, false)?, self.encode(&format!("{prompt}{text}"), false)?);
        match whole.strip_prefix(&before[..]) {
            Some(rest) if !rest.is_empty() => Ok(rest.to_vec()),
            _ => self.encode(text, false),
        }
    }

    /// The text of `ids`, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|error| malformed(error.to_string()))
    }

    /// Files (name and content) that give a Hugging Face folder this tokenizer; empty when the source has them itself.
    pub fn huggingface_files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        match self.inner.encode(text, add_special_tokens) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(malformed(format!("{text:?} cannot be encoded: {error}"))),
        }
    }
}

fn malformed(why: String) -> Error {
    Error::Tokenizer { why, advice: "get the model's tokenizer files again" }
}

fn parse(json: &[u8]) -> Result<tokenizers::Tokenizer> {
    let mut inner =
        tokenizers::Tokenizer::from_bytes(json).map_err(|error| malformed(format!("tokenizer.json: {error}")))?;
    // A file may carry the padding and truncation that its model was trained with; a text is encoded whole here.
    inner.with_padding(None);
    inner.with_truncation(None).map_err(|error| malformed(error.to_string()))?;
    Ok(inner)
}

/// The llama.cpp token types that stand for added tokens.
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;

/// `tokenizer.json` of a byte-level BPE vocabulary in GGUF (`tokenizer.ggml.model` = `gpt2`).
fn json_of(vocabulary: &GgufVocabulary) -> Result<Value> {
    if vocabulary.model != "gpt2" {
        return Err(Error::Tokenizer {
            why: format!("the GGUF file's tokenizer model `{}` is not read yet", vocabulary.model),
            advice: "use a checkpoint with a byte-level BPE vocabulary (`gpt2`), or its Hugging Face folder",
        });
    }
    let (normalizer, pre_tokenizer) = pre_tokenizer(vocabulary.pre.as_deref().unwrap_or("default"))?;
    let mut merges = Vec::with_capacity(vocabulary.merges.len());
    for merge in &vocabulary.merges {
        let (left, right) =
            merge.split_once(' ').ok_or_else(|| malformed(format!("the GGUF merge {merge:?} is not two tokens")))?;
        merges.push(json!([left, right]));
    }
    let token = |id: u32| vocabulary.tokens.get(id as usize);
    let added: Vec<Value> = vocabulary
        .tokens
        .iter()
        .zip(&vocabulary.token_types)
        .enumerate()
        .filter(|(_, (_, kind))| [CONTROL, USER_DEFINED].contains(kind))
        .map(|(id, (content, &kind))| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": kind == CONTROL})
        })
        .collect();
    let bos = vocabulary.bos.filter(|_| adds_bos(vocabulary)).and_then(|id| Some((id, token(id)?)));
    let eos = vocabulary.eos.filter(|_| vocabulary.add_eos == Some(true)).and_then(|id| Some((id, token(id)?)));
    let post_processor = if bos.is_some() || eos.is_some() {
        let special = |(_, token): (u32, &String)| json!({"SpecialToken": {"id": token, "type_id": 0}});
        let template = |name: &str| -> Vec<Value> {
            let text = json!({"Sequence": {"id": name, "type_id": 0}});
            bos.map(special).into_iter().chain([text]).chain(eos.map(special)).collect()
        };
        let special_tokens: serde_json::Map<String, Value> = bos
            .into_iter()
            .chain(eos)
            .map(|(id, token)| (token.clone(), json!({"id": token, "ids": [id], "tokens": [token]})))
            .collect();
        let pair = [template("A"), template("B")].concat();
        json!({"type": "TemplateProcessing", "single": template("A"), "pair": pair,
               "special_tokens": special_tokens})
    } else {
        Value::Null
    };
    let vocab: serde_json::Map<String, Value> =
        vocabulary.tokens.iter().enumerate().map(|(id, token)| (token.clone(), json!(id))).collect();
    Ok(json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "post_processor": post_processor,
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": is_llama_3(vocabulary),
                  "vocab": vocab, "merges": merges},
    }))
}

/// Llama 3's tokenizer takes a word that is a token as it is, whatever its merges say.
fn is_llama_3(vocabulary: &GgufVocabulary) -> bool {
    matches!(vocabulary.pre.as_deref(), Some("llama-bpe" | "llama3" | "llama-v3"))
}

/// Whether a text starts with the BOS token. Where the file does not say, llama.cpp's rule: only Llama 3's vocabulary does.
fn adds_bos(vocabulary: &GgufVocabulary) -> bool {
    vocabulary.add_bos.unwrap_or(is_llama_3(vocabulary))
}

/// Normaliser and pre-tokenizer that `tokenizer.ggml.pre` stands for.
fn pre_tokenizer(name: &str) -> Result<(Value, Value)> {
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let split = |regex: &str| {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false}, byte_level(false)]})
    };
    // The regular expressions of the models' own tokenizer files; they differ in how long a run of digits may be.
    let words = |digits: &str| {
        format!(
            r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
        )
    };
    Ok(match name {
        "gpt-2" => (Value::Null, byte_level(true)),
        "smollm" | "starcoder" | "refact" | "command-r" => (
            Value::Null,
            json!({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, byte_level(true)]}),
        ),
        "llama-bpe" | "llama3" | "llama-v3" => (Value::Null, split(&words(r"\p{N}{1,3}"))),
        "qwen2" => (json!({"type": "NFC"}), split(&words(r"\p{N}"))),
        other => {
            return Err(Error::Tokenizer {
                why: format!(
                    "the GGUF file's pre-tokenizer `{other}` is not known (gpt-2, smollm, starcoder, refact, command-r, llama-bpe, qwen2 are)"
                ),
                advice: "use the model's Hugging Face folder, which has its tokenizer.json",
            });
        }
    })
}

/// `tokenizer_config.json` for transformers.
fn settings_of(vocabulary: &GgufVocabulary) -> Value {
    let mut settings = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": false,
        "add_bos_token": adds_bos(vocabulary),
        "add_eos_token": vocabulary.add_eos == Some(true),
    });
    let tokens = [
        ("bos_token", vocabulary.bos),
        ("eos_token", vocabulary.eos),
        ("unk_token", vocabulary.unk),
        ("pad_token", vocabulary.pad),
    ];
    for (key, id) in tokens {
        if let Some(token) = id.and_then(|id| vocabulary.tokens.get(id as usize)) {
            settings[key] = json!(token);
        }
    }
    if let Some(template) = &vocabulary.chat_template {
        settings["chat_template"] = json!(template);
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary(pre: &str) -> GgufVocabulary {
        let tokens = ["<s>", "a", "b", "Ġ", "ab", "Ġab", "1", "2", "</s>"];
        GgufVocabulary {
            model: "gpt2".into(),
            pre: Some(pre.into()),
            tokens: tokens.iter().map(|t| (*t).to_owned()).collect(),
            token_types: vec![3, 1, 1, 1, 1, 1, 1, 1, 3],
            merges: vec!["a b".into(), "Ġ ab".into()],
            bos: Some(0),
            eos: Some(8),
            add_bos: Some(false),
            ..GgufVocabulary::default()
        }
    }

    #[test]
    fn a_gguf_vocabulary_encodes_and_decodes() {
        for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2"] {
            let tokenizer = Tokenizer::open(&TokenizerSource::Gguf(vocabulary(pre))).unwrap();
            assert_eq!(tokenizer.encode_prompt("ab ab").unwrap(), [4, 5], "{pre}");
            assert_eq!(tokenizer.decode(&[4, 5, 8]).unwrap(), "ab ab", "{pre}");
            assert_eq!(tokenizer.huggingface_files().len(), 2);
        }
    }

    #[test]
    fn special_tokens_only_where_the_file_adds_them() {
        let mut with_bos = vocabulary("gpt-2");
        with_bos.add_bos = Some(true);
        let tokenizer = Tokenizer::open(&TokenizerSource::Gguf(with_bos)).unwrap();
        assert_eq!(tokenizer.encode_prompt("ab").unwrap(), [0, 4]);
        assert_eq!(tokenizer.encode_continuation("ab", " ab").unwrap(), [5]);
    }

    #[test]
    fn no_second_blank_comes_before_an_answer() {
        // Llama 2's kind: every text gets a blank in front.
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null,
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
            "pre_tokenizer": null, "decoder": null,
            "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "▁a": 2, "b": 3, "▁b": 4}, "merges": [["▁", "a"], ["▁", "b"]]},
        });
        let inner = parse(json.to_string().as_bytes()).unwrap();
        let tokenizer = Tokenizer { inner, files: Vec::new() };
        assert_eq!(tokenizer.encode_prompt("b a").unwrap(), [4, 2]);
        assert_eq!(tokenizer.encode_continuation("b", " a").unwrap(), [2]);
    }

    #[test]
    fn what_is_not_read_is_named() {
        let unknown = Tokenizer::open(&TokenizerSource::Gguf(vocabulary("mystery"))).unwrap_err().to_string();
        assert!(unknown.contains("`mystery`") && !unknown.contains('\n'), "{unknown}");
        let mut sentencepiece = vocabulary("gpt-2");
        sentencepiece.model = "llama".into();
        assert!(Tokenizer::open(&TokenizerSource::Gguf(sentencepiece)).is_err());
        let mut torn = vocabulary("gpt-2");
        torn.merges = vec!["ab".into()];
        assert!(Tokenizer::open(&TokenizerSource::Gguf(torn)).is_err());
    }
}
