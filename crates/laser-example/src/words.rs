//! Metrics of a generated text against reference answers.

use crate::error::ExampleError;
use crate::filter::Response;
use laser_python::PythonRegex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// How far the words of a generated text are those of an answer, all from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WordOverlap {
    /// 2 p r / (p + r) of the two numbers below, 0 where both are 0.
    pub f1: f64,
    /// The fraction of the text's different words that the answer has too.
    pub precision: f64,
    /// The fraction of the answer's different words that the text has too.
    pub recall: f64,
}

/// The words of `generation` against those of the answer with the best F1, the first of equals; all 0 without answers.
///
/// As in the published code of the LASER paper, both are trimmed and lower-cased and their *sets* of words G and A compared:
/// precision = |G ∩ A| / max(1, |G|), recall = |G ∩ A| / max(1, |A|). That code divides by max(1, p + r) in F1, which lowers it
/// wherever p + r < 1 and is not repeated here. It also cuts words with a library, NLTK, by rules for English.
///
/// Here a word is a run of letters and digits, with the apostrophes and hyphens (`'`, `’`, `-`, `‐`) that stand alone between
/// two of them ("don't", "well-known"); every other character that is not whitespace is a word.
pub fn word_overlap(generation: &str, answers: &[String]) -> WordOverlap {
    let generation = generation.to_lowercase();
    let generated = words(&generation);
    let overlap = |answer: &String| {
        let answer = answer.to_lowercase();
        let expected = words(&answer);
        let common = generated.intersection(&expected).count() as f64;
        let precision = common / generated.len().max(1) as f64;
        let recall = common / expected.len().max(1) as f64;
        let f1 = if common == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        WordOverlap { f1, precision, recall }
    };
    let best = answers.iter().map(overlap).reduce(|best, next| if next.f1 > best.f1 { next } else { best });
    best.unwrap_or(WordOverlap { f1: 0.0, precision: 0.0, recall: 0.0 })
}

/// The different words of a text.
fn words(text: &str) -> HashSet<&str> {
    let mut words = HashSet::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_alphanumeric() { run(rest) } else { first.len_utf8() };
        words.insert(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    words
}

/// How many bytes the run at the start of `text` has, with the joints inside it.
fn run(text: &str) -> usize {
    let joins =
        |joint: char, after: &str| matches!(joint, '\'' | '’' | '-' | '‐') && after.starts_with(char::is_alphanumeric);
    let ends = |&(at, character): &(usize, char)| {
        !character.is_alphanumeric() && !joins(character, &text[at + character.len_utf8()..])
    };
    text.char_indices().find(ends).map_or(text.len(), |(at, _)| at)
}

/// When a generated text is the answer: lm-evaluation-harness's `exact_match` with its switches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExactMatch {
    /// What is removed from both before anything else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub regexes_to_ignore: Vec<PythonRegex>,
    /// Both are lower-cased.
    pub ignore_case: bool,
    /// Python's `string.punctuation`, the ASCII punctuation, is removed from both.
    pub ignore_punctuation: bool,
    /// The digits 0 to 9 are removed from both. An answer of nothing else is then matched by every text of nothing else.
    pub ignore_numbers: bool,
}

impl ExactMatch {
    /// Whether `generation` is one of `answers`, after what is ignored is gone.
    ///
    /// # Errors
    /// A pattern takes too long.
    pub fn matches(&self, generation: &str, answers: &[String]) -> Result<bool, ExampleError> {
        let generation = self.plain(generation)?;
        for answer in answers {
            if self.plain(answer)? == generation {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The same of what a pipeline has made of a text, from 0 to 1: of a list, how much of it is the
    /// answer that most of it is.
    ///
    /// # Errors
    /// A pattern takes too long.
    pub fn score(&self, response: &Response, answers: &[String]) -> Result<f64, ExampleError> {
        match response {
            Response::Text(text) => Ok(f64::from(self.matches(text, answers)?)),
            Response::Nothing => Ok(0.0),
            Response::List(items) => {
                let mut best = 0.0f64;
                for answer in answers {
                    let same = items.iter().map(|item| self.matches(item, std::slice::from_ref(answer)));
                    let same = same.collect::<Result<Vec<bool>, _>>()?;
                    let equal = same.iter().filter(|same| **same).count();
                    best = best.max(equal as f64 / same.len().max(1) as f64);
                }
                Ok(best)
            }
        }
    }

    /// What is compared of a text.
    fn plain(&self, text: &str) -> Result<String, ExampleError> {
        let mut text = PythonRegex::all_removed(&self.regexes_to_ignore, text)?;
        if self.ignore_case {
            text = text.to_lowercase();
        }
        let ignored = |character: char| {
            (self.ignore_punctuation && character.is_ascii_punctuation())
                || (self.ignore_numbers && character.is_ascii_digit())
        };
        text.retain(|character| !ignored(character));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers(answers: &[&str]) -> Vec<String> {
        answers.iter().map(|&answer| answer.to_owned()).collect()
    }

    #[test]
    fn a_word_is_a_run_or_a_sign() {
        for (text, expected) in [
            ("", &[][..]),
            (" \t\n", &[]),
            ("don't  well-known l’été", &["don't", "well-known", "l’été"]),
            ("'quoted' -5 a--b rock-", &["'", "quoted", "-", "5", "a", "b", "rock"]),
            ("3.14, $7 (c)", &["3", ".", "14", ",", "$", "7", "(", "c", ")"]),
            ("snake_case 東京", &["snake", "_", "case", "東京"]),
            ("a a a.", &["a", "."]),
        ] {
            assert_eq!(words(text), expected.iter().copied().collect::<HashSet<_>>(), "{text:?}");
        }
    }

    #[test]
    fn overlap_is_of_sets() {
        // G = {the, city, ",", of, paris}, A = {paris, city}.
        let overlap = word_overlap(" The city, of the Paris city", &answers(&["PARIS city "]));
        assert_eq!((overlap.precision, overlap.recall), (0.4, 1.0));
        assert!((overlap.f1 - 0.8 / 1.4).abs() < 1e-12);
        let nothing = WordOverlap { f1: 0.0, precision: 0.0, recall: 0.0 };
        assert_eq!(word_overlap("Rome", &answers(&["Paris"])), nothing);
        assert_eq!(word_overlap("", &answers(&["Paris", ""])), nothing);
        assert_eq!(word_overlap("Paris", &[]), nothing);
    }

    #[test]
    fn the_best_answer_counts_and_the_first_of_equals() {
        let overlap = word_overlap("new york city", &answers(&["new jersey", "york city", "new york city hall"]));
        assert!((overlap.f1 - 6.0 / 7.0).abs() < 1e-12, "{overlap:?}");
        // F1 is 2/3 with either.
        let overlap = word_overlap("a b c", &answers(&["a b c d e f", "b c d"]));
        assert_eq!((overlap.precision, overlap.recall), (1.0, 0.5));
    }

    /// p + r < 1: the published code would have 0.1.
    #[test]
    fn small_overlaps_are_not_lowered() {
        let overlap = word_overlap("a b c d", &answers(&["a e f g h"]));
        assert!((overlap.f1 - 2.0 * 0.25 * 0.2 / 0.45).abs() < 1e-12, "{overlap:?}");
    }

    #[test]
    fn exact_match_ignores_what_it_is_told_to() {
        let strict = ExactMatch::default();
        let case = ExactMatch { ignore_case: true, ..strict.clone() };
        let punctuation = ExactMatch { ignore_punctuation: true, ..strict.clone() };
        let numbers = ExactMatch { ignore_numbers: true, ..strict.clone() };
        let all = ExactMatch { ignore_case: true, ignore_punctuation: true, ..numbers.clone() };
        let is = |rule: &ExactMatch, text: &str, answers: &[String]| rule.matches(text, answers).unwrap();
        let paris = answers(&["Rome", "Paris"]);
        assert!(is(&strict, "Paris", &paris) && !is(&strict, "paris", &paris));
        assert!(!is(&strict, " Paris", &paris) && !is(&strict, "Paris\n", &paris));
        assert!(is(&case, "PARIS", &paris) && !is(&case, "PARIS.", &paris));
        assert!(is(&punctuation, "\"Paris!\"", &paris) && !is(&punctuation, "Paris !", &paris));
        assert!(is(&numbers, "Paris2024", &paris) && !is(&numbers, "Paris 2024", &paris));
        assert!(is(&all, "1.paris;", &paris) && !is(&all, "par is", &paris));
        assert!(!is(&punctuation, "Paris…", &paris));
        assert!(is(&numbers, "17", &answers(&["42"])));
        assert!(!is(&strict, "", &[]));
        let read: ExactMatch = serde_json::from_str(r#"{"ignore_case": true}"#).unwrap();
        assert_eq!(read, case);
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        #[test]
        fn overlap_is_bounded_and_symmetric(left in "[ a-dA-D'’.é-]{0,20}", right in "\\PC{0,20}") {
            let forth = word_overlap(&left, std::slice::from_ref(&right));
            let back = word_overlap(&right, std::slice::from_ref(&left));
            prop_assert_eq!((forth.precision, forth.recall), (back.recall, back.precision));
            for number in [forth.f1, forth.precision, forth.recall] {
                prop_assert!((0.0..=1.0).contains(&number));
            }
            let itself = word_overlap(&right, std::slice::from_ref(&right));
            prop_assert_eq!(itself.f1, if right.trim().is_empty() { 0.0 } else { 1.0 });
            prop_assert_eq!(ExactMatch::default().matches(&left, std::slice::from_ref(&left)), Ok(true));
        }
    }
}
