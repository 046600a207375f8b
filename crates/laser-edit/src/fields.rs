//! The JSON fields of edits.

use std::num::NonZeroUsize;

use laser_matrix::Rho;
use serde::de::MapAccess;
use serde::{Deserialize, Serialize, Serializer};

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// One fraction is a number, several are a list.
    Fractions(Vec<f64>),
    /// A whole number.
    Count(usize),
    /// A whole number from 1.
    Positive(NonZeroUsize),
    /// `true`, where it is there.
    Flag(bool),
}

/// What values a field takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// So many fractions.
    Fractions(usize),
    /// A whole number from 0.
    Count,
    /// A whole number from 1.
    Positive,
    /// `true`, or the field is left out.
    Flag,
}

impl Kind {
    /// The next value of `map`; None for null.
    pub(crate) fn read<'de, A: MapAccess<'de>>(self, map: &mut A) -> Result<Option<Value>, A::Error> {
        fn of<'de, A: MapAccess<'de>, T: Deserialize<'de>>(
            map: &mut A,
            value: fn(T) -> Value,
        ) -> Result<Option<Value>, A::Error> {
            Ok(map.next_value::<Option<T>>()?.map(value))
        }
        match self {
            Self::Fractions(1) => of(map, |fraction| Value::Fractions(vec![fraction])),
            Self::Fractions(_) => of(map, Value::Fractions),
            Self::Count => of(map, Value::Count),
            Self::Positive => of(map, Value::Positive),
            Self::Flag => of(map, Value::Flag),
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fractions(fractions) => match fractions.as_slice() {
                [fraction] => fraction.serialize(serializer),
                fractions => fractions.serialize(serializer),
            },
            Self::Count(count) => count.serialize(serializer),
            Self::Positive(count) => count.serialize(serializer),
            Self::Flag(flag) => flag.serialize(serializer),
        }
    }
}

/// The fields of one edit.
#[derive(Debug, Default)]
pub struct Fields {
    given: Vec<(&'static str, Value)>,
    /// Those that are null count as left out, but may come once only.
    nulls: Vec<&'static str>,
}

impl Fields {
    /// Adds a field unless it is null; false where there is one of this name.
    pub(crate) fn add(&mut self, name: &'static str, value: Option<Value>) -> bool {
        let is_new = self.get(name).is_none() && !self.nulls.contains(&name);
        match value {
            Some(value) => self.given.push((name, value)),
            None => self.nulls.push(name),
        }
        is_new
    }

    /// Whether these fields and no others are given, no flag among them being false.
    pub(crate) fn are(&self, fields: &[(&'static str, Kind)]) -> bool {
        let is_given = |(name, _): &(&str, Kind)| self.get(name).is_some_and(|value| *value != Value::Flag(false));
        self.given.len() == fields.len() && fields.iter().all(is_given)
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.given.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// A field of [`Kind::Fractions`].
    ///
    /// # Errors
    /// If it is missing, or is not so many numbers from 0 to 1.
    pub fn fractions<const N: usize>(&self, name: &str) -> Result<[Rho; N], String> {
        let Some(Value::Fractions(numbers)) = self.get(name) else { return Err(format!("{name} is missing")) };
        let fractions = numbers.iter().map(|&number| Rho::new(number).map_err(|error| error.to_string()));
        let fractions = fractions.collect::<Result<Vec<_>, _>>()?;
        fractions.try_into().map_err(|_| format!("{name} must be a list of {N} fractions"))
    }

    /// A field of one fraction.
    ///
    /// # Errors
    /// If it is missing, or is not a number from 0 to 1.
    pub fn fraction(&self, name: &str) -> Result<Rho, String> {
        self.fractions(name).map(|[rho]| rho)
    }

    /// A field of [`Kind::Count`].
    ///
    /// # Errors
    /// If it is missing.
    pub fn count(&self, name: &str) -> Result<usize, String> {
        match self.get(name) {
            Some(Value::Count(count)) => Ok(*count),
            _ => Err(format!("{name} is missing")),
        }
    }

    /// A field of [`Kind::Positive`].
    ///
    /// # Errors
    /// If it is missing.
    pub fn positive(&self, name: &str) -> Result<NonZeroUsize, String> {
        match self.get(name) {
            Some(Value::Positive(count)) => Ok(*count),
            _ => Err(format!("{name} is missing")),
        }
    }
}
