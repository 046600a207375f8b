//! Texts that may be misspelt names of fields.

use std::collections::HashSet;

/// A note on plain words that are nearly a field's name: they are every row's text, as they stand.
pub fn like_a_field(key: &str, words: &str, fields: &HashSet<&str>) -> Option<String> {
    let plain = !["{{", "{%", "{#"].iter().any(|mark| words.contains(mark));
    if !plain || words.is_empty() || fields.contains(words) {
        return None;
    }
    let most = if words.chars().count() < 4 { 1 } else { 2 };
    let distance = |field: &str| strsim::levenshtein(&words.to_lowercase(), &field.to_lowercase());
    // Of long texts the lengths alone say enough.
    let near = fields.iter().copied().filter(|field| words.len().abs_diff(field.len()) <= 4 * most);
    let field = near.filter(|field| distance(field) <= most).min()?;
    Some(format!(
        "`{key}: {words}` is not a field of the data and is every row's text as it stands: did you mean the field `{field}`?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_nearly_a_field_is_noted() {
        let fields = HashSet::from(["question", "q", "answer"]);
        assert!(like_a_field("doc_to_text", "qestion", &fields).unwrap().contains("`question`"));
        assert!(like_a_field("doc_to_text", "Questoin", &fields).unwrap().contains("`question`"));
        for words in ["Say something:", "question", "{{qestion}}", "", "Yes"] {
            assert_eq!(like_a_field("doc_to_text", words, &fields), None, "{words}");
        }
    }
}
