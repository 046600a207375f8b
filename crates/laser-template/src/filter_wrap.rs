//! The filter `wordwrap`, as Python's `textwrap` wraps.

use std::sync::LazyLock;

use fancy_regex::Regex;

use crate::{
    arithmetic,
    error::{Error, Result},
    limits, str_split,
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
    let mut made = String::new();
    for (place, line) in str_split::lines(&text, false).iter().enumerate() {
        if place > 0 {
            made.push_str(&between);
        }
        limits::text(made.len())?;
        wrap(&chunks(line, hyphens)?, width, long, hyphens, &between, &mut made)?;
    }
    machine.text(made)
}

fn chunks(text: &str, hyphens: bool) -> Result<Vec<&str>> {
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
            found.push(&text[at..start]);
        }
        if end > start {
            found.push(&text[start..end]);
        }
        at = end.max(at + rest.chars().next().map_or(1, char::len_utf8));
    }
    Ok(found)
}

fn is_blank(text: &str) -> bool {
    text.chars().all(crate::characters::is_space)
}

/// What is left of a word.
struct Chunk<'a> {
    text: &'a str,
    /// How many letters it has.
    count: usize,
    /// Where its last letter that is not whitespace ends, in bytes.
    solid: usize,
}

impl<'a> Chunk<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, count: text.chars().count(), solid: text.trim_end_matches(crate::characters::is_space).len() }
    }

    /// Takes off a head no longer than the room that is left.
    fn cut(&mut self, room: usize, hyphens: bool) -> &'a str {
        let (mut letters, mut bytes) = (0, 0);
        let mut hyphen = None;
        let mut solid = false;
        for letter in self.text.chars().take(room) {
            letters += 1;
            bytes += letter.len_utf8();
            match letter {
                '-' if solid => hyphen = Some((letters, bytes)),
                '-' => {}
                _ => solid = true,
            }
        }
        if let Some(behind) = hyphen.filter(|_| hyphens && self.count > room) {
            (letters, bytes) = behind;
        }
        let (head, rest) = self.text.split_at(bytes);
        *self = Self { text: rest, count: self.count - letters, solid: self.solid.saturating_sub(bytes) };
        head
    }
}

/// The lines of these words, behind what is there, with a text between them.
fn wrap(words: &[&str], width: usize, break_long: bool, hyphens: bool, between: &str, to: &mut String) -> Result<()> {
    let mut chunks: Vec<Chunk> = words.iter().rev().map(|word| Chunk::new(word)).collect();
    let mut first = true;
    while !chunks.is_empty() {
        let (mut line, mut length): (Vec<&str>, usize) = (Vec::new(), 0);
        if !first {
            chunks.pop_if(|chunk| chunk.solid == 0);
        }
        while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.count <= width) {
            length += chunk.count;
            line.push(chunk.text);
        }
        if let Some(chunk) = chunks.last_mut().filter(|chunk| chunk.count > width) {
            if break_long {
                line.push(chunk.cut(width - length, hyphens));
            } else if line.is_empty() {
                line.push(chunk.text);
                chunks.pop();
            }
        }
        line.pop_if(|text| is_blank(text));
        if line.is_empty() {
            continue;
        }
        if !first {
            to.push_str(between);
        }
        first = false;
        to.extend(line);
        limits::text(to.len())?;
    }
    Ok(())
}
