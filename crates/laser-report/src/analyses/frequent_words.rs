//! Words that say nothing of a question.

/// About the hundred most frequent words of English texts.
const WORDS: [&str; 112] = [
    "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be", "because", "been", "before",
    "but", "by", "can", "could", "did", "do", "does", "even", "first", "for", "from", "get", "go", "had", "has",
    "have", "he", "her", "here", "him", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "know",
    "like", "made", "make", "many", "may", "me", "more", "most", "much", "my", "new", "no", "not", "now", "of", "on",
    "one", "only", "or", "other", "our", "out", "over", "people", "said", "same", "see", "she", "should", "so", "some",
    "such", "take", "than", "that", "the", "their", "them", "then", "there", "these", "they", "this", "those", "time",
    "to", "two", "up", "us", "used", "very", "was", "way", "we", "well", "were", "what", "when", "where", "which",
    "who", "will", "with", "would", "you", "your",
];

/// Whether a token or word is one of the most frequent ones, or has neither letter nor digit.
pub fn is_frequent_word(text: &str) -> bool {
    let word = text.trim().to_lowercase();
    !word.chars().any(char::is_alphanumeric) || WORDS.binary_search(&word.as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequent_words_are_found_whatever_their_case_and_spaces() {
        assert!(WORDS.is_sorted());
        for frequent in [" the", "A", "\n", ".", "", " Was"] {
            assert!(is_frequent_word(frequent), "{frequent:?}");
        }
        for other in [" Paris", "1", "Ġx", "thes"] {
            assert!(!is_frequent_word(other), "{other:?}");
        }
    }
}
