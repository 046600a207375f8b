//! The filter `wordwrap`, as Python's `textwrap` wraps.

use std::sync::LazyLock;

use fancy_regex::Regex;

use crate::{
    arithmetic,
    error::{Error, Result},
    str_split,
    value::{Args, Machine, Value},
};

const SPACES: [char; 6] = ['\t', '\n', '\u{b}', '\u{c}', '\r', ' '];

/// Where a word may be broken: at whitespace, behind hyphens within words, around dashes.
static CHUNK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let space = r"[\t\n\x0b\x0c\r ]";
    let (no_space, word, letter) = (r"[^\t\n\x0b\x0c\r ]", r#"[\w!"'&.,?]"#, r"[^\d\W]");
    Regex::new(&format!(
        "{space}+|(?<={word})-{{2,}}(?=\\w)|{no_space}+?(?:-(?:(?<={letter}{{2}}-)|(?<={letter}-{letter}-))\
         (?={letter}-?{letter})|(?={space}|\\z)|(?<={word})(?=-{{2,}}\\w))"
    ))
    .ok()
});

pub(crate) fn wordwrap(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let names = ["width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let [width, long, between, hyphens] = args.take("wordwrap", names, 0)?;
    let width = width.map_or(Ok(79), |width| arithmetic::index(&width, "wordwrap"))?;
    let width = usize::try_from(width).ok().filter(|width| *width > 0);
    let width = width.ok_or_else(|| Error::value("wordwrap: the width must be more than 0"))?;
    let long = long.map_or(Ok(true), |long| long.truth(machine))?;
    let hyphens = hyphens.map_or(Ok(true), |hyphens| hyphens.truth(machine))?;
    let between = match between {
        None | Some(Value::None) => "\n".to_owned(),
        Some(between) => between.to_text("wordwrap")?,
    };
    let text = value.to_text("wordwrap")?;
    machine.spend(1 + text.len())?;
    let mut paragraphs = Vec::new();
    for line in str_split::lines(&text, false) {
        paragraphs.push(wrapped(chunks(&line, hyphens)?, width, long, hyphens).join(&between));
    }
    machine.text(paragraphs.join(&between))
}

fn chunks(text: &str, hyphens: bool) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (start, end) = if hyphens {
            let chunk = CHUNK.as_ref().ok_or_else(|| Error::unsupported("wordwrap"))?;
            let place = chunk.find_from_pos(text, at).map_err(|_| Error::limit("a text too hard to wrap"))?;
            place.map_or((text.len(), text.len()), |place| (place.start(), place.end()))
        } else {
            let is_space = rest.starts_with(SPACES);
            let length = rest.find(|letter| SPACES.contains(&letter) != is_space).unwrap_or(rest.len());
            (at, at + length)
        };
        if start > at {
            found.push(text[at..start].to_owned());
        }
        if end > start {
            found.push(text[start..end].to_owned());
        }
        at = end.max(at + rest.chars().next().map_or(1, char::len_utf8));
    }
    Ok(found)
}

fn count(text: &str) -> usize {
    text.chars().count()
}

fn is_blank(text: &str) -> bool {
    text.chars().all(crate::characters::is_space)
}

fn wrapped(chunks: Vec<String>, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut chunks = chunks;
    chunks.reverse();
    let mut lines: Vec<String> = Vec::new();
    while !chunks.is_empty() {
        let (mut line, mut length): (Vec<String>, usize) = (Vec::new(), 0);
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| is_blank(chunk)) {
            chunks.pop();
        }
        while let Some(chunk) = chunks.pop_if(|chunk| length + count(chunk) <= width) {
            length += count(&chunk);
            line.push(chunk);
        }
        if let Some(chunk) = chunks.pop_if(|chunk| count(chunk) > width) {
            if break_long {
                let (head, rest) = broken(&chunk, width - length, hyphens);
                line.push(head);
                chunks.push(rest);
            } else if line.is_empty() {
                line.push(chunk);
            } else {
                chunks.push(chunk);
            }
        }
        if line.last().is_some_and(|chunk| is_blank(chunk)) {
            line.pop();
        }
        if !line.is_empty() {
            lines.push(line.concat());
        }
    }
    lines
}

/// A word in two, the first of them no longer than the room that is left.
fn broken(chunk: &str, room: usize, hyphens: bool) -> (String, String) {
    let letters: Vec<char> = chunk.chars().collect();
    let mut end = room.min(letters.len());
    if hyphens && letters.len() > room {
        let hyphen = letters[..room].iter().rposition(|letter| *letter == '-');
        let behind = hyphen.filter(|place| *place > 0 && letters[..*place].iter().any(|letter| *letter != '-'));
        end = behind.map_or(end, |place| place + 1);
    }
    (letters[..end].iter().collect(), letters[end..].iter().collect())
}
