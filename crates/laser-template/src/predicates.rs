//! Jinja's tests, behind `is`.

use crate::{
    arithmetic::Operator,
    characters, compare,
    error::{Error, Result},
    filter_sequence, operators, repr,
    value::{Args, Machine, Test, Value},
};

/// The test of this name.
pub(crate) fn find(name: &str) -> Option<Test> {
    Some(match name {
        "odd" => |machine, value, args| remainder(machine, value, args, 1),
        "even" => |machine, value, args| remainder(machine, value, args, 0),
        "divisibleby" => |machine, value, args| {
            let by = args.one("divisibleby")?;
            let rest = operators::binary(Operator::Mod, &value, &by, machine)?;
            compare::equal(&rest, &Value::from(0), machine)
        },
        "defined" => |_, value, args| args.none("defined").map(|()| !value.is_undefined()),
        "undefined" => |_, value, args| args.none("undefined").map(|()| value.is_undefined()),
        "filter" => |machine, value, args| {
            args.none("filter")?;
            Ok(value.as_str().is_some_and(|name| machine.filter(name)))
        },
        "test" => |_, value, args| args.none("test").map(|()| value.as_str().is_some_and(|name| find(name).is_some())),
        "none" => |_, value, args| args.none("none").map(|()| matches!(value, Value::None)),
        "boolean" => |_, value, args| args.none("boolean").map(|()| matches!(value, Value::Bool(_))),
        "false" => |_, value, args| args.none("false").map(|()| matches!(value, Value::Bool(false))),
        "true" => |_, value, args| args.none("true").map(|()| matches!(value, Value::Bool(true))),
        "integer" => |_, value, args| args.none("integer").map(|()| matches!(value, Value::Int(_))),
        "float" => |_, value, args| args.none("float").map(|()| matches!(value, Value::Float(_))),
        "number" => |_, value, args| {
            args.none("number").map(|()| matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)))
        },
        "string" => |_, value, args| args.none("string").map(|()| value.as_str().is_some()),
        "mapping" => |_, value, args| args.none("mapping").map(|()| matches!(value, Value::Dict(_))),
        "sequence" => |machine, value, args| {
            args.none("sequence")?;
            // An undefined value of chat templates has a length and items.
            let undefined = value.is_undefined() && value.defined(machine).is_ok();
            Ok(undefined || filter_sequence::is_sequence(&value))
        },
        "iterable" => |machine, value, args| {
            args.none("iterable")?;
            value.defined(machine)?;
            Ok(match &value {
                Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => false,
                Value::Object(object) => object.is_iterable(),
                _ => true,
            })
        },
        "callable" => |_, value, args| {
            args.none("callable")?;
            // Undefined has a method of calls, which fails.
            Ok(value.is_undefined() || matches!(&value, Value::Object(object) if object.is_callable()))
        },
        "lower" => |machine, value, args| {
            args.none("lower")?;
            Ok(characters::is_all(&repr::text(&value, machine)?, false))
        },
        "upper" => |machine, value, args| {
            args.none("upper")?;
            Ok(characters::is_all(&repr::text(&value, machine)?, true))
        },
        "sameas" => |_, value, args| args.one("sameas").map(|other| compare::same(&value, &other)),
        "escaped" => |_, value, args| args.none("escaped").map(|()| matches!(value, Value::Markup(_))),
        "in" => |machine, value, args| compare::contains(&args.one("in")?, &value, machine),
        "==" | "eq" | "equalto" => |machine, value, args| compare::equal(&value, &args.one("eq")?, machine),
        "!=" | "ne" => |machine, value, args| compare::equal(&value, &args.one("ne")?, machine).map(|equal| !equal),
        ">" | "gt" | "greaterthan" => |machine, value, args| ordered(machine, value, args, ">", |order| order.is_gt()),
        ">=" | "ge" => |machine, value, args| ordered(machine, value, args, ">=", |order| order.is_ge()),
        "<" | "lt" | "lessthan" => |machine, value, args| ordered(machine, value, args, "<", |order| order.is_lt()),
        "<=" | "le" => |machine, value, args| ordered(machine, value, args, "<=", |order| order.is_le()),
        _ => return None,
    })
}

fn remainder(machine: &mut Machine, value: Value, args: Args, wanted: usize) -> Result<bool> {
    args.none("odd and even")?;
    if value.as_str().is_some() {
        return Err(Error::ty("not all arguments converted during string formatting"));
    }
    let rest = operators::binary(Operator::Mod, &value, &Value::from(2), machine)?;
    compare::equal(&rest, &Value::from(wanted), machine)
}

fn ordered(
    machine: &mut Machine,
    value: Value,
    args: Args,
    sign: &str,
    is: fn(std::cmp::Ordering) -> bool,
) -> Result<bool> {
    let other = args.one(sign)?;
    Ok(compare::order(&value, &other, sign, machine)?.is_some_and(is))
}
