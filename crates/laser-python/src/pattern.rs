//! Patterns of Python's `re` in the syntax of `fancy-regex`.

/// `re.escape`: a pattern that finds `text` as it is.
pub fn escaped(text: &str) -> String {
    fancy_regex::escape(text).into_owned()
}

/// How often a pattern may have its parts repeated by numbers, all in all: `(a{30}){30}` does so 900 times.
const MOST_REPEATS: u64 = 1_000;

/// Digits of a group's number: a pattern may have some thousands of groups.
const MOST_DIGITS: usize = 5;

/// A pattern of Python in the syntax of `fancy-regex`, and how often it has its parts repeated by numbers, which the library's
/// own limit does not count.
pub(crate) fn translated(source: &str) -> Result<(String, u64), String> {
    let mut translator = Translator {
        rest: source,
        out: String::new(),
        flags: vec![Flags::default()],
        repeats: vec![Repeats::default()],
    };
    while let Some(character) = translator.next() {
        translator.outside(character)?;
    }
    let repeats = translator.repeats.iter().fold(0, |all: u64, group| all.saturating_add(group.all()));
    if repeats > MOST_REPEATS {
        return Err(format!("its numbers repeat parts of it more than {MOST_REPEATS} times"));
    }
    Ok((translator.out, repeats))
}

/// How often the parts of a group are repeated by numbers.
#[derive(Clone, Copy, Default)]
struct Repeats {
    before: u64,
    last: u64,
}

impl Repeats {
    fn all(self) -> u64 {
        self.before.saturating_add(self.last)
    }
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
    /// Of each open group, too.
    repeats: Vec<Repeats>,
}

/// Python's `\w`, inside of a class.
const WORD: &str = "\\p{L}\\p{N}_";
/// Python's `\s`, inside of a class.
const SPACE: &str = "\\s\\x1C-\\x1F";

/// A place between two characters of which the first is (`<=`) or is not (`<!`) one of [`WORD`], and so the second (`=`, `!`),
/// in one of two ways: the library's `\b` takes combining marks for letters.
fn border([before, after, or_before, or_after]: [&str; 4]) -> String {
    format!("(?:(?{before}[{WORD}])(?{after}[{WORD}])|(?{or_before}[{WORD}])(?{or_after}[{WORD}]))")
}

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
        if !matches!(character, '{' | ')' | '*' | '+' | '?')
            && let Some(now) = self.repeats.last_mut()
        {
            *now = Repeats { before: now.all(), last: 0 };
        }
        match character {
            '\\' => self.escape(false)?,
            '[' => self.class()?,
            '(' => self.group()?,
            ')' => {
                if self.flags.len() > 1 {
                    self.flags.pop();
                    let inside = self.repeats.pop().unwrap_or_default().all();
                    if let Some(now) = self.repeats.last_mut() {
                        now.last = inside;
                    }
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
        let end = self.rest.find(|letter: char| !letter.is_ascii_digit() && letter != ',').unwrap_or(self.rest.len());
        let quantifier = self.rest[end..].strip_prefix('}').and_then(|rest| {
            let inside = &self.rest[..end];
            let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
            (!inside.is_empty() && !high.contains(',')).then_some((inside.contains(','), low, high, rest))
        });
        match quantifier {
            Some((range, low, high, rest)) => {
                let low = if low.is_empty() { "0" } else { low };
                let times = low.parse().unwrap_or(u64::MAX).max(if high.is_empty() {
                    0
                } else {
                    high.parse().unwrap_or(u64::MAX)
                });
                if let Some(now) = self.repeats.last_mut() {
                    now.last = now.last.saturating_add(1).saturating_mul(times.max(1)).saturating_sub(1);
                }
                self.out.push_str(&if range { format!("{{{low},{high}}}") } else { format!("{{{low}}}") });
                self.rest = rest;
            }
            None => self.out.push_str("\\{"),
        }
    }

    fn group(&mut self) -> Result<(), String> {
        let mut flags = self.now();
        if !self.take("?") {
            self.open(flags);
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
                self.open(flags);
                self.out.push_str("(?");
                self.out.push_str(plain);
                return Ok(());
            }
        }
        if self.take("P=") {
            let end = self.rest.find(')').ok_or("a group's name has no end")?;
            let name = &self.rest[..end];
            // The library takes a number for a group's, and reserves room for as many groups.
            if !name.starts_with(|first: char| first.is_alphabetic() || first == '_') {
                return Err(format!("{name:?} is not a group's name"));
            }
            self.out.push_str(&format!("(?P={name})"));
            self.rest = &self.rest[end + 1..];
            return Ok(());
        }
        if self.take("(") {
            let end = self.rest.find(')').ok_or("a condition has no end")?;
            let group = &self.rest[..end];
            let number = group.bytes().all(|byte| byte.is_ascii_digit());
            if number && group.len() > MOST_DIGITS {
                return Err(format!("it has no group {group}"));
            }
            self.out.push_str(&if number { format!("(?({group})") } else { format!("(?(<{group}>)") });
            self.rest = &self.rest[end + 1..];
            self.open(flags);
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
            self.open(flags);
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

    fn open(&mut self, flags: Flags) {
        self.flags.push(flags);
        self.repeats.push(Repeats::default());
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
            'b' if !in_class => self.out.push_str(&border(["<=", "!", "<!", "="])),
            'B' if !in_class => self.out.push_str(&border(["<=", "=", "<!", "!"])),
            'A' if !in_class => self.out.push_str("\\A"),
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
        let character = number.ok_or_else(|| format!("{digits:?} is not the number of a character"))?;
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
            self.literal(number.ok_or("an octal number is not that of a character")?);
            return Ok(());
        }
        self.out.push('\\');
        self.out.push(first);
        if let Some(second) = self.rest.chars().next().filter(char::is_ascii_digit) {
            self.out.push(second);
            self.rest = &self.rest[1..];
        } else {
            // What follows is not a further digit of it.
            self.out.push_str("(?:)");
        }
        Ok(())
    }
}
