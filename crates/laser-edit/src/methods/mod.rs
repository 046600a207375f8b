//! The edit methods, one file each, and the registry of them.

use crate::method::Form;

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

/// The forms of all methods, in the order in which they are listed.
pub(crate) fn forms() -> impl Iterator<Item = &'static Form> {
    METHODS.iter().copied().flatten()
}
