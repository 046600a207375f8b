//! Texts cut into parts.

use crate::{
    arithmetic, characters,
    error::{Error, Result},
    value::Value,
};

/// `partition` or `rpartition`.
pub(crate) fn partition(text: &str, name: &str, separator: &str) -> Result<Value> {
    if separator.is_empty() {
        return Err(Error::value("empty separator"));
    }
    let found = if name == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if name == "partition" => [text, "", ""],
        None => ["", "", text],
    };
    Ok(Value::tuple(parts.map(Value::from).to_vec()))
}

/// `split` or, from the end, `rsplit`.
pub(crate) fn split(text: &str, separator: Option<Value>, most: Option<Value>, from_end: bool) -> Result<Vec<String>> {
    let most = most.map_or(Ok(-1), |most| arithmetic::index(&most, "maxsplit"))?;
    let pieces = usize::try_from(most).unwrap_or(usize::MAX).saturating_add(1);
    let separator = match separator {
        None | Some(Value::None) => {
            return Ok(if from_end { words_from_end(text, pieces) } else { words(text, pieces) });
        }
        Some(separator) => separator.to_text("split")?,
    };
    if separator.is_empty() {
        return Err(Error::value("empty separator"));
    }
    Ok(match from_end {
        true => {
            let mut parts: Vec<String> = text.rsplitn(pieces, &*separator).map(str::to_owned).collect();
            parts.reverse();
            parts
        }
        false => text.splitn(pieces, &*separator).map(str::to_owned).collect(),
    })
}

fn words(text: &str, pieces: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start_matches(characters::is_space);
    while !rest.is_empty() {
        if found.len() + 1 == pieces {
            // The last piece keeps what stands behind it, whitespace too.
            found.push(rest.to_owned());
            break;
        }
        let end = rest.find(characters::is_space).unwrap_or(rest.len());
        found.push(rest[..end].to_owned());
        rest = rest[end..].trim_start_matches(characters::is_space);
    }
    found
}

fn words_from_end(text: &str, pieces: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim_end_matches(characters::is_space);
    while !rest.is_empty() {
        if found.len() + 1 == pieces {
            found.push(rest.to_owned());
            break;
        }
        let space = rest.char_indices().rev().find(|(_, letter)| characters::is_space(*letter));
        let start = space.map_or(0, |(place, letter)| place + letter.len_utf8());
        found.push(rest[start..].to_owned());
        rest = rest[..start].trim_end_matches(characters::is_space);
    }
    found.reverse();
    found
}

/// `splitlines`.
pub(crate) fn lines(text: &str, keep_ends: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((place, letter)) = rest.char_indices().find(|(_, letter)| characters::ends_line(*letter)) {
        let mut end = place + letter.len_utf8();
        if letter == '\r' && rest[end..].starts_with('\n') {
            end += 1;
        }
        found.push(rest[..if keep_ends { end } else { place }].to_owned());
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        found.push(rest.to_owned());
    }
    found
}
