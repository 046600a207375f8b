//! Where one text is in another, counted in characters.

use crate::{
    arithmetic,
    error::{Error, Result},
    value::Value,
};

/// The optional bounds of a search.
pub(crate) struct Range {
    start: Option<i64>,
    end: Option<i64>,
}

impl Range {
    pub fn new(start: Option<Value>, end: Option<Value>) -> Result<Self> {
        let bound = |value: Option<Value>| match value {
            None | Some(Value::None) => Ok(None),
            Some(value) => arithmetic::index(&value, "a bound").map(Some),
        };
        Ok(Self { start: bound(start)?, end: bound(end)? })
    }

    /// The part of the text within the bounds, and how many characters stand before it.
    fn of<'a>(&self, text: &'a str) -> Option<(&'a str, usize)> {
        if self.start.is_none() && self.end.is_none() {
            return Some((text, 0));
        }
        let count = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let place = |bound: i64| if bound < 0 { (bound.saturating_add(count)).max(0) } else { bound };
        let start = place(self.start.unwrap_or(0));
        let end = place(self.end.unwrap_or(count)).min(count);
        if start > end {
            return None;
        }
        let byte = |place: i64| text.char_indices().nth(place as usize).map_or(text.len(), |(byte, _)| byte);
        Some((&text[byte(start)..byte(end)], start as usize))
    }
}

/// `count`, `find`, `index`, `rfind` or `rindex`.
pub(crate) fn search(text: &str, name: &str, part: &str, range: &Range) -> Result<Value> {
    let within = range.of(text);
    if name == "count" {
        return Ok(Value::from(within.map_or(0, |(text, _)| text.matches(part).count())));
    }
    let found = within.and_then(|(text, before)| {
        let byte = if name.starts_with('r') { text.rfind(part) } else { text.find(part) }?;
        Some(before + text[..byte].chars().count())
    });
    match found {
        Some(place) => Ok(Value::from(place)),
        None if name.ends_with("find") => Ok(Value::Int((-1).into())),
        None => Err(Error::value("substring not found")),
    }
}

/// Whether the text within the bounds starts or ends with a part.
pub(crate) fn fits(text: &str, at_start: bool, part: &str, range: &Range) -> bool {
    range.of(text).is_some_and(|(text, _)| if at_start { text.starts_with(part) } else { text.ends_with(part) })
}
