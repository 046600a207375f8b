//! Equality, order and membership, as Python has them.

use std::{cmp::Ordering, rc::Rc};

use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive};

use crate::{
    error::{Error, Result},
    limits,
    value::{Machine, Value},
};

/// The order of two numbers; None if one is not a number, or none.
fn numbers(a: &Value, b: &Value) -> Option<Option<Ordering>> {
    let whole = |number: &BigInt, float: f64| -> Option<Ordering> {
        match BigInt::from_f64(float.floor()) {
            Some(floor) => {
                Some(number.cmp(&floor).then(if float.fract() != 0.0 { Ordering::Less } else { Ordering::Equal }))
            }
            None if float.is_nan() => None,
            None => Some(if float > 0.0 { Ordering::Less } else { Ordering::Greater }),
        }
    };
    Some(match (a, b) {
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(a), _) => whole(&b.as_int()?, *a).map(Ordering::reverse),
        (_, Value::Float(b)) => whole(&a.as_int()?, *b),
        _ => Some(a.as_int()?.cmp(&b.as_int()?)),
    })
}

/// `a == b`.
pub(crate) fn equal(a: &Value, b: &Value, machine: &mut Machine) -> Result<bool> {
    a.defined(machine)?;
    b.defined(machine)?;
    equal_at(a, b, machine, 0)
}

fn equal_at(a: &Value, b: &Value, machine: &mut Machine, depth: usize) -> Result<bool> {
    limits::nested(depth)?;
    machine.spend(1)?;
    if let Some(order) = numbers(a, b) {
        return Ok(order == Some(Ordering::Equal));
    }
    match (a, b) {
        (Value::Undefined(_), Value::Undefined(_)) | (Value::None, Value::None) => Ok(true),
        (Value::List(a), Value::List(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            let (a, b) = (a.0.borrow(), b.0.borrow());
            all_equal(&a, &b, machine, depth)
        }
        (Value::Tuple(a), Value::Tuple(b)) => Ok(Rc::ptr_eq(a, b) || all_equal(&a.items, &b.items, machine, depth)?),
        (Value::Dict(a), Value::Dict(b)) => {
            if Rc::ptr_eq(a, b) {
                return Ok(true);
            }
            if a.0.borrow().len() != b.0.borrow().len() {
                return Ok(false);
            }
            machine.spend(a.0.borrow().len())?;
            for (key, value) in a.entries() {
                machine.weigh(&key)?;
                match b.get(&key)? {
                    Some(other) if equal_at(&value, &other, machine, depth + 1)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Object(a), Value::Object(b)) => {
            machine.spend(a.len().unwrap_or(0).saturating_add(b.len().unwrap_or(0)))?;
            match (a.comparable(), b.comparable()) {
                (Some((a, items)), Some((b, others))) if a == b => all_equal(&items, &others, machine, depth),
                _ => Ok(Rc::as_ptr(a).cast::<()>() == Rc::as_ptr(b).cast::<()>()),
            }
        }
        _ => match (a.as_str(), b.as_str()) {
            (Some(a), Some(b)) => {
                machine.spend(if a.len() == b.len() { a.len() / 100 } else { 0 })?;
                Ok(a == b)
            }
            _ => Ok(false),
        },
    }
}

fn all_equal(a: &[Value], b: &[Value], machine: &mut Machine, depth: usize) -> Result<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !equal_at(a, b, machine, depth + 1)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The order of two values, for `<` and sorting. None: neither is less (a NaN).
pub(crate) fn order(a: &Value, b: &Value, operator: &str, machine: &mut Machine) -> Result<Option<Ordering>> {
    order_at(a, b, operator, machine, 0)
}

fn order_at(a: &Value, b: &Value, operator: &str, machine: &mut Machine, depth: usize) -> Result<Option<Ordering>> {
    limits::nested(depth)?;
    machine.spend(1)?;
    for value in [a, b] {
        if value.is_undefined() {
            return Err(value.fail());
        }
    }
    if let Some(order) = numbers(a, b) {
        return Ok(order);
    }
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        machine.spend(a.len().min(b.len()) / 100)?;
        return Ok(Some(a.cmp(b)));
    }
    match (a, b) {
        (Value::List(a), Value::List(b)) => order_of_items(&a.0.borrow(), &b.0.borrow(), operator, machine, depth),
        (Value::Tuple(a), Value::Tuple(b)) => order_of_items(&a.items, &b.items, operator, machine, depth),
        _ => {
            let (a, b) = (a.type_name(), b.type_name());
            Err(Error::ty(format!("'{operator}' not supported between instances of '{a}' and '{b}'")))
        }
    }
}

fn order_of_items(
    a: &[Value],
    b: &[Value],
    operator: &str,
    machine: &mut Machine,
    depth: usize,
) -> Result<Option<Ordering>> {
    for (a, b) in a.iter().zip(b) {
        if !equal_at(a, b, machine, depth + 1)? {
            return order_at(a, b, operator, machine, depth + 1);
        }
    }
    Ok(Some(a.len().cmp(&b.len())))
}

/// Sorts by keys, stably, as `sorted(items, key=..., reverse=...)`.
pub(crate) fn sort(keyed: Vec<(Value, Value)>, reverse: bool, machine: &mut Machine) -> Result<Vec<Value>> {
    let mut keyed = keyed;
    // Python sorts a reversed list and reverses it, so that equal items keep their order.
    if reverse {
        keyed.reverse();
    }
    // Values may have no order (NaN), which the standard library's sort may refuse: merge by hand.
    let mut width = 1;
    while width < keyed.len() {
        let mut merged = Vec::with_capacity(keyed.len());
        let mut rest = keyed.into_iter().peekable();
        while rest.peek().is_some() {
            let left: Vec<_> = rest.by_ref().take(width).collect();
            let right: Vec<_> = rest.by_ref().take(width).collect();
            let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
            while let (Some((a, _)), Some((b, _))) = (left.peek(), right.peek()) {
                let less = order(b, a, "<", machine)? == Some(Ordering::Less);
                merged.extend(if less { right.next() } else { left.next() });
            }
            merged.extend(left);
            merged.extend(right);
        }
        keyed = merged;
        width *= 2;
    }
    if reverse {
        keyed.reverse();
    }
    Ok(keyed.into_iter().map(|(_, item)| item).collect())
}

/// `item in container`.
pub(crate) fn contains(container: &Value, item: &Value, machine: &mut Machine) -> Result<bool> {
    container.defined(machine)?;
    match container {
        Value::Str(text) | Value::Markup(text) => match item.as_str() {
            Some(part) => {
                machine.spend(1 + (text.len() + part.len()) / 100)?;
                Ok(text.contains(part))
            }
            None if item.is_undefined() => Err(item.fail()),
            None => Err(Error::ty(format!("'in <string>' requires string as left operand, not {}", item.type_name()))),
        },
        Value::Dict(dict) => {
            machine.weigh(item)?;
            Ok(dict.get(item)?.is_some())
        }
        Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
            Err(Error::ty(format!("argument of type '{}' is not iterable", container.type_name())))
        }
        _ => {
            for other in container.iterate(machine)? {
                if equal(&other, item, machine)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

/// Whether two values are the same object.
pub(crate) fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::None, Value::None) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        // Python keeps one object of each small integer.
        (Value::Int(a), Value::Int(b)) => a == b && a.to_i64().is_some_and(|number| (-5..=256).contains(&number)),
        (Value::Str(a), Value::Str(b)) => Rc::ptr_eq(a, b) || (a == b && a.len() <= 1),
        (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b),
        (Value::Tuple(a), Value::Tuple(b)) => Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b),
        (Value::Object(a), Value::Object(b)) => Rc::as_ptr(a).cast::<()>() == Rc::as_ptr(b).cast::<()>(),
        _ => false,
    }
}
