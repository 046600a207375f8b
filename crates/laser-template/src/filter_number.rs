//! Jinja's filters on numbers.

use num_traits::{Signed, ToPrimitive};

use crate::{
    arithmetic,
    arithmetic::Operator,
    error::{Error, ErrorKind, Result},
    float_text, operators,
    value::{Args, Machine, Value},
};

pub(crate) fn abs(_: &mut Machine, value: Value, args: Args) -> Result<Value> {
    args.none("abs")?;
    if value.is_undefined() {
        return Err(value.fail());
    }
    match (&value, value.as_int()) {
        (Value::Float(number), _) => Ok(Value::Float(number.abs())),
        (_, Some(number)) => Ok(Value::Int(number.abs())),
        _ => Err(Error::ty(format!("bad operand type for abs(): '{}'", value.type_name()))),
    }
}

pub(crate) fn int(_: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [default, base] = args.take("int", ["default", "base"], 0)?;
    let default = default.unwrap_or(Value::from(0));
    if value.is_undefined() {
        return Err(value.fail());
    }
    let base = base.map_or(Ok(10), |base| arithmetic::index(&base, "int"))?;
    let base = u32::try_from(base).ok().filter(|base| *base == 0 || (2..=36).contains(base));
    let whole = |number: f64| arithmetic::whole(number).map(Value::Int).ok();
    Ok(match (value.as_str(), &value) {
        (Some(text), _) => {
            let number = base.and_then(|base| float_text::parse_int(text, base)).map(Value::Int);
            number.or_else(|| float_text::parse_float(text).and_then(whole)).unwrap_or(default)
        }
        // Python's int of an infinite float is an error that this filter does not catch.
        (_, Value::Float(number)) if number.is_infinite() => return arithmetic::whole(*number).map(Value::Int),
        (_, Value::Float(number)) => whole(*number).unwrap_or(default),
        _ => value.as_int().map_or(default, Value::Int),
    })
}

pub(crate) fn float(_: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [default] = args.take("float", ["default"], 0)?;
    if value.is_undefined() {
        return Err(value.fail());
    }
    Ok(match arithmetic::to_float(&value)? {
        Some(number) => Value::Float(number),
        None => default.unwrap_or(Value::Float(0.0)),
    })
}

pub(crate) fn round(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [precision, method] = args.take("round", ["precision", "method"], 0)?;
    let precision = precision.unwrap_or(Value::from(0));
    let method = method.map_or(Ok("common".to_owned()), |method| method.to_text("round"))?;
    if method == "common" {
        return arithmetic::round(&value, arithmetic::index(&precision, "round")?);
    }
    if method != "ceil" && method != "floor" {
        return Err(Error::value("method must be common, ceil or floor"));
    }
    let unit = operators::binary(Operator::Pow, &Value::from(10), &precision, machine)?;
    let scaled = operators::binary(Operator::Mul, &value, &unit, machine)?;
    let whole = match scaled {
        Value::Float(number) => {
            Value::Int(arithmetic::whole(if method == "ceil" { number.ceil() } else { number.floor() })?)
        }
        whole => whole,
    };
    operators::binary(Operator::Div, &whole, &unit, machine)
}

pub(crate) fn filesizeformat(machine: &mut Machine, value: Value, args: Args) -> Result<Value> {
    let [binary] = args.take("filesizeformat", ["binary"], 0)?;
    let binary = binary.map_or(Ok(false), |binary| binary.truth(machine))?;
    let found = arithmetic::to_float(&value)?;
    let bytes = found.ok_or_else(|| Error::new(ErrorKind::Value, "could not convert that to a number of bytes"))?;
    let (base, infix): (f64, _) = if binary { (1024.0, "i") } else { (1000.0, "") };
    if bytes == 1.0 {
        return Ok(Value::from("1 Byte"));
    }
    if bytes < base {
        let whole = arithmetic::whole(bytes)?.to_i64().unwrap_or(0);
        return machine.text(format!("{whole} Bytes"));
    }
    let letters = if binary { "KMGTPEZY" } else { "kMGTPEZY" };
    let mut unit = base;
    let mut made = String::new();
    for letter in letters.chars() {
        unit *= base;
        made = format!("{:.1} {letter}{infix}B", base * bytes / unit);
        if bytes < unit {
            break;
        }
    }
    machine.text(made)
}
