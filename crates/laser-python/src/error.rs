//! What a regular expression cannot do.

/// Why a regular expression cannot be used, or a search with it does not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegexError {
    /// It is wrong, or has what only Python has.
    #[error("a regular expression: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why; a library's words, which may have several lines.
        why: String,
    },
    /// What matches are replaced by is wrong.
    #[error("{0}")]
    Replacement(String),
    /// The search goes back and forth for too long.
    #[error("a regular expression that takes too many steps on this text ({how})", how = laser_guard::how_to_raise())]
    Slow {
        /// The pattern.
        pattern: String,
    },
    /// The pattern, or the text that it makes, is too long.
    #[error("{what} of more than {most} bytes ({how})", how = laser_guard::how_to_raise())]
    Long {
        /// What is.
        what: &'static str,
        /// How long it may be.
        most: usize,
    },
}
