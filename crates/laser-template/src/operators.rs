//! Python's operators on values of every kind.

use num_traits::{Signed, ToPrimitive};

use crate::{
    arithmetic::{self, Operator, number},
    error::{Error, Result},
    limits, percent,
    value::{Machine, Value},
};

/// `a operator b`.
pub(crate) fn binary(operator: Operator, a: &Value, b: &Value, machine: &mut Machine) -> Result<Value> {
    machine.spend(1)?;
    // The values of a `%` are looked at one by one: an undefined one among them may not be printed.
    if a.is_undefined() {
        return Err(a.fail());
    }
    if let (Operator::Mod, Some(pattern)) = (operator, a.as_str()) {
        let text = percent::format(pattern, b, machine)?;
        return marked(text, a, machine);
    }
    if b.is_undefined() {
        return Err(b.fail());
    }
    if let (Some(left), Some(right)) = (a.as_int(), b.as_int()) {
        return arithmetic::integers(operator, &left, &right);
    }
    if let (Some(left), Some(right)) = (number(a)?, number(b)?) {
        return arithmetic::floats(operator, left, right);
    }
    match (operator, a, b) {
        (Operator::Add, Value::List(a), Value::List(b)) => {
            let (a, b) = (a.0.borrow().clone(), b.0.borrow().clone());
            machine.list([a, b].concat())
        }
        (Operator::Add, Value::Tuple(a), Value::Tuple(b)) => {
            let items = [a.items.clone(), b.items.clone()].concat();
            limits::items(items.len())?;
            machine.spend(items.len())?;
            Ok(Value::tuple(items))
        }
        (Operator::Add, ..) if a.as_str().is_some() && b.as_str().is_some() => add_text(a, b, machine),
        (Operator::Add, ..) if a.as_str().is_some() => {
            Err(Error::ty(format!("can only concatenate str (not \"{}\") to str", b.type_name())))
        }
        (Operator::Add, Value::List(_), _) => {
            Err(Error::ty(format!("can only concatenate list (not \"{}\") to list", b.type_name())))
        }
        (Operator::Mul, ..) => match (repeated(a, b, machine)?, repeated(b, a, machine)?) {
            (Some(value), _) | (_, Some(value)) => Ok(value),
            _ => Err(unsupported(operator, a, b)),
        },
        _ => Err(unsupported(operator, a, b)),
    }
}

fn unsupported(operator: Operator, a: &Value, b: &Value) -> Error {
    let (a, b) = (a.type_name(), b.type_name());
    Error::ty(format!("unsupported operand type(s) for {}: '{a}' and '{b}'", operator.sign()))
}

/// Text of the same kind as `like`: HTML or not.
fn marked(text: String, like: &Value, machine: &mut Machine) -> Result<Value> {
    let value = machine.text(text)?;
    Ok(match (like, value) {
        (Value::Markup(_), Value::Str(text)) => Value::Markup(text),
        (_, value) => value,
    })
}

fn add_text(a: &Value, b: &Value, machine: &mut Machine) -> Result<Value> {
    let (left, right) = (a.as_str().unwrap_or_default(), b.as_str().unwrap_or_default());
    limits::text(left.len() + right.len())?;
    match (a, b) {
        (Value::Markup(_), Value::Markup(_)) => marked(left.to_owned() + right, a, machine),
        (Value::Markup(_), _) => marked(left.to_owned() + &arithmetic::escaped(right), a, machine),
        (_, Value::Markup(_)) => marked(arithmetic::escaped(left) + right, b, machine),
        _ => machine.text(left.to_owned() + right),
    }
}

/// A sequence, several times.
fn repeated(sequence: &Value, times: &Value, machine: &mut Machine) -> Result<Option<Value>> {
    let Some(times) = times.as_int() else { return Ok(None) };
    let times = match times.is_negative() {
        true => 0,
        false => times.to_usize().unwrap_or(usize::MAX),
    };
    let items = |items: &[Value], machine: &mut Machine| -> Result<Vec<Value>> {
        let count = items.len().saturating_mul(times);
        limits::items(count)?;
        machine.spend(count)?;
        // An empty list, however often, takes no time.
        Ok(if items.is_empty() { Vec::new() } else { items.iter().cycle().take(count).cloned().collect() })
    };
    Ok(Some(match sequence {
        Value::Str(text) | Value::Markup(text) => {
            limits::text(text.len().saturating_mul(times))?;
            marked(if text.is_empty() { String::new() } else { text.repeat(times) }, sequence, machine)?
        }
        Value::List(list) => {
            let list = list.0.borrow().clone();
            Value::list(items(&list, machine)?)
        }
        Value::Tuple(tuple) => Value::tuple(items(&tuple.items, machine)?),
        _ => return Ok(None),
    }))
}

/// `-value` or `+value`.
pub(crate) fn signed(value: &Value, negative: bool) -> Result<Value> {
    if value.is_undefined() {
        return Err(value.fail());
    }
    match (value, value.as_int()) {
        (Value::Float(number), _) => Ok(Value::Float(if negative { -number } else { *number })),
        (_, Some(number)) => Ok(Value::Int(if negative { -number } else { number })),
        _ => {
            let sign = if negative { '-' } else { '+' };
            Err(Error::ty(format!("bad operand type for unary {sign}: '{}'", value.type_name())))
        }
    }
}

/// The sum of values from a start, as Python's `sum`.
pub(crate) fn sum(items: Vec<Value>, start: Value, machine: &mut Machine) -> Result<Value> {
    if start.as_str().is_some() {
        return Err(Error::ty("sum() can't sum strings [use ''.join(seq) instead]"));
    }
    let mut total = start;
    for item in items {
        total = binary(Operator::Add, &total, &item, machine)?;
    }
    Ok(total)
}
