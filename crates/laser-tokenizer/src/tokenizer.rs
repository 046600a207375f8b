//! A model's tokenizer: every kind of vocabulary, run by the tokenizers crate.

use std::{borrow::Cow, path::Path};

use serde_json::{Map, Value};

use crate::{
    beside_json::{self, Opened},
    byte_level,
    chat::{self, ChatTemplate},
    definition::{Definition, parse},
    error::{Result, TokenizerError, malformed},
    gguf_definition,
    gguf_export::Export,
    gguf_vocabulary::GgufVocabulary,
    prompt::{Message, Prompt, Role},
    sentence_piece,
    settings::Settings,
    small_files::read,
    tokenizer_source::{TokenizerSettings, TokenizerSource, VocabularyFile},
    word_piece,
};

/// Texts of at most so many bytes are encoded whole.
const SHORT_TEXT: usize = 1 << 16;
/// So many ids before a cut may be others than in the whole text.
const NEAR_A_CUT: usize = 64;

/// A model's tokenizer. Cloning it clones the vocabulary.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// What a Hugging Face folder needs to have the same tokenizer, where the source is not one
    /// itself.
    files: Vec<(String, Vec<u8>)>,
    mask: Option<u32>,
    /// BOS, else EOS: what an empty context is to lm-evaluation-harness.
    pub(crate) prefix: Option<u32>,
    /// `bos_token` and the like, by name.
    named: Vec<(String, String)>,
    /// How many special tokens stand after a text.
    trailing: usize,
    template: Option<ChatTemplate>,
    /// Whether a prompt is what a user says, rendered by the template.
    pub(crate) in_chat: bool,
    notes: Vec<String>,
}

impl Tokenizer {
    /// Opens the tokenizer of the model at `path`. `metadata` has a GGUF file's entries of
    /// [`GGUF_KEYS`](crate::GGUF_KEYS), each number, text and array as JSON has it; it is `None` for a folder in
    /// Hugging Face layout, whose files are read.
    ///
    /// # Errors
    /// There is no tokenizer, it contradicts itself, or it is of a kind that is not read.
    pub fn open(path: &Path, metadata: Option<&Map<String, Value>>) -> Result<Self> {
        let source = TokenizerSource::find(path, metadata)?;
        // Of files that contradict themselves, the library asserts in places what it should check.
        laser_guard::caught(|| Self::from_source(&source))
            .unwrap_or_else(|| Err(malformed("its parts contradict each other".to_owned())))
    }

    pub(crate) fn from_source(source: &TokenizerSource) -> Result<Self> {
        match source {
            TokenizerSource::Folder { vocabulary, settings } => Self::open_folder(vocabulary, settings),
            TokenizerSource::Gguf(vocabulary) => Self::open_gguf(vocabulary),
            TokenizerSource::MissingInGguf => Err(TokenizerError::Tokenizer {
                why: "the GGUF file has no vocabulary (tokenizer.ggml.model)".into(),
                advice: "convert the model again together with its tokenizer, or give its Hugging Face folder",
            }),
            TokenizerSource::Missing => Err(TokenizerError::Tokenizer {
                why: "the checkpoint has no tokenizer.json, tokenizer.model, vocab.json with merges.txt, or vocab.txt"
                    .into(),
                advice: "put the model's tokenizer.json beside config.json",
            }),
        }
    }

    fn open_folder(vocabulary: &VocabularyFile, files: &TokenizerSettings) -> Result<Self> {
        let settings = Settings::new(files, vocabulary);
        let definition = match vocabulary {
            VocabularyFile::Json(path) => {
                let Opened { tokenizer, named, notes } = beside_json::open(&read(path)?, files)?;
                return Ok(Self { notes, ..Self::with_named(tokenizer, named, files)? });
            }
            VocabularyFile::SentencePiece(path) => sentence_piece::open(path, &settings)?,
            VocabularyFile::ByteLevel { vocab, merges } => byte_level::open(vocab, merges, &settings)?,
            VocabularyFile::WordPiece(path) => word_piece::open(path, &settings)?,
        };
        let inner = build(definition)?;
        let named = settings.named_tokens(|token| inner.token_to_id(token));
        Self::with_named(inner, named, files)
    }

    /// The tokenizer of a folder whose special tokens have these names.
    fn with_named(
        inner: tokenizers::Tokenizer,
        named: Vec<(String, String)>,
        files: &TokenizerSettings,
    ) -> Result<Self> {
        let id = |name: &str| {
            let (_, token) = named.iter().find(|(known, _)| known == name)?;
            inner.token_to_id(token)
        };
        let (mask, prefix) = (id("mask_token"), id("bos_token").or_else(|| id("eos_token")));
        let template = ChatTemplate::of_settings(files, named.clone());
        Ok(Self { prefix, named, ..Self::new(inner, Vec::new(), mask, template)? })
    }

    fn open_gguf(vocabulary: &GgufVocabulary) -> Result<Self> {
        let json = gguf_definition::open(vocabulary)?.into_json();
        let settings = format!("{:#}\n", gguf_definition::settings(vocabulary)).into_bytes();
        let mask = vocabulary.mask.filter(|&id| (id as usize) < vocabulary.tokens.len());
        let template = vocabulary.chat_template.clone();
        let named = gguf_definition::named_tokens(vocabulary);
        let template = template.map(|source| ChatTemplate::new(source, named.clone()));
        let inner = parse(&json)?;
        let files = vec![("tokenizer.json".into(), json), ("tokenizer_config.json".into(), settings)];
        let prefix = vocabulary.bos.or(vocabulary.eos).filter(|&id| (id as usize) < vocabulary.tokens.len());
        Ok(Self { prefix, named, ..Self::new(inner, files, mask, template)? })
    }

    pub(crate) fn new(
        inner: tokenizers::Tokenizer,
        files: Vec<(String, Vec<u8>)>,
        mask: Option<u32>,
        template: Option<ChatTemplate>,
    ) -> Result<Self> {
        let is_mask = |content: &str| ["[MASK]", "<mask>"].contains(&content);
        let added = inner.get_added_tokens_decoder();
        let by_name = || added.iter().filter(|(_, token)| is_mask(&token.content)).map(|(&id, _)| id).min();
        let mask = mask.or_else(by_name);
        let (prefix, named, notes) = (None, Vec::new(), Vec::new());
        let mut tokenizer = Self { inner, files, mask, prefix, named, trailing: 0, template, in_chat: false, notes };
        tokenizer.trailing = tokenizer.count_trailing()?;
        Ok(tokenizer)
    }

    /// The special tokens after some text, which must itself give a token to tell them from those
    /// before it.
    fn count_trailing(&self) -> Result<usize> {
        for text in ["a", "A", "1", "."] {
            let encoding = self.encoding(text, true)?;
            let mask = encoding.get_special_tokens_mask();
            if mask.contains(&0) {
                return Ok(mask.iter().rev().take_while(|&&special| special == 1).count());
            }
        }
        Ok(0)
    }

    /// The ids of a prompt, with the special tokens that the tokenizer's configuration adds. In
    /// chat they are those of the template.
    ///
    /// # Errors
    /// The text cannot be encoded, or in chat the template cannot be rendered.
    pub fn encode_prompt<'p>(&self, text: impl Into<Prompt<'p>>) -> Result<Vec<u32>> {
        self.encode(&self.rendered(text)?, !self.in_chat)
    }

    /// The ids of a text that is not a prompt, with the special tokens that the tokenizer's
    /// configuration adds; also in chat.
    ///
    /// # Errors
    /// The text cannot be encoded.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>> {
        self.encode(text, true)
    }

    /// The first `limit` ids of a text. Of a long text no more is encoded than these need: ids near a cut may be others than in the
    /// whole text, so 64 more than these are made. They are those of [`Self::encode_text`] unless a text further on decides on them.
    ///
    /// # Errors
    /// The text cannot be encoded.
    pub fn encode_beginning(&self, text: &str, limit: usize) -> Result<Vec<u32>> {
        let mut bytes = limit.saturating_mul(8).max(SHORT_TEXT);
        loop {
            let mut end = bytes.min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            let mut ids = self.encode_text(&text[..end])?;
            if end == text.len() || ids.len() >= limit.saturating_add(NEAR_A_CUT) {
                ids.truncate(limit);
                return Ok(ids);
            }
            bytes = bytes.saturating_mul(4);
        }
    }

    /// The ids of `text` after `prompt`, without special tokens: what the two together have beyond
    /// the prompt alone. This way a tokenizer that starts every text with a space does not put one
    /// in between. If the ids of the two together do not start with the prompt's, `text` is encoded
    /// on its own.
    ///
    /// In chat `text` follows the template's generation prompt. It loses its leading whitespace if
    /// that ends in whitespace or in a special token.
    ///
    /// # Errors
    /// As [`encode_prompt`](Self::encode_prompt).
    pub fn encode_continuation<'p>(&self, prompt: impl Into<Prompt<'p>>, text: &str) -> Result<Vec<u32>> {
        let prompt = self.rendered(prompt)?;
        let text = if self.in_chat && self.is_closed(&prompt) { text.trim_start() } else { text };
        self.encode_after(&prompt, text)
    }

    /// The ids by which a conversation goes on: from the end of the model's last answer to where it
    /// answers next. `turns` are what the user said and the model answered before, and are there
    /// already. Out of a chat a line end comes between.
    ///
    /// # Errors
    /// The text cannot be encoded, or in chat the template cannot be rendered.
    pub fn encode_next_turn(&self, turns: &[(String, String)], next: &str) -> Result<Vec<u32>> {
        let Some((_, answer)) = turns.last() else { return self.encode_prompt(next) };
        match self.template.as_ref().filter(|_| self.in_chat) {
            Some(template) => self.encode_after(answer, &template.render_next(turns, next)?),
            None => self.encode_after(answer, &format!("\n{next}")),
        }
    }

    /// The ids of `text` after `before`, or on its own where the two together do not begin as
    /// `before` alone.
    fn encode_after(&self, before: &str, text: &str) -> Result<Vec<u32>> {
        let (before, whole) = (self.encode(before, false)?, self.encode(&format!("{before}{text}"), false)?);
        match whole.strip_prefix(&before[..]) {
            Some(rest) if !rest.is_empty() => Ok(rest.to_vec()),
            _ => self.encode(text, false),
        }
    }

    /// The ids of a prompt, split where text after it would go: special tokens that end every text,
    /// such as `[SEP]`, are the second half.
    ///
    /// # Errors
    /// As [`encode_prompt`](Self::encode_prompt).
    pub fn encode_masked<'p>(&self, prompt: impl Into<Prompt<'p>>) -> Result<(Vec<u32>, Vec<u32>)> {
        let mut before = self.encode_prompt(prompt)?;
        let trailing = if self.in_chat { 0 } else { self.trailing };
        let after = before.split_off(before.len().saturating_sub(trailing));
        Ok((before, after))
    }

    /// Whether this is a sentencepiece vocabulary (Llama 2, Gemma), in which a space is a letter.
    pub fn is_sentencepiece(&self) -> bool {
        self.inner.token_to_id("\u{2581}the").is_some()
    }

    /// A line for each contradiction between the tokenizer's files, and how it was decided.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The id of the token that stands for one that a masked model is to predict.
    pub fn mask_token(&self) -> Option<u32> {
        self.mask
    }

    /// The text of one token, special or not.
    pub fn token_text(&self, id: u32) -> Option<String> {
        laser_guard::caught(|| self.inner.decode(&[id], false).ok()).flatten().filter(|text| !text.is_empty())
    }

    /// The text of ids, special tokens left out.
    ///
    /// # Errors
    /// The vocabulary's decoder cannot join them.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        let text = laser_guard::caught(|| self.inner.decode(ids, true));
        text.unwrap_or_else(|| Err("its decoder cannot join tokens".into()))
            .map_err(|error| malformed(error.to_string()))
    }

    /// The chat template for some messages, up to where the model answers. A template that knows no
    /// system is rendered without its message. Dates are 26 July 2024.
    ///
    /// # Errors
    /// There is no template, or it cannot be rendered.
    pub fn chat<'p>(&self, prompt: impl Into<Prompt<'p>>) -> Result<String> {
        let (template, mut prompt) = (self.template.as_ref().ok_or_else(chat::missing)?, prompt.into());
        let is_system = |message: &Message| message.role == Role::System;
        match template.render(&prompt) {
            Err(_) if prompt.messages.iter().any(is_system) => {
                prompt.messages.retain(|message| !is_system(message));
                template.render(&prompt)
            }
            rendered => rendered,
        }
    }

    /// The same tokenizer for a chat: each prompt is then what a user says, rendered by the chat
    /// template, which brings its own special tokens.
    ///
    /// # Errors
    /// There is no template.
    pub fn in_chat(mut self) -> Result<Self> {
        self.in_chat = self.template.is_some();
        if self.in_chat { Ok(self) } else { Err(chat::missing()) }
    }

    /// The same tokenizer for texts that are no chat.
    pub fn outside_chat(mut self) -> Self {
        self.in_chat = false;
        self
    }

    /// Whether prompts are rendered by the chat template.
    pub fn is_in_chat(&self) -> bool {
        self.in_chat
    }

    /// Files (name and content) that give a Hugging Face folder this tokenizer; empty if the source
    /// has them itself.
    pub fn huggingface_files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// The metadata by which a GGUF file has this tokenizer, key by key, for a model whose embedding has
    /// `vocabulary` rows.
    ///
    /// # Errors
    /// It is of a kind that llama.cpp does not read.
    pub fn gguf_entries(&self, vocabulary: usize) -> Result<Vec<(String, Value)>> {
        let chat_template = self.template.as_ref().map(ChatTemplate::source);
        Export { inner: &self.inner, named: &self.named, chat_template, vocabulary }.entries()
    }

    /// A prompt as the model sees it: in chat, by the template.
    ///
    /// # Errors
    /// As [`chat`](Self::chat).
    pub fn rendered<'a>(&self, prompt: impl Into<Prompt<'a>>) -> Result<Cow<'a, str>> {
        let prompt = prompt.into();
        if self.in_chat { self.chat(prompt).map(Cow::Owned) } else { Ok(prompt.into_text()) }
    }

    fn is_closed(&self, rendered: &str) -> bool {
        let added = self.inner.get_added_tokens_decoder();
        let special = added.values().filter(|token| token.special).map(|token| token.content.as_str());
        ChatTemplate::is_closed(rendered, special)
    }

    pub(crate) fn encode(&self, text: &str, add_special_tokens: bool) -> Result<Vec<u32>> {
        Ok(self.encoding(text, add_special_tokens)?.get_ids().to_vec())
    }

    fn encoding(&self, text: &str, add_special_tokens: bool) -> Result<tokenizers::Encoding> {
        let encoding = laser_guard::caught(|| self.inner.encode(text, add_special_tokens));
        encoding.unwrap_or_else(|| Err("its steps contradict each other".into())).map_err(|error| {
            let start: String = text.chars().take(80).collect();
            malformed(format!("{start:?} cannot be encoded: {error}"))
        })
    }
}

fn build(definition: Definition) -> Result<tokenizers::Tokenizer> {
    let added = definition.added.clone();
    let inner = parse(&definition.into_json())?;
    match added.iter().find(|token| inner.token_to_id(&token.content) != Some(token.id)) {
        Some(token) => Err(malformed(format!("the added token {:?} cannot have the id {}", token.content, token.id))),
        None => Ok(inner),
    }
}
