//! The project's own text and prompts, which edits are measured and calibrated on unless others are given.

/// Prose, dialogue, code and questions.
pub(crate) const OWN_TEXT: &str = include_str!("../data/reference_text.txt");

/// Neutral prompts, one a line.
pub(crate) const OWN_PROMPTS: &str = include_str!("../data/reference_prompts.txt");
