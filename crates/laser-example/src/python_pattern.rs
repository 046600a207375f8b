//! Regular expressions as Python's `re` reads them, run by `fancy-regex`.

use std::sync::OnceLock;

use fancy_regex::{Captures, Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::error::ExampleError;
use crate::one_line::{plain, quoted};

/// Steps that one search may take back.
const MOST_STEPS: usize = 10_000_000;

/// A regular expression, as its source and ready to be run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonRegex {
    source: String,
    regex: Regex,
    /// The same where an empty match at the start of the search is none.
    advancing: OnceLock<Option<Regex>>,
}

impl PythonRegex {
    /// A pattern of Python.
    ///
    /// # Errors
    /// It is none, or has what only Python has.
    pub fn new(source: &str) -> Result<Self, ExampleError> {
        let wrong = |why: String| ExampleError::Regex { pattern: source.to_owned(), why };
        let regex = build(&translated(source).map_err(wrong)?).map_err(wrong)?;
        Ok(Self { source: source.to_owned(), regex, advancing: OnceLock::new() })
    }

    /// `re.findall`: of each match the groups, or the whole where there is no group.
    ///
    /// # Errors
    /// The search takes too many steps.
    pub fn find_all(&self, text: &str) -> Result<Vec<Vec<String>>, ExampleError> {
        let mut found = Vec::new();
        self.each(text, |captures| {
            let first = usize::from(captures.len() > 1);
            let groups = (first..captures.len()).map(|i| captures.get(i).map_or("", |it| it.as_str()).to_owned());
            found.push(groups.collect());
        })?;
        Ok(found)
    }

    /// `re.sub` by nothing.
    ///
    /// # Errors
    /// As [`Self::find_all`].
    pub fn removed(&self, text: &str) -> Result<String, ExampleError> {
        self.replaced(text, "")
    }

    /// `re.sub` by a text as it is.
    ///
    /// # Errors
    /// As [`Self::find_all`].
    pub fn replaced(&self, text: &str, by: &str) -> Result<String, ExampleError> {
        let (mut kept, mut end) = (String::new(), 0);
        self.each(text, |captures| {
            if let Some(found) = captures.get(0) {
                kept.push_str(&text[end..found.start()]);
                kept.push_str(by);
                end = found.end();
            }
        })?;
        kept.push_str(&text[end..]);
        Ok(kept)
    }

    /// Every match, from left to right: behind an empty one the next may begin in the same place, but
    /// must not be empty.
    fn each<'t>(&self, text: &'t str, mut see: impl FnMut(&Captures<'t>)) -> Result<(), ExampleError> {
        let slow = |_| ExampleError::SlowRegex { pattern: self.source.clone() };
        let (mut start, mut advance) = (0, false);
        loop {
            let regex = match advance {
                true => {
                    self.advancing.get_or_init(|| build(&format!("(?:{})(?!\\G)", self.regex.as_str())).ok()).as_ref()
                }
                false => Some(&self.regex),
            };
            let Some(regex) = regex else { return Ok(()) };
            let Some(captures) = regex.captures_from_pos(text, start).map_err(slow)? else { return Ok(()) };
            let Some(whole) = captures.get(0) else { return Ok(()) };
            advance = whole.start() == whole.end();
            start = whole.end();
            see(&captures);
        }
    }
}

impl PartialEq for PythonRegex {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for PythonRegex {}

impl TryFrom<String> for PythonRegex {
    type Error = ExampleError;

    fn try_from(source: String) -> Result<Self, ExampleError> {
        Self::new(&source)
    }
}

impl From<PythonRegex> for String {
    fn from(regex: PythonRegex) -> Self {
        regex.source
    }
}

fn build(pattern: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(pattern).backtrack_limit(MOST_STEPS).build();
    built.map_err(|error| plain(&error.to_string()))
}

/// A pattern of Python in the syntax of `fancy-regex`.
fn translated(source: &str) -> Result<String, String> {
    let mut translator = Translator { rest: source, out: String::new(), flags: vec![Flags::default()] };
    while let Some(character) = translator.next() {
        translator.outside(character)?;
    }
    Ok(translator.out)
}

#[derive(Clone, Copy, Default)]
struct Flags {
    multi_line: bool,
    verbose: bool,
}

struct Translator<'s> {
    rest: &'s str,
    out: String,
    /// Of each open group.
    flags: Vec<Flags>,
}

/// Python's `\w`, inside of a class.
const WORD: &str = "\\p{L}\\p{N}_";
/// Python's `\s`, inside of a class.
const SPACE: &str = "\\s\\x1C-\\x1F";

impl Translator<'_> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn take(&mut self, start: &str) -> bool {
        let rest = self.rest.strip_prefix(start);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn now(&self) -> Flags {
        self.flags.last().copied().unwrap_or_default()
    }

    fn outside(&mut self, character: char) -> Result<(), String> {
        match character {
            '\\' => self.escape(false)?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                if self.flags.len() > 1 {
                    self.flags.pop();
                }
                self.out.push(')');
            }
            '$' if !self.now().multi_line => self.out.push_str("(?=\\n?\\z)"),
            '#' if self.now().verbose => {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            }
            '{' => self.brace(),
            '}' => self.out.push_str("\\}"),
            other => self.out.push(other),
        }
        Ok(())
    }

    /// A quantifier, or a brace that stands for itself.
    fn brace(&mut self) {
        let quantifier = self.rest.split_once('}').and_then(|(inside, rest)| {
            let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
            let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
            (!inside.is_empty() && digits(low) && digits(high)).then_some((inside.contains(','), low, high, rest))
        });
        match quantifier {
            Some((range, low, high, rest)) => {
                let low = if low.is_empty() { "0" } else { low };
                self.out.push_str(&if range { format!("{{{low},{high}}}") } else { format!("{{{low}}}") });
                self.rest = rest;
            }
            None => self.out.push_str("\\{"),
        }
    }

    fn group(&mut self) -> Result<(), String> {
        let mut flags = self.now();
        if !self.take("?") {
            self.flags.push(flags);
            self.out.push('(');
            return Ok(());
        }
        if self.take("#") {
            let end = self.rest.find(')').ok_or("a comment has no end")?;
            self.rest = &self.rest[end + 1..];
            return Ok(());
        }
        for plain in [":", "=", "!", "<=", "<!", ">", "P<"] {
            if self.take(plain) {
                self.flags.push(flags);
                self.out.push_str("(?");
                self.out.push_str(plain);
                return Ok(());
            }
        }
        if self.take("P=") {
            let end = self.rest.find(')').ok_or("a group's name has no end")?;
            self.out.push_str(&format!("(?P={})", &self.rest[..end]));
            self.rest = &self.rest[end + 1..];
            return Ok(());
        }
        if self.take("(") {
            let end = self.rest.find(')').ok_or("a condition has no end")?;
            let group = &self.rest[..end];
            let number = group.bytes().all(|byte| byte.is_ascii_digit());
            self.out.push_str(&if number { format!("(?({group})") } else { format!("(?(<{group}>)") });
            self.rest = &self.rest[end + 1..];
            self.flags.push(flags);
            return Ok(());
        }
        let end = self.rest.find([':', ')']).ok_or("a group has no end")?;
        let (written, rest) = self.rest.split_at(end);
        if let Some(other) = written.chars().find(|flag| !"imsxu-".contains(*flag)) {
            return Err(format!("(?{other} is not supported here"));
        }
        let (on, off) = written.split_once('-').unwrap_or((written, ""));
        flags.multi_line = (flags.multi_line || on.contains('m')) && !off.contains('m');
        flags.verbose = (flags.verbose || on.contains('x')) && !off.contains('x');
        let kept = written.replace('u', "");
        if rest.starts_with(':') {
            self.flags.push(flags);
            self.out.push_str(&format!("(?{kept}:"));
        } else {
            if let Some(now) = self.flags.last_mut() {
                *now = flags;
            }
            if !kept.is_empty() {
                self.out.push_str(&format!("(?{kept})"));
            }
        }
        self.rest = &rest[1..];
        Ok(())
    }

    fn class(&mut self) -> Result<(), String> {
        self.out.push('[');
        if self.take("^") {
            self.out.push('^');
        }
        let mut first = true;
        loop {
            let character = self.next().ok_or("a class has no end")?;
            match character {
                ']' if !first => break,
                '\\' => self.escape(true)?,
                '[' | ']' | '&' | '~' => self.literal(character),
                '-' if self.rest.starts_with('-') => self.literal('-'),
                other if self.now().verbose && (other.is_whitespace() || other == '#') => self.literal(other),
                other => self.out.push(other),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// A character that means nothing but itself.
    fn literal(&mut self, character: char) {
        match character.is_ascii() {
            true => self.out.push_str(&format!("\\x{:02X}", character as u32)),
            false => self.out.push(character),
        }
    }

    /// What follows a backslash.
    fn escape(&mut self, in_class: bool) -> Result<(), String> {
        let character = self.next().ok_or("it ends in a backslash")?;
        let set = |inside: &str, negated: bool| match (in_class, negated) {
            (true, false) => inside.to_owned(),
            (_, true) => format!("[^{inside}]"),
            (false, false) => format!("[{inside}]"),
        };
        match character {
            'w' | 'W' => self.out.push_str(&set(WORD, character == 'W')),
            's' | 'S' => self.out.push_str(&set(SPACE, character == 'S')),
            'd' | 'D' => self.out.extend(['\\', character]),
            'b' if in_class => self.literal('\u{8}'),
            'A' | 'b' | 'B' if !in_class => self.out.extend(['\\', character]),
            'Z' if !in_class => self.out.push_str("\\z"),
            'a' => self.literal('\u{7}'),
            'f' => self.literal('\u{c}'),
            'n' => self.literal('\n'),
            'r' => self.literal('\r'),
            't' => self.literal('\t'),
            'v' => self.literal('\u{b}'),
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            '0'..='9' => self.digits(character, in_class)?,
            letter if letter.is_ascii_alphabetic() => return Err(format!("\\{letter} is not supported here")),
            other => self.literal(other),
        }
        Ok(())
    }

    /// A character by its number in hexadecimal digits.
    fn code(&mut self, length: usize) -> Result<(), String> {
        let digits = self.rest.get(..length).unwrap_or_default();
        let number = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
        let character = number.ok_or_else(|| format!("{} is no character's number", quoted(digits)))?;
        self.rest = &self.rest[length..];
        self.literal(character);
        Ok(())
    }

    /// A group's number, or a character by its number in octal digits.
    fn digits(&mut self, first: char, in_class: bool) -> Result<(), String> {
        let more = self.rest.chars().take(2).take_while(|c| ('0'..='7').contains(c)).count();
        let octal = first == '0' || (first < '8' && more == 2);
        if octal || in_class {
            let digits = format!("{first}{}", &self.rest[..more]);
            let number = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
            self.rest = &self.rest[more..];
            self.literal(number.ok_or("an octal number is no character's")?);
            return Ok(());
        }
        self.out.push('\\');
        self.out.push(first);
        if let Some(second) = self.rest.chars().next().filter(char::is_ascii_digit) {
            self.out.push(second);
            self.rest = &self.rest[1..];
        } else {
            // What follows is no further digit of it.
            self.out.push_str("(?:)");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(pattern: &str, text: &str) -> Vec<String> {
        let all = PythonRegex::new(pattern).unwrap().find_all(text).unwrap();
        all.iter().map(|groups| groups.join("|")).collect()
    }

    /// As `re.findall` of Python 3.11 gives them.
    #[test]
    fn everything_is_found_as_in_python() {
        for (pattern, text, expected) in [
            ("a*", "baac", &["", "aa", "", ""][..]),
            ("|a", "a", &["", "a", ""]),
            ("(a)(b)?", "abac", &["a|b", "a|"]),
            ("a$", "a\n", &["a"]),
            ("a\\Z", "a\n", &[]),
            ("(?m)^b$", "a\nb\nc", &["b"]),
            ("\\boxed{(.*)}", "oxed{x}", &["x"]),
            ("\\\\boxed{([^}]*)}", "\\boxed{7}", &["7"]),
            ("x{,2}", "xxx", &["xx", "x", ""]),
            ("[[&~]", "[&~", &["[", "&", "~"]),
            ("[]a]+", "]a", &["]a"]),
            ("(?<=is )\\w+", "it is é1_x", &["é1_x"]),
            ("(?P<q>['\"]).*?(?P=q)", "'a' \"b\"", &["'", "\""]),
            ("\\<b\\>", "<b>", &["<b>"]),
            ("(?i)ANSWER\\s*:\\s*([A-D])", "answer : b", &["b"]),
            ("(?x) a b # c\n", "ab", &["ab"]),
            ("(?#note)a", "a", &["a"]),
            ("(a)?(?(1)b|c)", "abc", &["a", ""]),
            ("\\x41\\u0042\\103", "ABC", &["ABC"]),
        ] {
            assert_eq!(found(pattern, text), expected, "{pattern}");
        }
        let removed = PythonRegex::new("(?s).*#### ").unwrap().removed("a\n#### 7").unwrap();
        assert_eq!(removed, "7");
    }

    #[test]
    fn what_only_python_has_is_said() {
        for (pattern, why) in [
            ("(", "cannot be used"),
            ("\\N{DASH}", "\\N is not supported here"),
            ("(?a)x", "(?a is not supported here"),
            ("(?<n>x)", "(?< is not supported here"),
            ("\\p{L}", "\\p is not supported here"),
            ("a\\", "it ends in a backslash"),
            ("[a", "a class has no end"),
        ] {
            let error = PythonRegex::new(pattern).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains('\n'), "{pattern}: {error}");
        }
        let slow = PythonRegex::new("(a+)+(?=b)c").unwrap();
        assert!(matches!(slow.find_all(&"a".repeat(40)), Err(ExampleError::SlowRegex { .. })));
    }
}
