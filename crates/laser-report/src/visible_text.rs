//! Texts of models and tasks, made fit to be shown: whatever is in them, they are only text.

use std::fmt::Write;

/// `text` with its control characters and those that change the direction of writing made visible. Line ends and tabs stay.
pub fn visible(text: &str) -> String {
    text.chars().map(|letter| if letter == '\n' || letter == '\t' { letter } else { shown(letter) }).collect()
}

/// What stands for a character.
fn shown(letter: char) -> char {
    match letter {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + letter as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}' => '\u{fffd}',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        letter => letter,
    }
}

/// A JSON document with the characters that [`visible`] shows differently escaped: its content is the same, and a terminal does
/// nothing but show it.
pub fn visible_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        // They only occur inside of JSON's strings, except for line ends.
        if letter == '\n' || shown(letter) == letter {
            text.push(letter);
        } else {
            let _ = write!(text, "\\u{:04x}", u32::from(letter));
        }
    }
    text
}

/// The same, at most so many characters of its beginning.
pub fn beginning(text: &str, longest: usize) -> String {
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(longest).collect();
    visible(&start) + if letters.next().is_some() { "…" } else { "" }
}

/// The same, of its end: of a prompt, that is the question.
pub fn ending(text: &str, longest: usize) -> String {
    let left_out = text.chars().count().saturating_sub(longest);
    let end: String = text.chars().skip(left_out).collect();
    let mark = if left_out > 0 { "…" } else { "" };
    format!("{mark}{}", visible(&end))
}

/// A JSON document as it can stand in a `<script>` element: nothing in it ends the element or opens a comment. What [`visible`]
/// would show differently is escaped.
pub fn script_json(value: &impl serde::Serialize) -> String {
    let json = serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned());
    // These characters only occur inside of JSON's strings.
    visible_json(&json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_seen() {
        assert_eq!(visible("a\u{0}b\u{1b}[31m\r\n\tc\u{7f}\u{202e}"), "a␀b␛[31m␍\n\tc␡\u{fffd}");
    }

    #[test]
    fn a_json_document_keeps_its_content() {
        let value = serde_json::json!({"a\u{9b}31m": "b\u{1b}]52;c\u{7}\u{7f}\u{202e}\n\u{fffd}ä"});
        let text = visible_json(&serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(visible(&text), text);
        assert!(text.contains("\\u009b31m") && text.contains("ä"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!((beginning("äöü", 2), beginning("äö", 2)), ("äö…".into(), "äö".into()));
        assert_eq!((ending("äöü", 2), ending("äö", 2)), ("…öü".into(), "äö".into()));
    }

    #[test]
    fn json_cannot_leave_its_script() {
        let text = "</script><!-- <script> & \u{2028} \u{1b} \u{7f} \u{9b} \u{202e}";
        let json = script_json(&text);
        assert!(!json.contains(['<', '>', '&']), "{json}");
        assert_eq!(visible(&json), json);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
