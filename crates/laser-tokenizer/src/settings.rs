//! The settings beside a vocabulary: tokenizer_config.json and the files around it.

use serde_json::Value;

use crate::{
    definition::{AddedToken, template},
    tokenizer_source::{TokenizerSettings, VocabularyFile},
};

/// What the files say, each question answered as transformers answers it.
pub(crate) struct Settings<'a> {
    files: &'a TokenizerSettings,
    pub class: Class,
}

/// The classes of transformers that differ in what they do with a vocabulary, each with its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Bert,
    Gemma,
    Gpt2,
    Llama,
    Qwen2,
    /// Byte-level like GPT-2's, but masked models, which read `<s> text </s>`.
    Roberta,
    Other,
}

/// The names that the settings give special tokens.
const NAMES: [&str; 7] = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

const END: &str = "<|endoftext|>";

impl Class {
    /// By `tokenizer_class`, else by the `model_type` of config.json, else by the kind of
    /// vocabulary.
    fn of(files: &TokenizerSettings, vocabulary: &VocabularyFile) -> Self {
        let name = files.config.as_ref().and_then(|config| config.get("tokenizer_class")?.as_str());
        let by_name = match name.unwrap_or("") {
            name if starts(name, &["Bert", "DistilBert", "Electra", "MobileBert"]) => Self::Bert,
            name if starts(name, &["Gemma"]) => Self::Gemma,
            name if starts(name, &["GPT2", "CodeGen"]) => Self::Gpt2,
            name if starts(name, &["Llama", "CodeLlama"]) => Self::Llama,
            name if starts(name, &["Qwen2"]) => Self::Qwen2,
            name if starts(name, &["Roberta", "Bart", "Longformer", "LED"]) => Self::Roberta,
            // The class that any tokenizer.json is given says nothing.
            "" | "PreTrainedTokenizerFast" | "TokenizersBackend" => match files.model_type.as_deref().unwrap_or("") {
                "bert" | "distilbert" | "electra" | "mobilebert" => Self::Bert,
                model if starts(model, &["gemma"]) => Self::Gemma,
                "gpt2" | "gptj" | "gpt_neo" | "codegen" | "phi" | "opt" => Self::Gpt2,
                "llama" | "mistral" | "mixtral" | "phi3" => Self::Llama,
                model if starts(model, &["qwen2", "qwen3"]) => Self::Qwen2,
                "roberta" | "roberta-prelayernorm" | "bart" | "longformer" | "led" => Self::Roberta,
                _ => Self::Other,
            },
            _ => Self::Other,
        };
        match (by_name, vocabulary) {
            (Self::Other, VocabularyFile::ByteLevel { .. }) => Self::Gpt2,
            (Self::Other, VocabularyFile::WordPiece(_)) => Self::Bert,
            _ => by_name,
        }
    }

    /// The special tokens that it has where no file names them.
    fn tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Gemma => &[
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::Gpt2 => &[("bos_token", END), ("eos_token", END), ("unk_token", END)],
            Self::Qwen2 => &[("eos_token", END), ("unk_token", END), ("pad_token", END)],
            Self::Roberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::Llama | Self::Other => &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
        }
    }
}

fn starts(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}

impl<'a> Settings<'a> {
    pub fn new(files: &'a TokenizerSettings, vocabulary: &VocabularyFile) -> Self {
        Self { files, class: Class::of(files, vocabulary) }
    }

    fn entry(&self, key: &str) -> Option<&Value> {
        self.files.config.as_ref()?.get(key)
    }

    pub fn flag(&self, key: &str) -> Option<bool> {
        self.entry(key)?.as_bool()
    }

    /// The special token of this name: a string, or an object with `content`. tokenizer_config.json
    /// goes before special_tokens_map.json, and that before what the class has.
    pub fn token(&self, name: &str) -> Option<&str> {
        let default = || self.class.tokens().iter().find(|(known, _)| *known == name).map(|(_, token)| *token);
        self.named(name).and_then(content).or_else(default)
    }

    fn named(&self, name: &str) -> Option<&Value> {
        let in_map = || self.files.special_tokens.as_ref()?.get(name);
        self.entry(name).filter(|token| content(token).is_some()).or_else(in_map)
    }

    /// The special tokens that have a name and are in the vocabulary, for chat templates.
    pub fn named_tokens(&self, id: impl Fn(&str) -> Option<u32>) -> Vec<(String, String)> {
        let named = NAMES.iter().filter_map(|&name| Some((name, self.token(name)?)));
        named
            .filter(|(_, token)| id(token).is_some())
            .map(|(name, token)| (name.to_owned(), token.to_owned()))
            .collect()
    }

    /// The added tokens: those of added_tokens.json and `added_tokens_decoder`, and the special
    /// tokens. `id` gives the id of a token of the vocabulary; a special token that no file gives
    /// an id gets the next free one, but one of the class that is nowhere is none.
    pub fn added_tokens(&self, id: impl Fn(&str) -> Option<u32>, next_id: u32) -> Vec<AddedToken> {
        let mut added: Vec<AddedToken> = Vec::new();
        for (key, token) in self.entry("added_tokens_decoder").and_then(Value::as_object).into_iter().flatten() {
            if let (Ok(id), Some(content)) = (key.parse(), content(token)) {
                added.push(flags(token, AddedToken { normalized: true, ..AddedToken::new(id, content, false) }));
            }
        }
        for (content, token) in self.files.added_tokens.as_ref().and_then(Value::as_object).into_iter().flatten() {
            let id = token.as_u64().and_then(|id| u32::try_from(id).ok());
            if let Some(id) = id.filter(|_| !content.is_empty() && added.iter().all(|known| known.content != *content))
            {
                added.push(AddedToken { normalized: true, ..AddedToken::new(id, content, false) });
            }
        }
        let mut next = added.iter().map(|token| token.id.saturating_add(1)).fold(next_id, u32::max);
        let further = ["additional_special_tokens", "extra_special_tokens"]
            .into_iter()
            .filter_map(|key| self.entry(key).or_else(|| self.files.special_tokens.as_ref()?.get(key))?.as_array())
            .flatten();
        let named = NAMES.iter().filter_map(|name| self.named(name));
        for token in named.chain(further) {
            let Some(content) = content(token) else { continue };
            if let Some(known) = added.iter_mut().find(|known| known.content == content) {
                (known.special, known.normalized) = (true, token.get("normalized").is_some_and(|flag| flag == true));
                continue;
            }
            let id = id(content).unwrap_or_else(|| {
                next = next.saturating_add(1);
                next - 1
            });
            added.push(flags(token, AddedToken::new(id, content, true)));
        }
        for (name, content) in self.class.tokens() {
            if let (None, Some(id)) = (self.named(name), id(content))
                && added.iter().all(|known| known.content != *content)
            {
                added.push(AddedToken::new(id, content, true));
            }
        }
        added
    }

    /// What stands around each text: `[CLS] ... [SEP]` (in RoBERTa's kind `<s> ... </s>`), in other
    /// classes BOS and EOS as `add_bos_token` and `add_eos_token` say, else as the class does.
    pub fn post_processor(&self, id: impl Fn(&str) -> Option<u32>) -> Value {
        let token = |name: &str, wanted: bool| {
            let token = self.token(name).filter(|_| wanted)?;
            Some((id(token)?, token))
        };
        if matches!(self.class, Class::Bert | Class::Roberta) {
            return template(token("cls_token", true), token("sep_token", true));
        }
        let adds_bos = matches!(self.class, Class::Gemma | Class::Llama);
        let wanted = |key: &str, default: bool| self.flag(key).unwrap_or(default);
        template(
            token("bos_token", wanted("add_bos_token", adds_bos)),
            token("eos_token", wanted("add_eos_token", false)),
        )
    }
}

/// A token's text, which is not empty.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str()).filter(|content| !content.is_empty())
}

/// `token` with what an object says of it.
fn flags(object: &Value, token: AddedToken) -> AddedToken {
    let flag = |key: &str, default: bool| object.get(key).and_then(Value::as_bool).unwrap_or(default);
    AddedToken {
        single_word: flag("single_word", token.single_word),
        lstrip: flag("lstrip", token.lstrip),
        rstrip: flag("rstrip", token.rstrip),
        normalized: flag("normalized", token.normalized),
        special: token.special || flag("special", false),
        ..token
    }
}
