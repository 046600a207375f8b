//! The arguments of a call, and how a function takes them by place or by name.

use crate::error::{Error, Result};

/// Arguments by place and by name. (Outside of the crate nobody sees it.)
#[derive(Clone)]
pub struct Args<V> {
    pub placed: Vec<V>,
    pub named: Vec<(String, V)>,
}

impl<V> Default for Args<V> {
    fn default() -> Self {
        Self { placed: Vec::new(), named: Vec::new() }
    }
}

impl<V> Args<V> {
    pub fn of(placed: Vec<V>) -> Self {
        Self { placed, named: Vec::new() }
    }

    /// The arguments of these names, in this order, of which the first `required` must be there.
    pub fn take<const N: usize>(self, function: &str, names: [&str; N], required: usize) -> Result<[Option<V>; N]> {
        if self.placed.len() > N {
            return Err(Error::ty(format!("{function} takes at most {N} arguments, {} were given", self.placed.len())));
        }
        let mut found: [Option<V>; N] = [const { None }; N];
        for (place, value) in found.iter_mut().zip(self.placed) {
            *place = Some(value);
        }
        for (name, value) in self.named {
            match names.iter().position(|known| *known == name) {
                Some(place) if found[place].is_none() => found[place] = Some(value),
                Some(_) => return Err(Error::ty(format!("{function} got two values for argument {name:?}"))),
                None => return Err(Error::ty(format!("{function} got an unexpected argument {name:?}"))),
            }
        }
        match found.iter().take(required).position(Option::is_none) {
            Some(place) => Err(Error::ty(format!("{function} needs the argument {:?}", names[place]))),
            None => Ok(found),
        }
    }

    /// The one argument.
    pub fn one(self, function: &str) -> Result<V> {
        let [value] = self.take(function, ["value"], 1)?;
        value.ok_or_else(|| Error::ty(format!("{function} takes one argument")))
    }

    /// Nothing, or an error where arguments were given.
    pub fn none(self, function: &str) -> Result<()> {
        self.take::<0>(function, [], 0).map(|_| ())
    }
}
