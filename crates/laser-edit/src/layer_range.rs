//! Ranges of layers, as a user types them.

use std::fmt;
use std::str::FromStr;

use crate::{EditError, Result};

/// A range of layers; negative numbers count from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    /// `*`.
    All,
    /// `27`, `-1`, or `20-27` with both ends included.
    Range(i64, i64),
}

impl Layers {
    /// The layers of a model that has `count`.
    ///
    /// # Errors
    /// If a layer is not one of them, or if the first comes after the last.
    pub fn resolve(self, count: usize) -> Result<std::ops::RangeInclusive<usize>> {
        let index = |layer: i64| {
            let from_start = if layer < 0 {
                i64::try_from(count).ok().and_then(|count| count.checked_add(layer))
            } else {
                Some(layer)
            };
            let index = from_start.and_then(|layer| usize::try_from(layer).ok()).filter(|&layer| layer < count);
            index.ok_or(EditError::LayerOutOfRange { layer, count })
        };
        let (first, last) = match self {
            Self::All => (0, -1),
            Self::Range(first, last) => (first, last),
        };
        let range = index(first)?..=index(last)?;
        if range.is_empty() {
            let why = "the first layer comes after the last".to_owned();
            return Err(EditError::Text { text: self.to_string(), why });
        }
        Ok(range)
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Range(first, last) if first == last => write!(f, "{first}"),
            Self::Range(first, last) => write!(f, "{first}-{last}"),
        }
    }
}

impl FromStr for Layers {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self> {
        if text == "*" {
            return Ok(Self::All);
        }
        // The dash of a range is the first one that is not a sign.
        let dash = text.char_indices().skip(1).find(|&(_, letter)| letter == '-').map(|(at, _)| at);
        let (first, last) = dash.map_or((text, text), |at| (&text[..at], &text[at + 1..]));
        match (parse_layer(first), parse_layer(last)) {
            (Some(first), Some(last)) => Ok(Self::Range(first, last)),
            _ => Err(EditError::Text {
                text: text.to_owned(),
                why: format!("{text:?} is not a layer: write 27, 20-27, -1 (the last) or *"),
            }),
        }
    }
}

fn parse_layer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
