//! Attributes, items and slices of values, as Jinja looks them up.

use std::rc::Rc;

use num_traits::ToPrimitive;

use crate::{
    arithmetic, dict_methods,
    error::{Error, ErrorKind, Result},
    list_methods, objects, repr, str_methods,
    value::{Dialect, Machine, Undefined, Value},
};

/// `value.name`: the attribute, else the item.
pub(crate) fn attribute(value: &Value, name: &str, machine: &mut Machine) -> Result<Value> {
    machine.spend(1)?;
    if value.is_undefined() {
        return Err(value.fail());
    }
    if let Some(found) = own_attribute(value, name, machine)? {
        return Ok(found);
    }
    match raw_item(value, &Value::from(name), machine) {
        Ok(found) => Ok(found),
        Err(error) if is_absence(&error) => Ok(missing(value, &Value::from(name))),
        Err(error) => Err(error),
    }
}

/// `value[key]`: the item, else the attribute.
pub(crate) fn item(value: &Value, key: &Value, machine: &mut Machine) -> Result<Value> {
    machine.spend(1)?;
    if value.is_undefined() {
        return Err(value.fail());
    }
    match raw_item(value, key, machine) {
        Err(error) if is_absence(&error) => {}
        found => return found,
    }
    match key.as_str() {
        Some(name) => Ok(own_attribute(value, name, machine)?.unwrap_or_else(|| missing(value, key))),
        None => Ok(missing(value, key)),
    }
}

/// The attribute alone, as the filter `attr` has it.
pub(crate) fn attribute_alone(value: &Value, name: &str, machine: &mut Machine) -> Result<Value> {
    if value.is_undefined() {
        return Err(value.fail());
    }
    Ok(own_attribute(value, name, machine)?.unwrap_or_else(|| missing(value, &Value::from(name))))
}

fn is_absence(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Type | ErrorKind::Lookup)
}

/// What Jinja gives for an attribute or item that is not there.
fn missing(value: &Value, key: &Value) -> Value {
    let of = match value {
        Value::None => "None".to_owned(),
        _ => format!("{} object", value.type_name()),
    };
    let key = repr::repr(key, 0).unwrap_or_else(|_| "that".to_owned());
    Value::missing(match key.starts_with(['\'', '"']) {
        true => format!("'{of}' has no attribute {key}"),
        false => format!("{of} has no element {key}"),
    })
}

fn own_attribute(value: &Value, name: &str, machine: &Machine) -> Result<Option<Value>> {
    let mutates = match value {
        Value::Dict(_) => ["clear", "pop", "popitem", "setdefault", "update"].contains(&name),
        Value::List(_) => list_methods::MUTATING.contains(&name),
        _ => false,
    };
    let internal = name.starts_with("__") && name.ends_with("__");
    if machine.dialect == Dialect::Chat && (mutates || internal) {
        let message = format!("access to attribute '{name}' of '{}' object is unsafe.", value.type_name());
        let undefined = Undefined { message, name: None, forbidden: true, is_lenient: false };
        return Ok(Some(Value::Undefined(Rc::new(undefined))));
    }
    if internal {
        return Err(Error::unsupported(format!("Python's own attribute {name} is not offered in templates")));
    }
    Ok(match value {
        Value::Str(_) | Value::Markup(_) => str_methods::method(value, name),
        Value::List(_) | Value::Tuple(_) => match (value, name) {
            (Value::Tuple(tuple), "grouper") if tuple.is_group => tuple.items.first().cloned(),
            (Value::Tuple(tuple), "list") if tuple.is_group => tuple.items.get(1).cloned(),
            _ => list_methods::method(value, name),
        },
        Value::Dict(_) => dict_methods::method(value, name),
        Value::Object(object) => object.attribute(name),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => number_attribute(value, name)?,
        Value::None | Value::Undefined(_) => None,
    })
}

fn number_attribute(value: &Value, name: &str) -> Result<Option<Value>> {
    let whole = value.as_int().map(Value::Int);
    Ok(match name {
        "real" => Some(whole.unwrap_or_else(|| value.clone())),
        "imag" => Some(if whole.is_some() { Value::from(0) } else { Value::Float(0.0) }),
        "numerator" => whole,
        "denominator" => whole.map(|_| Value::from(1)),
        "is_integer" if matches!(value, Value::Float(_)) => Some(number_method(value, "is_integer")),
        "bit_length" if whole.is_some() => Some(number_method(value, "bit_length")),
        "conjugate" => Some(number_method(value, "conjugate")),
        _ => None,
    })
}

fn number_method(value: &Value, name: &'static str) -> Value {
    let run = |_: &mut Machine, this: &Value, name: &'static str, args: crate::value::Args| {
        args.none(name)?;
        Ok(match (name, this) {
            ("is_integer", Value::Float(number)) => Value::from(number.is_finite() && number.fract() == 0.0),
            ("bit_length", _) => Value::from(this.as_int().map_or(0, |number| number.bits() as usize)),
            _ => this.as_int().map_or_else(|| this.clone(), Value::Int),
        })
    };
    Value::object(objects::Function { name, this: Some(value.clone()), run })
}

/// Python's own `value[key]`.
fn raw_item(value: &Value, key: &Value, machine: &mut Machine) -> Result<Value> {
    let at = |items: usize, what: &str| -> Result<usize> {
        let Some(place) = key.as_int() else {
            let found = key.type_name();
            return Err(Error::ty(format!("{what} indices must be integers or slices, not {found}")));
        };
        let place = place.to_i64().unwrap_or(i64::MAX);
        let place = if place < 0 { place.saturating_add(items as i64) } else { place };
        let place = usize::try_from(place).ok().filter(|place| *place < items);
        place.ok_or_else(|| Error::lookup(format!("{what} index out of range")))
    };
    match value {
        Value::List(list) => {
            let items = list.0.borrow();
            Ok(items[at(items.len(), "list")?].clone())
        }
        Value::Tuple(tuple) => Ok(tuple.items[at(tuple.items.len(), "tuple")?].clone()),
        Value::Dict(dict) => {
            machine.weigh(key)?;
            let found = dict.get(key)?;
            found.ok_or_else(|| Error::lookup(repr::repr(key, 0).unwrap_or_default()))
        }
        Value::Str(text) | Value::Markup(text) => {
            machine.spend(text.len() / 100)?;
            let place = at(text.chars().count(), "string")?;
            Ok(text.chars().nth(place).map_or(Value::None, |letter| Value::from(letter.to_string())))
        }
        Value::Object(object) => {
            machine.weigh(key)?;
            object.item(key).unwrap_or_else(|| Err(not_subscriptable(value)))
        }
        _ => Err(not_subscriptable(value)),
    }
}

fn not_subscriptable(value: &Value) -> Error {
    Error::ty(format!("'{}' object is not subscriptable", value.type_name()))
}

/// `value[start:stop:step]`.
pub(crate) fn slice(value: &Value, bounds: [Option<Value>; 3], machine: &mut Machine) -> Result<Value> {
    if value.is_undefined() {
        return Err(value.fail());
    }
    let mut numbers = [None; 3];
    for (number, bound) in numbers.iter_mut().zip(bounds) {
        *number = match bound {
            None | Some(Value::None) => None,
            Some(bound) => match bound.as_int() {
                Some(large) => Some(large.to_i64().unwrap_or(if large.sign() == num_bigint::Sign::Minus {
                    i64::MIN
                } else {
                    i64::MAX
                })),
                None => Some(arithmetic::index(&bound, "slice")?),
            },
        };
    }
    match value {
        Value::Str(text) | Value::Markup(text) => {
            machine.spend(text.len() / 10)?;
            let letters: Vec<char> = text.chars().collect();
            let part: String = objects::sliced(&letters, numbers)?.into_iter().collect();
            Ok(match value {
                Value::Markup(_) => Value::Markup(part.into()),
                _ => Value::from(part),
            })
        }
        Value::List(list) => {
            let items = objects::sliced(&list.0.borrow(), numbers)?;
            machine.list(items)
        }
        Value::Tuple(tuple) => {
            machine.spend(tuple.items.len())?;
            Ok(Value::tuple(objects::sliced(&tuple.items, numbers)?))
        }
        Value::Object(object) if object.type_name() == "range" => {
            let items = object.iterate().unwrap_or_default();
            machine.spend(items.len())?;
            // Printed, it would be a range; as one it is gone through and indexed alike.
            let found = objects::sliced(&items, numbers)?;
            machine.list(found)
        }
        // As with any key that an object does not have, Jinja gives undefined.
        _ => Ok(Value::missing(format!("'{}' object has no slices", value.type_name()))),
    }
}
