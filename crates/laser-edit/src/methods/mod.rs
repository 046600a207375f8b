//! The edit methods, one file each, and the registry of them.

use std::sync::OnceLock;

use crate::method::Form;
use crate::{EditError, Result};

/// Declares the methods' modules and gathers their forms.
macro_rules! methods {
    ($($name:ident),* $(,)?) => {
        $(pub(crate) mod $name;)*

        const METHODS: &[&[Form]] = &[$($name::FORMS),*];
    };
}

methods! {
    truncate,
    tail,
    zero,
    prune,
    row_blocks,
    randomised,
    band,
    nearest,
}

static OFFERED: OnceLock<&'static [Form]> = OnceLock::new();

/// Adds edit methods of a program of one's own to those that there are, once in a process and before the first is used. They
/// are read from texts and from JSON as all others are, and everything takes them: a search, a RUN folder, every writer.
///
/// # Errors
/// If others were added before, or one is written as another already is.
pub fn offer_edits(forms: &'static [Form]) -> Result<()> {
    let clashes = |form: &&Form| METHODS.iter().copied().flatten().any(|known| known.is_written_as(form));
    if let Some(form) = forms.iter().find(clashes) {
        return Err(EditError::FormTaken { example: form.example });
    }
    OFFERED.set(forms).map_err(|_| EditError::OfferedTwice)
}

/// The forms of all methods, in the order in which they are listed.
pub(crate) fn forms() -> impl Iterator<Item = &'static Form> {
    METHODS.iter().copied().flatten().chain(OFFERED.get().copied().into_iter().flatten())
}
