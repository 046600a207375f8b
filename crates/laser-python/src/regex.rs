//! Regular expressions as Python's `re` reads them, run by `fancy-regex`.

use fancy_regex::Captures;
use serde::{Deserialize, Serialize};

use crate::bounded_search::{BoundedSearch, Unfinished};
use crate::error::RegexError;
use crate::pattern::translated;
use crate::replacement::Replacement;

/// Steps that all searches of a text may take: about a second.
fn most_steps() -> u64 {
    laser_guard::raised(10_000_000)
}

/// Classes of all letters in a pattern.
const LETTER_CLASSES: usize = 400;

/// Bytes of a pattern.
const LONGEST: usize = 1 << 16;

/// A regular expression, as its source and ready to be run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PythonRegex {
    source: String,
    plain: BoundedSearch,
    /// The same where an empty match at the start of the search is none.
    advancing: BoundedSearch,
}

impl PythonRegex {
    /// A pattern of Python.
    ///
    /// # Errors
    /// It is wrong or too long, or has what only Python has.
    pub fn new(source: &str) -> Result<Self, RegexError> {
        let wrong = |why: String| RegexError::Pattern { pattern: source.to_owned(), why };
        let most = laser_guard::raised_size(LONGEST);
        if source.len() > most {
            return Err(RegexError::Long { what: "a regular expression", most });
        }
        let (pattern, repeats) = translated(source).map_err(wrong)?;
        // A class of all letters takes a millisecond to be made ready; `\b` has four of them.
        let most = laser_guard::raised_size(LETTER_CLASSES);
        if pattern.matches("\\p{L}").count() > most {
            let how = laser_guard::how_to_raise();
            return Err(wrong(format!("it has more than {most} times \\w, and \\b counts four times ({how})")));
        }
        let advancing = BoundedSearch::new(&format!("(?:{pattern})(?!\\G)"), repeats);
        let plain = BoundedSearch::new(&pattern, repeats);
        plain.check().map_err(|why| wrong(why.to_owned()))?;
        Ok(Self { source: source.to_owned(), plain, advancing })
    }

    /// `re.findall`: of each match the groups, or the whole where there is no group.
    ///
    /// # Errors
    /// The search takes too many steps.
    pub fn find_all(&self, text: &str) -> Result<Vec<Vec<String>>, RegexError> {
        let mut found = Vec::new();
        self.each(text, &mut most_steps(), |captures| {
            let first = usize::from(captures.len() > 1);
            let groups = (first..captures.len()).map(|i| captures.get(i).map_or("", |it| it.as_str()).to_owned());
            found.push(groups.collect());
            Ok(true)
        })?;
        Ok(found)
    }

    /// The text without what any of `patterns` finds, one after the other.
    ///
    /// # Errors
    /// As [`Self::find_all`].
    pub fn all_removed(patterns: &[Self], text: &str) -> Result<String, RegexError> {
        patterns.iter().try_fold(text.to_owned(), |text, pattern| pattern.replaced(&text, ""))
    }

    /// `re.sub` by a text as it is.
    ///
    /// # Errors
    /// As [`Self::find_all`].
    pub fn replaced(&self, text: &str, by: &str) -> Result<String, RegexError> {
        self.substituted(text, &Replacement::text(by), usize::MAX, usize::MAX, &mut most_steps())
    }

    /// `re.sub(pattern, by, text, count)`, where the result may have `longest` bytes, and the searches
    /// may take `steps`; what is left of these stays there.
    ///
    /// # Errors
    /// As [`Self::find_all`], and if the result is longer, or `by` names a group that is not there.
    pub fn substituted(
        &self,
        text: &str,
        by: &Replacement,
        count: usize,
        longest: usize,
        steps: &mut u64,
    ) -> Result<String, RegexError> {
        let (mut made, mut end, mut done) = (String::new(), 0, 0);
        self.each(text, steps, |captures| {
            if let Some(found) = captures.get(0) {
                made.push_str(&text[end..found.start()]);
                by.expand(captures, &mut made)?;
                (end, done) = (found.end(), done + 1);
            }
            if made.len() > longest {
                Err(RegexError::Long { what: "a text", most: longest })
            } else {
                Ok(done < count)
            }
        })?;
        made.push_str(&text[end..]);
        Ok(made)
    }

    /// Every match, from left to right, until `see` says that it is enough: behind an empty one the next may begin in the same
    /// place, but must not be empty.
    fn each<'t>(
        &self,
        text: &'t str,
        steps: &mut u64,
        mut see: impl FnMut(&Captures<'t>) -> Result<bool, RegexError>,
    ) -> Result<(), RegexError> {
        let (mut start, mut advance) = (0, false);
        loop {
            let first = if advance { &self.advancing } else { &self.plain };
            let found = self.plain.next(first, text, start, steps);
            let found = found.map_err(|unfinished| match unfinished {
                Unfinished::Slow => RegexError::Slow { pattern: self.source.clone() },
                Unfinished::Refused(why) => RegexError::Pattern { pattern: self.source.clone(), why },
            });
            let Some(captures) = found? else { return Ok(()) };
            let Some(whole) = captures.get(0) else { return Ok(()) };
            advance = whole.start() == whole.end();
            start = whole.end();
            if !see(&captures)? {
                return Ok(());
            }
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
    type Error = RegexError;

    fn try_from(source: String) -> Result<Self, RegexError> {
        Self::new(&source)
    }
}

impl From<PythonRegex> for String {
    fn from(regex: PythonRegex) -> Self {
        regex.source
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
            ("\\b\u{915}\\b", "\u{915}\u{93f}", &["\u{915}"]),
            ("\\Bb\\B", "abc b", &["b"]),
        ] {
            assert_eq!(found(pattern, text), expected, "{pattern}");
        }
        let removed = PythonRegex::new("(?s).*#### ").unwrap().replaced("a\n#### 7", "").unwrap();
        assert_eq!(removed, "7");
    }

    /// As `re.sub` of Python 3.11 gives them.
    #[test]
    fn matches_are_replaced_as_in_python() {
        for (pattern, by, text, count, expected) in [
            ("|a", "-", "a", 9, "---"),
            ("x*", "-", "abxd", 9, "-a-b--d-"),
            ("(\\w+) (\\w+)", "\\2 \\g<1>", "a b c d", 1, "b a c d"),
            ("(?P<n>\\d)", "<\\g<n>>", "1 2", 9, "<1> <2>"),
            ("(?:am|pm)$", "", "9 am\n", 9, "9 \n"),
            ("\\<b\\>", "", "a<b>", 9, "a"),
        ] {
            let by = Replacement::new(by).unwrap();
            let made = PythonRegex::new(pattern).unwrap().substituted(text, &by, count, 100, &mut most_steps());
            assert_eq!(made.as_deref(), Ok(expected), "{pattern}");
        }
        let doubled = Replacement::new("\\g<0>\\g<0>").unwrap();
        let all = PythonRegex::new(".+").unwrap();
        assert_eq!(
            all.substituted("abcdef", &doubled, 9, 10, &mut most_steps()),
            Err(RegexError::Long { what: "a text", most: 10 })
        );
        assert!(Replacement::new("\\y").is_err() && Replacement::new("\\g<").is_err());
        let none = Replacement::new("\\3").unwrap();
        assert!(matches!(all.substituted("a", &none, 9, 10, &mut most_steps()), Err(RegexError::Replacement(_))));
    }

    #[test]
    fn what_only_python_has_is_said() {
        for (pattern, why) in [
            ("(", "a regular expression: "),
            ("\\N{DASH}", "\\N is not supported here"),
            ("(?a)x", "(?a is not supported here"),
            ("(?<n>x)", "(?< is not supported here"),
            ("\\p{L}", "\\p is not supported here"),
            ("a\\", "it ends in a backslash"),
            ("[a", "a class has no end"),
            ("(a)(?P=140737488355327)", "\"140737488355327\" is not a group's name"),
            ("(a)(?(140737488355327)b)", "it has no group 140737488355327"),
        ] {
            let error = PythonRegex::new(pattern).unwrap_err().to_string();
            assert!(error.contains(why), "{pattern}: {error}");
        }
        for repeated in [
            "\\b{99999999}",
            "(?:(?:a{1,100}){1,100}b{2}){2}",
            "(?:\\b{100}){999}x",
            "(a|b{500}){3}",
            "(?i:\\d*?){1,9999}",
        ] {
            let error = PythonRegex::new(repeated).unwrap_err().to_string();
            assert!(error.contains("more than 1000 times"), "{repeated}: {error}");
        }
        PythonRegex::new("(?:\\d{1,9}){1,80}|a{99}b{99}").unwrap();
        let slow = PythonRegex::new("(a+)+(?=b)c").unwrap();
        assert!(matches!(slow.find_all(&"a".repeat(40)), Err(RegexError::Slow { .. })));
    }

    #[test]
    fn all_searches_of_a_text_share_their_steps() {
        // Each match takes some hundred thousand steps.
        let each = PythonRegex::new("(?:(?:a+)+(?=b)c|x)").unwrap();
        let text = format!("{}x", "a".repeat(16));
        assert_eq!(each.find_all(&text).unwrap().len(), 1);
        let started = std::time::Instant::now();
        assert!(matches!(each.find_all(&text.repeat(1_000)), Err(RegexError::Slow { .. })));
        assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
        let plain = PythonRegex::new("[a-c]").unwrap();
        assert_eq!(plain.replaced(&"abc".repeat(10_000), "").unwrap(), "");
        let mut steps = 150;
        let by = Replacement::text("");
        assert!(plain.substituted("ab", &by, 9, 9, &mut steps).is_err() && steps < 150);
    }
    /// Each of these took minutes: possessive parts and lookarounds go forth to the end of the text from every place, and the
    /// library's limit counts how often it goes back.
    #[test]
    fn a_search_of_a_long_text_ends_soon() {
        let started = std::time::Instant::now();
        let text = "a".repeat(1 << 20);
        for pattern in ["(?=a*b)c", "(?>a*)b", "a*+b", "(a+)+(?=b)c", "(.*)(\\1)c", "(?:(?=(a*))\\1)+b", "(?=.*(?<=b))"]
        {
            let searched = PythonRegex::new(pattern).unwrap().find_all(&text);
            assert!(matches!(searched, Err(RegexError::Slow { .. })), "{pattern}: {searched:?}");
        }
        for many in ["(?=\\b[A-D]\\b)".repeat(51), "[\\w-]".repeat(401)] {
            let error = PythonRegex::new(&many).unwrap_err().to_string();
            assert!(error.contains("more than 400 times"), "{error}");
        }
        PythonRegex::new(&"\\b".repeat(100)).unwrap();
        let long = "b".repeat(1 << 15);
        assert!(matches!(PythonRegex::new(&long).unwrap().find_all(&long), Err(RegexError::Slow { .. })));
        assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
    }

    #[test]
    fn a_long_text_is_searched_from_each_place() {
        let text = format!("{}é 12;{}", "a ".repeat(1 << 17), "b".repeat(1 << 10));
        for pattern in ["(?<=é )\\d+(?=;)", "\\b[0-9]{2}\\b", "(?<=é )12|(?<=x)b"] {
            assert_eq!(found(pattern, &text), ["12"], "{pattern}");
        }
        let ends = PythonRegex::new("(?<=b)$").unwrap().find_all(&text).unwrap();
        assert_eq!(ends, [[""]]);
    }
}
