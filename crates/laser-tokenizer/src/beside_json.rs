//! A tokenizer.json, and what the files beside it add to it or change of it, as transformers 5
//! decides.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokenizers::{AddedToken, PostProcessorWrapper};

use crate::{
    definition::parse,
    error::{Result, malformed},
    sentence_piece,
    settings::{NAMES, Settings, content},
    tokenizer_class::Class,
    tokenizer_source::TokenizerSettings,
};

/// A tokenizer, and a line for each contradiction between its files.
pub(crate) struct Opened {
    pub tokenizer: tokenizers::Tokenizer,
    /// The special tokens that have a name.
    pub named: Vec<(String, String)>,
    pub notes: Vec<String>,
}

/// Opens the tokenizer.json with the content `text`.
///
/// # Errors
/// It is damaged, or a token cannot be added to it.
pub(crate) fn open(text: &[u8], files: &TokenizerSettings) -> Result<Opened> {
    let wrong = |error: String| malformed(format!("tokenizer.json: {error}"));
    let mut whole: Value = serde_json::from_slice(text).map_err(|error| wrong(error.to_string()))?;
    let byte_level = text.windows(BYTE_LEVEL.len()).any(|part| part == BYTE_LEVEL);
    let class = Class::of_json(files, byte_level);
    let own = whole["added_tokens"].as_array().cloned().unwrap_or_default();
    let beside = Beside::read(files, class, &own);
    let rebuilt = rebuild(&mut whole, class, &beside);
    let mut tokenizer = if rebuilt { parse(whole.to_string().as_bytes())? } else { parse(text)? };
    let mut notes = Vec::new();
    let known: Vec<String> = tokenizer.get_added_tokens_decoder().into_values().map(|token| token.content).collect();
    let tokens = beside.to_add(&known);
    tokenizer.add_tokens(tokens).map_err(|error| wrong(error.to_string()))?;
    for (id, token) in &beside.decoder {
        if let Some(found) = tokenizer.token_to_id(&token.content).filter(|found| found != id) {
            let content = &token.content;
            notes.push(format!(
                "the tokenizer's files give {content:?} the id {id}: it has {found}, as in transformers"
            ));
        }
    }
    let settings = Settings { files, class };
    match class {
        Class::Bert | Class::Roberta => {
            let around = settings.post_processor(|token| tokenizer.token_to_id(token));
            let around: Option<PostProcessorWrapper> =
                serde_json::from_value(around).map_err(|error| wrong(error.to_string()))?;
            tokenizer.with_post_processor(around);
        }
        // Its class puts nothing around a text, whatever tokenizer.json says.
        Class::GptNeoX => drop(tokenizer.with_post_processor(None::<PostProcessorWrapper>)),
        _ => {}
    }
    notes.extend(unread_flags(&tokenizer, files)?);
    let named = beside.named.into_iter().map(|(name, token)| (name, token.content)).collect();
    Ok(Opened { tokenizer, named, notes })
}

const BYTE_LEVEL: &[u8] = b"\"ByteLevel\"";

/// A class of its own takes the vocabulary alone, and adds tokens anew. Those of sentencepiece's
/// kind make the steps around the model anew as well; of the others the trained steps are kept.
/// Whether `whole` was changed.
fn rebuild(whole: &mut Value, class: Class, beside: &Beside) -> bool {
    if class == Class::AsWritten || !whole.is_object() {
        return false;
    }
    whole["added_tokens"] = json!([]);
    if !matches!(class, Class::Llama | Class::Gemma) || whole["model"]["type"] != "BPE" {
        return true;
    }
    let around = if class == Class::Llama {
        sentence_piece::llama_class(
            beside.flag("add_prefix_space").unwrap_or(true),
            beside.flag("legacy").unwrap_or(false),
        )
    } else {
        sentence_piece::gemma_class()
    };
    whole["normalizer"] = around.normalizer;
    whole["pre_tokenizer"] = around.pre_tokenizer;
    whole["decoder"] = around.decoder;
    let unknown = beside.named.iter().find(|(name, _)| name == "unk_token").map(|(_, token)| token.content.clone());
    whole["model"]["unk_token"] = json!(unknown.filter(|_| class == Class::Gemma));
    whole["model"]["fuse_unk"] = true.into();
    whole["model"]["byte_fallback"] = true.into();
    true
}

/// What the files beside a tokenizer.json say.
struct Beside {
    init: Map<String, Value>,
    /// Tokens with the ids that a file gives them, which are only their order.
    decoder: BTreeMap<u32, AddedToken>,
    /// The special tokens that have a name.
    named: Vec<(String, AddedToken)>,
    /// Further special tokens.
    extra: Vec<AddedToken>,
}

impl Beside {
    fn read(files: &TokenizerSettings, class: Class, own: &[Value]) -> Self {
        let object = |value: &Option<Value>| value.as_ref().and_then(Value::as_object).cloned().unwrap_or_default();
        let mut init = object(&files.config);
        let is_set = |value: Option<&Value>| value.is_some_and(|value| *value != json!([]) && !value.is_null());
        if !is_set(init.get(EXTRA))
            && let Some(list) = init.remove(ADDITIONAL)
        {
            init.insert(EXTRA.to_owned(), list);
        }
        let mut further: Vec<(String, Value)> = Vec::new();
        let take_named = |init: &mut Map<String, Value>, further: &mut Vec<(String, Value)>| {
            if let Some(Value::Object(found)) = init.get(EXTRA).cloned() {
                init.remove(EXTRA);
                further.extend(found);
            }
        };
        let own_names = |(name, token): (&String, &Value)| {
            name.ends_with("_token") && !NAMES.contains(&name.as_str()) && content(token).is_some()
        };
        further
            .extend(init.iter().filter(|entry| own_names(*entry)).map(|(name, token)| (name.clone(), token.clone())));
        take_named(&mut init, &mut further);
        let mut decoder = BTreeMap::new();
        if let Some(listed) = init.get("added_tokens_decoder").and_then(Value::as_object) {
            let listed = listed.iter().filter_map(|(id, token)| Some((id.parse().ok()?, added(token, false)?)));
            decoder.extend(listed);
        } else {
            for (name, value) in object(&files.special_tokens) {
                if name != EXTRA {
                    init.insert(name, value);
                } else if let (Value::Array(more), Some(Value::Array(list))) = (&value, init.get_mut(EXTRA)) {
                    list.extend(more.iter().cloned());
                } else {
                    init.insert(name, value);
                }
            }
            take_named(&mut init, &mut further);
            let special: Vec<&str> = NAMES.iter().filter_map(|name| content(init.get(*name)?)).collect();
            let listed = init.get(EXTRA).and_then(Value::as_array).into_iter().flatten().filter_map(content);
            let special: Vec<&str> = special.into_iter().chain(listed).collect();
            for (text, id) in object(&files.added_tokens) {
                if let Some(id) = id.as_u64().and_then(|id| u32::try_from(id).ok()) {
                    let is_special = special.contains(&text.as_str());
                    decoder.insert(id, AddedToken::from(text, is_special));
                }
            }
            let own = own.iter().filter_map(|token| Some((token.get("id")?, added(token, false)?)));
            decoder.extend(own.filter_map(|(id, token)| Some((u32::try_from(id.as_u64()?).ok()?, token))));
        }
        if !init.contains_key(EXTRA)
            && let Some(list) = init.remove(ADDITIONAL)
        {
            init.insert(EXTRA.to_owned(), list);
        }
        let default =
            |name: &str| class.tokens().iter().find(|(known, _)| *known == name).map(|(_, token)| json!(token));
        let known: BTreeMap<&str, &AddedToken> =
            decoder.values().map(|token: &AddedToken| (token.content.as_str(), token)).collect();
        let of_name = |name: &str| {
            let given = init.get(name).filter(|token| content(token).is_some()).cloned();
            let token = added(&given.or_else(|| default(name))?, true)?;
            Some((name.to_owned(), known.get(token.content.as_str()).map_or(token, |known| (*known).clone())))
        };
        let mut named: Vec<(String, AddedToken)> = NAMES.iter().filter_map(|name| of_name(name)).collect();
        named.extend(further.iter().filter_map(|(name, token)| Some((name.clone(), added(token, true)?))));
        let listed = init.get(EXTRA).and_then(Value::as_array);
        let extra = listed.into_iter().flatten().filter_map(|token| added(token, token.is_string())).collect();
        Self { init, decoder, named, extra }
    }

    fn flag(&self, key: &str) -> Option<bool> {
        self.init.get(key)?.as_bool()
    }

    /// The tokens to add, in this order, to a tokenizer that has the tokens `known` already.
    fn to_add(&self, known: &[String]) -> Vec<AddedToken> {
        let mut tokens: Vec<AddedToken> = self.decoder.values().cloned().collect();
        for token in self.named.iter().map(|(_, token)| token).chain(&self.extra) {
            if !known.contains(&token.content) && tokens.iter().all(|other| other.content != token.content) {
                tokens.push(token.clone());
            }
        }
        for token in &mut tokens {
            token.special |= self.named.iter().any(|(_, named)| named.content == token.content);
        }
        tokens
    }
}

const EXTRA: &str = "extra_special_tokens";
const ADDITIONAL: &str = "additional_special_tokens";

/// A token from a text or an object; `special` where the object does not say.
fn added(token: &Value, special: bool) -> Option<AddedToken> {
    let flag = |name: &str, default: bool| token.get(name).and_then(Value::as_bool).unwrap_or(default);
    let special = flag("special", special);
    Some(AddedToken {
        content: content(token)?.to_owned(),
        single_word: flag("single_word", false),
        lstrip: flag("lstrip", false),
        rstrip: flag("rstrip", false),
        normalized: flag("normalized", !special),
        special,
    })
}

/// transformers 4 heeded `add_bos_token` and `add_eos_token` in the Llama and Gemma classes;
/// transformers 5 reads neither beside a tokenizer.json.
fn unread_flags(tokenizer: &tokenizers::Tokenizer, files: &TokenizerSettings) -> Result<Vec<String>> {
    let heeded = ["LlamaTokenizer", "CodeLlamaTokenizer", "GemmaTokenizer"];
    let Some(class) = Class::declared(files).filter(|class| heeded.contains(class)) else { return Ok(Vec::new()) };
    let encoding = tokenizer.encode("a", true).map_err(|error| malformed(error.to_string()))?;
    let special = encoding.get_special_tokens_mask();
    let found = [("add_bos_token", special.first()), ("add_eos_token", special.last())];
    let unread = found.into_iter().filter_map(|(key, found)| {
        let asked = files.config.as_ref()?.get(key)?.as_bool()?;
        (asked != (found == Some(&1))).then(|| {
            format!("{key} is {asked} ({class}): transformers 5 goes by the post-processor of tokenizer.json, which says otherwise")
        })
    });
    Ok(unread.collect())
}
