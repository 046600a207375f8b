//! Python's regular expressions.

use fancy_regex::{Captures, Regex};

use crate::{
    error::{Error, Result},
    limits,
};

/// A pattern of Python's `re`, where its meaning differs from Rust's written out.
pub(crate) fn compiled(pattern: &str) -> Result<Regex> {
    limits::pattern(pattern.len())?;
    Regex::new(&translated(pattern)).map_err(|error| Error::value(format!("a regular expression: {error}")))
}

fn translated(pattern: &str) -> String {
    let letters: Vec<char> = pattern.chars().collect();
    let multiline = pattern.starts_with("(?") && pattern[..pattern.find(')').unwrap_or(0)].contains('m');
    let mut made = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let (mut at, mut seen, mut opened) = (0, 0, None);
    while at < letters.len() {
        let brace = letters[seen..at].iter().rposition(|letter| *letter == '{');
        opened = brace.map(|place| seen + place).or(opened);
        seen = at;
        let letter = letters[at];
        let next = letters.get(at + 1).copied();
        match letter {
            '\\' => {
                match next {
                    Some('Z') if !in_class => made.push_str("\\z"),
                    Some(letter) => made.extend(['\\', letter]),
                    None => made.push('\\'),
                }
                at += 1;
            }
            '[' if in_class => made.push_str("\\["),
            '[' => {
                in_class = true;
                made.push('[');
                if next == Some('^') {
                    made.push('^');
                    at += 1;
                }
                // A bracket that stands first is one of the letters.
                if letters.get(at + 1) == Some(&']') {
                    made.push_str("\\]");
                    at += 1;
                }
            }
            ']' if in_class => {
                in_class = false;
                made.push(']');
            }
            '&' | '~' if in_class => made.extend(['\\', letter]),
            '-' if in_class && next == Some('-') => made.push_str("\\-"),
            // The end, or before a line end that ends the text.
            '$' if !in_class && !multiline => made.push_str("(?=\\n?\\z)"),
            '{' if !in_class && !is_count(&letters[at..]) => made.push_str("\\{"),
            '}' if !in_class && !closes_count(&letters[..at], opened) => made.push_str("\\}"),
            letter => made.push(letter),
        }
        at += 1;
    }
    made
}

/// Whether a count such as `{2,3}` stands here.
fn is_count(letters: &[char]) -> bool {
    let end = letters.iter().skip(1).position(|letter| !in_count(letter)).map_or(letters.len(), |length| length + 1);
    letters.get(end) == Some(&'}') && letters[1..end].iter().any(char::is_ascii_digit)
}

fn in_count(letter: &char) -> bool {
    letter.is_ascii_digit() || *letter == ','
}

/// Whether a brace behind these letters closes a count, a class or a character; `opened` is the
/// place of the last opening brace among them.
fn closes_count(before: &[char], opened: Option<usize>) -> bool {
    opened.is_some_and(|start| {
        let escaped = start > 0 && before[start - 1] == '\\';
        let inner = &before[start + 1..];
        // From the end, where an earlier closing brace stops the walk.
        !escaped && inner.iter().rev().all(in_count) && !inner.is_empty()
            // Letters in braces behind a backslash are a class or a character.
            || start > 1 && before[start - 2] == '\\' && "pPxuU".contains(before[start - 1])
    })
}

/// `re.sub(pattern, replacement, text, count)`, where no count means all.
pub(crate) fn substituted(pattern: &str, replacement: &str, text: &str, count: usize) -> Result<String> {
    let regex = compiled(pattern)?;
    let parts = replacement_parts(replacement)?;
    let mut made = String::new();
    let (mut at, mut copied, mut done) = (0, 0, 0);
    while at <= text.len() && (count == 0 || done < count) {
        let found = regex.captures_from_pos(text, at);
        let found = found.map_err(|_| Error::limit("a regular expression that takes too many steps"))?;
        let Some(whole) = found.as_ref().and_then(|found| found.get(0)) else { break };
        made.push_str(&text[copied..whole.start()]);
        if let Some(found) = &found {
            expand(&parts, found, &mut made)?;
        }
        limits::text(made.len())?;
        copied = whole.end();
        done += 1;
        at = match whole.end() > whole.start() {
            true => whole.end(),
            false => {
                let next = text[whole.end()..].chars().next();
                made.extend(next);
                copied += next.map_or(0, char::len_utf8);
                whole.end() + next.map_or(1, char::len_utf8)
            }
        };
    }
    made.push_str(text.get(copied..).unwrap_or(""));
    Ok(made)
}

enum Part {
    Text(String),
    Group(usize),
    Named(String),
}

fn replacement_parts(replacement: &str) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = replacement;
    while let Some(place) = rest.find('\\') {
        parts.push(Part::Text(rest[..place].to_owned()));
        rest = &rest[place + 1..];
        let letter = rest.chars().next().ok_or_else(|| Error::value("bad escape (end of pattern)"))?;
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let length = match letter {
            'g' => {
                let inner = rest.strip_prefix("g<").and_then(|rest| rest.split_once('>'));
                let (name, after) = inner.ok_or_else(|| Error::value("missing <, or > after a group's name"))?;
                parts.push(name.parse().map_or_else(|_| Part::Named(name.to_owned()), Part::Group));
                rest.len() - after.len()
            }
            '0' => {
                let octal = rest.bytes().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
                let code = u32::from_str_radix(&rest[..octal], 8).ok().and_then(char::from_u32);
                parts.extend(code.map(|letter| Part::Text(letter.to_string())));
                octal
            }
            '1'..='9' => {
                parts.push(Part::Group(rest[..digits].parse().unwrap_or(0)));
                digits
            }
            letter => {
                let plain = match letter {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'a' => '\u{7}',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    'v' => '\u{b}',
                    '\\' => '\\',
                    letter if letter.is_ascii_alphabetic() => {
                        return Err(Error::value(format!("bad escape \\{letter} in a replacement")));
                    }
                    letter => {
                        parts.push(Part::Text("\\".to_owned()));
                        letter
                    }
                };
                parts.push(Part::Text(plain.to_string()));
                letter.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn expand(parts: &[Part], found: &Captures, to: &mut String) -> Result<()> {
    for part in parts {
        match part {
            Part::Text(text) => to.push_str(text),
            Part::Group(number) if *number >= found.len() => {
                return Err(Error::value(format!("invalid group reference {number}")));
            }
            Part::Group(number) => to.push_str(found.get(*number).map_or("", |group| group.as_str())),
            Part::Named(name) => to.push_str(found.name(name).map_or("", |group| group.as_str())),
        }
    }
    Ok(())
}
