//! The settings beside a vocabulary: tokenizer_config.json and the files around it.

use serde_json::Value;

use crate::{
    definition::{AddedToken, template},
    tokenizer_class::Class,
    tokenizer_source::{TokenizerSettings, VocabularyFile},
};

/// What the files say, each question answered as transformers answers it.
pub(crate) struct Settings<'a> {
    pub files: &'a TokenizerSettings,
    pub class: Class,
}

/// The names that the settings give special tokens.
pub(crate) const NAMES: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl<'a> Settings<'a> {
    /// Of a vocabulary that is no tokenizer.json.
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
pub(crate) fn content(token: &Value) -> Option<&str> {
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
