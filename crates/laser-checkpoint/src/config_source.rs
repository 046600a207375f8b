//! Values of a configuration by the keys of an architecture's table, from config.json or a GGUF
//! file.

use std::path::Path;

use serde_json::Value;

use crate::{
    architecture_table::{DefaultValue, Derived, Key},
    error::{CheckpointError, Result},
    gguf::Gguf,
};

/// Where hyper-parameters come from.
pub(crate) enum Source<'a> {
    Json(&'a Value),
    /// The file, and its `general.architecture`.
    Gguf(&'a Gguf, &'a str),
}

pub(crate) struct Reader<'a> {
    pub path: &'a Path,
    pub source: Source<'a>,
}

impl Reader<'_> {
    /// The first of the keys that has a value, else the first that is null.
    pub(crate) fn find(&self, key: &Key) -> Option<(String, Value)> {
        let found: Vec<(String, Value)> = match &self.source {
            Source::Json(json) => {
                let value = |name: &String| name.split('.').try_fold(*json, |value, step| value.get(step));
                key.json.iter().filter_map(|name| Some((name.clone(), value(name)?.clone()))).collect()
            }
            Source::Gguf(gguf, arch) => {
                let names = key.gguf.iter().map(|name| name.replace("{arch}", arch));
                names.filter_map(|name| Some((name.clone(), gguf.number_or_list(&name)?))).collect()
            }
        };
        found.iter().find(|(_, value)| !value.is_null()).or(found.first()).cloned()
    }

    /// The value, or the table's default.
    pub(crate) fn value(&self, key: &Key, known: &[(Derived, usize)]) -> Option<Value> {
        let found = self.find(key).map(|(_, value)| value);
        let default = match (&found, &self.source) {
            (None, Source::Json(_)) => key.absent.as_ref().or(key.default.as_ref()),
            _ => key.default.as_ref(),
        };
        found.filter(|value| !value.is_null()).or_else(|| match default? {
            DefaultValue::Bool(value) => Some((*value).into()),
            DefaultValue::Integer(value) => Some((*value).into()),
            DefaultValue::Float(value) => Some((*value).into()),
            DefaultValue::Text(value) => Some(value.as_str().into()),
            DefaultValue::Derived(other) => known.iter().find(|(name, _)| name == other).map(|&(_, size)| size.into()),
        })
    }

    /// `known` are the values that the table's default may name.
    pub(crate) fn optional_size(&self, key: &Key, known: &[(Derived, usize)]) -> Result<Option<usize>> {
        let Some(value) = self.value(key, known) else { return Ok(None) };
        if value.is_array() {
            return Err(self.wrong(key, &format!("it differs by layer, {}, which is not computed", shortened(&value))));
        }
        let size = value.as_u64().and_then(|size| usize::try_from(size).ok());
        size.map(Some).ok_or_else(|| self.wrong(key, &format!("expected a whole number, found {}", shortened(&value))))
    }

    pub(crate) fn size(&self, key: &Key, known: &[(Derived, usize)]) -> Result<usize> {
        self.optional_size(key, known)?.ok_or_else(|| self.wrong(key, "it is missing"))
    }

    pub(crate) fn optional_float(&self, key: &Key) -> Result<Option<f64>> {
        let Some(value) = self.value(key, &[]) else { return Ok(None) };
        let number = value.as_f64();
        number.map(Some).ok_or_else(|| self.wrong(key, &format!("expected a number, found {}", shortened(&value))))
    }

    pub(crate) fn flag(&self, key: &Key) -> Result<Option<bool>> {
        let Some(value) = self.value(key, &[]) else { return Ok(None) };
        value
            .as_bool()
            .map(Some)
            .ok_or_else(|| self.wrong(key, &format!("expected true or false, found {}", shortened(&value))))
    }

    /// Token ids: of config.json's key, or of every GGUF key that is there.
    pub(crate) fn tokens(&self, key: &Key) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for name in if matches!(self.source, Source::Json(_)) { &key.json } else { &key.gguf } {
            let one = Key { json: vec![name.clone()], gguf: vec![name.clone()], ..Key::default() };
            let Some((_, value)) = self.find(&one).filter(|(_, value)| !value.is_null()) else { continue };
            let found = token_ids(&value);
            ids.extend(
                found.ok_or_else(|| self.wrong(&one, &format!("expected token ids, found {}", shortened(&value))))?,
            );
        }
        Ok(ids)
    }

    pub(crate) fn name(&self, key: &Key) -> String {
        match (&self.source, key.json.first(), key.gguf.first()) {
            (Source::Json(_), Some(name), _) => name.clone(),
            (Source::Gguf(_, arch), _, Some(name)) => name.replace("{arch}", arch),
            (_, json, gguf) => json.or(gguf).cloned().unwrap_or_default(),
        }
    }

    pub(crate) fn wrong(&self, key: &Key, why: &str) -> CheckpointError {
        CheckpointError::Config { path: self.path.to_owned(), key: self.name(key), why: why.to_owned() }
    }

    pub(crate) fn unsupported(&self, key: &str, found: &str, why: &str) -> CheckpointError {
        CheckpointError::Unsupported {
            path: self.path.to_owned(),
            key: key.to_owned(),
            found: found.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// A token id or a list of them. Negative ones stand for none in some configurations.
pub(crate) fn token_ids(value: &Value) -> Option<Vec<u32>> {
    let one = |value: &Value| {
        value.as_i64().and_then(|id| if id < 0 { Some(None) } else { u32::try_from(id).ok().map(Some) })
    };
    match value {
        Value::Array(list) => {
            list.iter().map(one).collect::<Option<Vec<_>>>().map(|ids| ids.into_iter().flatten().collect())
        }
        value => one(value).map(|id| id.into_iter().collect()),
    }
}

/// A value for a message, cut where it is long.
pub(crate) fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
