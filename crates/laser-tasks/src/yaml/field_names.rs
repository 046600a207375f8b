//! Texts that may be misspelt names of fields.

use std::collections::HashSet;

/// A note on plain words that are nearly a field's name: they are every row's text, as they stand.
pub fn like_a_field(key: &str, words: &str, fields: &HashSet<&str>) -> Option<String> {
    let plain = !["{{", "{%", "{#"].iter().any(|mark| words.contains(mark));
    if !plain || words.is_empty() || fields.contains(words) {
        return None;
    }
    let most = if words.chars().count() < 4 { 1 } else { 2 };
    let mut near: Vec<&str> = fields.iter().copied().filter(|field| distance(words, field) <= most).collect();
    near.sort_unstable();
    let field = near.first()?;
    Some(format!(
        "`{key}: {words}` is not a field of the data and is every row's text as it stands: did you mean the field `{field}`?"
    ))
}

/// How many characters are inserted, removed or replaced between two texts (Levenshtein), letter
/// case aside.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.to_lowercase().chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, &b) in right.iter().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_single_characters() {
        for (left, right, expected) in
            [("", "", 0), ("a", "", 1), ("question", "questoin", 2), ("Answer", "answer", 0), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
        }
    }

    #[test]
    fn only_what_is_nearly_a_field_is_noted() {
        let fields = HashSet::from(["question", "q", "answer"]);
        assert!(like_a_field("doc_to_text", "qestion", &fields).unwrap().contains("`question`"));
        for words in ["Say something:", "question", "{{qestion}}", "", "Yes"] {
            assert_eq!(like_a_field("doc_to_text", words, &fields), None, "{words}");
        }
    }
}
