//! Values as callers outside of templates see them.

use std::fmt;

use num_traits::ToPrimitive;
use serde_json::{Map, Number, Value as Json};

use crate::{repr, value::Value};

impl Value {
    /// Whether it is an integer; truth values are not.
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Int(_))
    }

    /// An integer that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => number.to_i64(),
            _ => None,
        }
    }

    /// Whether it holds as true in Python; undefined does not.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(held) => *held,
            Self::Int(number) => number.sign() != num_bigint::Sign::NoSign,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) | Self::Markup(text) => !text.is_empty(),
            Self::List(list) => !list.0.borrow().is_empty(),
            Self::Tuple(tuple) => !tuple.items.is_empty(),
            Self::Dict(dict) => !dict.0.borrow().is_empty(),
            Self::Object(object) => object.truth(),
        }
    }

    /// The items, of a list or of anything else that a loop can go through but texts and dictionaries.
    pub fn items(&self) -> Option<Vec<Value>> {
        match self {
            Self::List(list) => Some(list.0.borrow().clone()),
            Self::Tuple(tuple) => Some(tuple.items.clone()),
            Self::Object(object) => object.iterate(),
            _ => None,
        }
    }

    /// The value as JSON: numbers that JSON has not, and what is not data, are nothing.
    pub fn to_json(&self) -> Json {
        self.json(0)
    }

    fn json(&self, depth: usize) -> Json {
        match self {
            // A list that holds itself ends somewhere.
            _ if crate::limits::nested(depth).is_err() => Json::Null,
            Self::Undefined(_) | Self::None => Json::Null,
            Self::Bool(held) => Json::Bool(*held),
            Self::Int(number) => match (number.to_i64(), number.to_u64()) {
                (Some(number), _) => number.into(),
                (_, Some(number)) => number.into(),
                _ => number.to_f64().and_then(Number::from_f64).map_or(Json::Null, Json::Number),
            },
            Self::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
            Self::Str(text) | Self::Markup(text) => Json::String(text.to_string()),
            Self::Dict(dict) => {
                let entries = dict.entries().into_iter();
                Json::Object(
                    entries.map(|(key, value)| (key.to_string(), value.json(depth + 1))).collect::<Map<_, _>>(),
                )
            }
            Self::List(_) | Self::Tuple(_) | Self::Object(_) => match self.items() {
                Some(items) => items.iter().map(|item| item.json(depth + 1)).collect(),
                None => Json::Null,
            },
        }
    }
}

impl fmt::Display for Value {
    /// Python's `str`; what has none is empty.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Undefined(_) => Ok(()),
            Self::Str(text) | Self::Markup(text) => f.write_str(text),
            _ => f.write_str(&repr::repr(self, 0).unwrap_or_default()),
        }
    }
}
