//! What can go wrong with edits. Each message is one line: what, why, what to do.

/// A result of this crate.
pub type Result<T, E = EditError> = std::result::Result<T, E>;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// A text is not an edit.
    #[error("{text:?} is not a reduction: {why}")]
    Text {
        /// The text.
        text: String,
        /// What is wrong, and what is right.
        why: String,
    },
    /// A method of a program's own is written as one that there is.
    #[error("the edit method of {example} is written as another one: give it another key, and fields of its own")]
    FormTaken {
        /// How it is written.
        example: &'static str,
    },
    /// Methods of a program's own were added before.
    #[error("edit methods were added before: add all of them at once")]
    OfferedTwice,
    /// No such layer.
    #[error("layer {layer} is out of range: the model has layers 0 to {last} (or -{count} to -1)", last = .count.saturating_sub(1))]
    LayerOutOfRange {
        /// What was asked for; negative ones count from the end.
        layer: i64,
        /// The number of layers.
        count: usize,
    },
    /// A name is neither a matrix kind nor a group.
    #[error("unknown matrix {found:?}: {nearest}the matrices are {kinds}; groups are {groups}")]
    UnknownMatrix {
        /// The name.
        found: String,
        /// A question whether another was meant, or nothing.
        nearest: String,
        /// The names of the kinds.
        kinds: String,
        /// The names of the groups.
        groups: String,
    },
    /// The model has no such matrix.
    #[error("the model has no matrix {matrix}: {why}")]
    NoSuchMatrix {
        /// The matrix.
        matrix: String,
        /// What there is.
        why: String,
    },
    /// Two edits of one matrix.
    #[error("{layer}.{matrix} is edited twice: give one reduction for each matrix")]
    EditedTwice {
        /// The layer.
        layer: usize,
        /// The matrix.
        matrix: String,
    },
    /// An edit does not fit its matrix.
    #[error("cannot apply {intervention}: {why}")]
    DoesNotFit {
        /// The intervention's text.
        intervention: String,
        /// What is wrong.
        why: String,
    },
}
