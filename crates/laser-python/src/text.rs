//! Texts as Python's `str` sees them.

use std::sync::LazyLock;

use fancy_regex::Regex;

/// Whether Python calls a character whitespace (`str.isspace`): Unicode's whitespace and the four
/// information separators of ASCII.
pub fn is_space(character: char) -> bool {
    character.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&character)
}

/// `text.strip()`.
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// `len(re.split(r"\s+", text))`: the words that lm-evaluation-harness divides by.
pub fn words(text: &str) -> usize {
    let mut previous = false;
    let mut runs = 0;
    for character in text.chars() {
        let space = is_space(character);
        runs += usize::from(space && !previous);
        previous = space;
    }
    runs + 1
}

/// The text without Unicode's punctuation, the categories that Python's `unicodedata` begins with P.
pub fn without_punctuation(text: &str) -> String {
    static PUNCTUATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new("\\p{P}").ok());
    PUNCTUATION.as_ref().map_or_else(|| text.to_owned(), |mark| mark.replace_all(text, "").into_owned())
}
