//! Python's operators on values.

use num_bigint::BigInt;
use num_integer::Integer;
use num_traits::{Signed, ToPrimitive, Zero};

use crate::{
    compare,
    error::{Error, Result},
    float_text, limits, repr,
    value::{Machine, Value},
};

/// A binary operator of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

impl Operator {
    pub fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
            Self::Pow => "** or pow()",
        }
    }
}

/// A number as a float, where an integer that is too large is an error.
pub(crate) fn number(value: &Value) -> Result<Option<f64>> {
    match (value.as_float(), value) {
        (None, Value::Int(_)) => Err(Error::arithmetic("int too large to convert to float")),
        (number, _) => Ok(number),
    }
}

/// Text in which HTML's signs are written out.
pub(crate) fn escaped(text: &str) -> String {
    let mut made = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => made.push_str("&amp;"),
            '<' => made.push_str("&lt;"),
            '>' => made.push_str("&gt;"),
            '\'' => made.push_str("&#39;"),
            '"' => made.push_str("&#34;"),
            letter => made.push(letter),
        }
    }
    made
}

/// The result of an operator on integers.
pub(crate) fn integers(operator: Operator, a: &BigInt, b: &BigInt) -> Result<Value> {
    limits::bits(a.bits().max(b.bits()))?;
    let by_zero = |what: &str| Err(Error::arithmetic(what));
    let number = match operator {
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mul => a * b,
        Operator::FloorDiv | Operator::Mod if b.is_zero() => return by_zero("integer division or modulo by zero"),
        Operator::FloorDiv => a.div_floor(b),
        Operator::Mod => a.mod_floor(b),
        Operator::Div if b.is_zero() => return by_zero("division by zero"),
        Operator::Div => return quotient(a, b).map(Value::Float),
        Operator::Pow if b.is_negative() => {
            let (base, exponent) = (number(&Value::Int(a.clone()))?, number(&Value::Int(b.clone()))?);
            return floats(operator, base.unwrap_or(0.0), exponent.unwrap_or(0.0));
        }
        Operator::Pow => {
            let small = a.bits() <= 1;
            let exponent = match b.to_u32() {
                Some(exponent) => exponent,
                // Only the parity counts for 0, 1 and -1.
                None if small => 2 + u32::from(b.is_odd()),
                None => return Err(limits::bits(u64::MAX).err().unwrap_or_else(|| Error::limit("too large"))),
            };
            limits::bits(if small { 1 } else { a.bits().saturating_mul(u64::from(exponent)) })?;
            a.pow(exponent)
        }
    };
    limits::bits(number.bits())?;
    Ok(Value::Int(number))
}

/// The quotient of two integers, rounded once.
fn quotient(a: &BigInt, b: &BigInt) -> Result<f64> {
    if a.bits() <= 53 && b.bits() <= 53 {
        return Ok(a.to_f64().unwrap_or(0.0) / b.to_f64().unwrap_or(1.0));
    }
    if a.is_zero() {
        return Ok(0.0);
    }
    // Sixty-six bits of the quotient, the last of which says whether there is more, and then the power of two.
    let shift = 66 - (a.bits() as i64 - b.bits() as i64);
    let (top, bottom) = match shift >= 0 {
        true => (a.abs() << shift, b.abs()),
        false => (a.abs(), b.abs() << -shift),
    };
    let (whole, rest) = top.div_rem(&bottom);
    let sticky: BigInt = (whole << 1) + BigInt::from(u8::from(!rest.is_zero()));
    let exponent = i32::try_from(-shift - 1).unwrap_or(0);
    let scaled = sticky.to_f64().unwrap_or(f64::INFINITY);
    let half = exponent / 2;
    let value = scaled * 2f64.powi(half) * 2f64.powi(exponent - half);
    match value.is_finite() {
        true => Ok(if a.is_negative() == b.is_negative() { value } else { -value }),
        false => Err(Error::arithmetic("integer division result too large for a float")),
    }
}

/// The result of an operator on floats.
pub(crate) fn floats(operator: Operator, a: f64, b: f64) -> Result<Value> {
    let by_zero = |what: &str| Err(Error::arithmetic(what));
    let number = match operator {
        Operator::Add => a + b,
        Operator::Sub => a - b,
        Operator::Mul => a * b,
        Operator::Div if b == 0.0 => return by_zero("float division by zero"),
        Operator::FloorDiv if b == 0.0 => return by_zero("float floor division by zero"),
        Operator::Mod if b == 0.0 => return by_zero("float modulo"),
        Operator::Div => a / b,
        Operator::FloorDiv => divmod(a, b).0,
        Operator::Mod => divmod(a, b).1,
        Operator::Pow if a == 0.0 && b < 0.0 => return by_zero("0.0 cannot be raised to a negative power"),
        Operator::Pow if a < 0.0 && a.is_finite() && b.is_finite() && b.fract() != 0.0 => {
            return Err(Error::unsupported("complex numbers are not offered in templates"));
        }
        Operator::Pow => {
            let power = a.powf(b);
            if power.is_infinite() && a.is_finite() && b.is_finite() {
                return by_zero("(34, 'Numerical result out of range')");
            }
            power
        }
    };
    Ok(Value::Float(number))
}

/// Python's `divmod` of floats: the rest has the sign of the divisor.
fn divmod(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    match rest == 0.0 {
        true => rest = 0f64.copysign(b),
        false if (b < 0.0) != (rest < 0.0) => {
            rest += b;
            quotient -= 1.0;
        }
        false => {}
    }
    let floor = match quotient == 0.0 {
        true => 0f64.copysign(a / b),
        false if quotient - quotient.floor() > 0.5 => quotient.floor() + 1.0,
        false => quotient.floor(),
    };
    (floor, rest)
}

/// Python's `int(value)` of a float.
pub(crate) fn whole(number: f64) -> Result<BigInt> {
    match num_traits::FromPrimitive::from_f64(number.trunc()) {
        Some(number) => Ok(number),
        None if number.is_nan() => Err(Error::value("cannot convert float NaN to integer")),
        None => Err(Error::arithmetic("cannot convert float infinity to integer")),
    }
}

/// An argument that must be a whole number of a size that can be counted.
pub(crate) fn index(value: &Value, what: &str) -> Result<i64> {
    if value.is_undefined() {
        return Err(value.fail());
    }
    match value.as_int() {
        Some(number) => number.to_i64().ok_or_else(|| Error::arithmetic(format!("{what} is too large"))),
        None => {
            let found = value.type_name();
            Err(Error::ty(format!("{what}: '{found}' object cannot be interpreted as an integer")))
        }
    }
}

/// `round(value, places)`, which keeps integers.
pub(crate) fn round(value: &Value, places: i64) -> Result<Value> {
    if let Some(number) = value.as_int() {
        if places >= 0 {
            return Ok(Value::Int(number));
        }
        let unit = BigInt::from(10).pow(u32::try_from(places.unsigned_abs()).unwrap_or(400).min(400));
        let (down, rest) = number.div_mod_floor(&unit);
        let twice: BigInt = rest * 2;
        let up = match twice.cmp(&unit) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            std::cmp::Ordering::Equal => down.is_odd(),
        };
        return Ok(Value::Int((down + BigInt::from(u8::from(up))) * unit));
    }
    let Value::Float(number) = value else {
        if value.is_undefined() {
            return Err(value.fail());
        }
        return Err(Error::ty(format!("type {} doesn't define __round__ method", value.type_name())));
    };
    if !number.is_finite() || places > 322 {
        return Ok(Value::Float(*number));
    }
    if places < -308 {
        return Ok(Value::Float(0f64.copysign(*number)));
    }
    let text = match usize::try_from(places) {
        Ok(places) => format!("{number:.places$}"),
        Err(_) => {
            // Round the exact whole digits by hand: half to even, on the value that the float has.
            let whole = whole(*number)?;
            let unit = BigInt::from(10).pow(u32::try_from(places.unsigned_abs()).unwrap_or(0));
            let (down, rest) = whole.abs().div_mod_floor(&unit);
            let twice: BigInt = rest * 2;
            let exact = number.fract() == 0.0;
            let up = twice > unit || (twice == unit && (!exact || down.is_odd()));
            let rounded = ((down + BigInt::from(u8::from(up))) * unit).to_f64().unwrap_or(f64::INFINITY);
            return Ok(Value::Float(rounded.copysign(*number)));
        }
    };
    Ok(Value::Float(text.parse().unwrap_or(*number)))
}

/// The place of an item of a list.
pub(crate) fn position(items: &[Value], item: &Value, machine: &mut Machine) -> Result<Option<usize>> {
    for (place, other) in items.iter().enumerate() {
        if compare::equal(other, item, machine)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The texts of values, joined.
pub(crate) fn concat(values: &[Value], machine: &mut Machine) -> Result<Value> {
    let mut made = String::new();
    for value in values {
        made.push_str(&repr::text(value, machine)?);
        limits::text(made.len())?;
    }
    machine.text(made)
}

/// Python's `float(value)`; None where it is not a number.
pub(crate) fn to_float(value: &Value) -> Result<Option<f64>> {
    match value.as_str() {
        Some(text) => Ok(float_text::parse_float(text)),
        None => number(value),
    }
}
