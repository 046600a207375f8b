//! The values of expressions.

use std::rc::Rc;

use crate::{
    access, arithmetic,
    ast::{Arguments, Comparison, Constant, Expr},
    compare,
    error::{Error, Result},
    operators,
    scope::Scope,
    value::{Args, Dict, Machine, Value},
};

/// The value of an expression.
pub(crate) fn evaluate(machine: &mut Machine, scope: &Rc<Scope>, expression: &Expr) -> Result<Value> {
    machine.enter()?;
    machine.spend(1)?;
    let value = match expression {
        Expr::Constant(constant) => Ok(constant_value(constant)),
        Expr::Name(name) => {
            machine.spend(scope.depth() / 4)?;
            Ok(scope.get(name))
        }
        Expr::List(items) => all(machine, scope, items).map(Value::list),
        Expr::Tuple(items) => all(machine, scope, items).map(Value::tuple),
        Expr::Dict(entries) => dict(machine, scope, entries),
        Expr::Choice { test, then, otherwise } => choice(machine, scope, test, then, otherwise.as_deref()),
        Expr::Or(left, right) | Expr::And(left, right) => {
            let left = evaluate(machine, scope, left)?;
            match left.truth(machine)? == matches!(expression, Expr::Or(..)) {
                true => Ok(left),
                false => evaluate(machine, scope, right),
            }
        }
        Expr::Not(inner) => {
            let inner = evaluate(machine, scope, inner)?;
            inner.truth(machine).map(|held| Value::Bool(!held))
        }
        Expr::Compare(first, rest) => comparisons(machine, scope, first, rest),
        Expr::Concat(parts) => {
            let parts = all(machine, scope, parts)?;
            arithmetic::concat(&parts, machine)
        }
        Expr::Binary(operator, left, right) => {
            let left = evaluate(machine, scope, left)?;
            let right = evaluate(machine, scope, right)?;
            operators::binary(*operator, &left, &right, machine)
        }
        Expr::Signed(negative, inner) => {
            let inner = evaluate(machine, scope, inner)?;
            operators::signed(&inner, *negative)
        }
        Expr::Attribute(of, name) => {
            let of = evaluate(machine, scope, of)?;
            access::attribute(&of, name, machine)
        }
        Expr::Item(of, key) => {
            let of = evaluate(machine, scope, of)?;
            let key = evaluate(machine, scope, key)?;
            access::item(&of, &key, machine)
        }
        Expr::Slice(of, bounds) => slice(machine, scope, of, bounds),
        Expr::Call(callee, arguments) => {
            let callee = evaluate(machine, scope, callee)?;
            let args = args(machine, scope, arguments)?;
            call(machine, &callee, args)
        }
        Expr::Filter(input, name, arguments) => match input {
            Some(input) => {
                let input = evaluate(machine, scope, input)?;
                let args = args(machine, scope, arguments)?;
                machine.call_filter(name, input, args)
            }
            None => Err(Error::unsupported("a filter without an input")),
        },
        Expr::Test(input, name, arguments) => {
            let input = evaluate(machine, scope, input)?;
            let args = args(machine, scope, arguments)?;
            machine.call_test(name, input, args).map(Value::Bool)
        }
    };
    machine.leave();
    value
}

/// The value of a block's text behind filters.
pub(crate) fn filtered(machine: &mut Machine, scope: &Rc<Scope>, filters: &Expr, text: Value) -> Result<Value> {
    let Expr::Filter(input, name, arguments) = filters else { return Ok(text) };
    machine.enter()?;
    let input = match input {
        Some(inner) => filtered(machine, scope, inner, text)?,
        None => text,
    };
    let args = args(machine, scope, arguments)?;
    let value = machine.call_filter(name, input, args);
    machine.leave();
    value
}

/// The result of a call.
pub(crate) fn call(machine: &mut Machine, callee: &Value, args: Args) -> Result<Value> {
    let result = match callee {
        Value::Object(object) => object.call(machine, args),
        Value::Undefined(_) => return Err(callee.fail()),
        _ => None,
    };
    result.unwrap_or_else(|| Err(Error::ty(format!("'{}' object is not callable", callee.type_name()))))
}

fn constant_value(constant: &Constant) -> Value {
    match constant {
        Constant::None => Value::None,
        Constant::Bool(held) => Value::Bool(*held),
        Constant::Int(number) => Value::Int(number.clone()),
        Constant::Float(number) => Value::Float(*number),
        Constant::Str(text) => Value::from(&**text),
    }
}

fn all(machine: &mut Machine, scope: &Rc<Scope>, items: &[Expr]) -> Result<Vec<Value>> {
    items.iter().map(|item| evaluate(machine, scope, item)).collect()
}

fn dict(machine: &mut Machine, scope: &Rc<Scope>, entries: &[(Expr, Expr)]) -> Result<Value> {
    let dict = Dict::default();
    for (key, value) in entries {
        let key = evaluate(machine, scope, key)?;
        key.defined(machine)?;
        machine.weigh(&key)?;
        dict.insert(key, evaluate(machine, scope, value)?)?;
    }
    Ok(Value::Dict(Rc::new(dict)))
}

fn choice(
    machine: &mut Machine,
    scope: &Rc<Scope>,
    test: &Expr,
    then: &Expr,
    otherwise: Option<&Expr>,
) -> Result<Value> {
    let test = evaluate(machine, scope, test)?;
    match (test.truth(machine)?, otherwise) {
        (true, _) => evaluate(machine, scope, then),
        (false, Some(otherwise)) => evaluate(machine, scope, otherwise),
        (false, None) => {
            Ok(Value::nothing("the inline if-expression evaluated to false and no else section was defined."))
        }
    }
}

fn comparisons(machine: &mut Machine, scope: &Rc<Scope>, first: &Expr, rest: &[(Comparison, Expr)]) -> Result<Value> {
    let mut left = evaluate(machine, scope, first)?;
    for (comparison, right) in rest {
        let right = evaluate(machine, scope, right)?;
        if !holds(machine, *comparison, &left, &right)? {
            return Ok(Value::Bool(false));
        }
        left = right;
    }
    Ok(Value::Bool(true))
}

fn holds(machine: &mut Machine, comparison: Comparison, left: &Value, right: &Value) -> Result<bool> {
    let mut ordered = |sign: &str, is: fn(std::cmp::Ordering) -> bool| -> Result<bool> {
        Ok(compare::order(left, right, sign, machine)?.is_some_and(is))
    };
    match comparison {
        Comparison::Equal => compare::equal(left, right, machine),
        Comparison::NotEqual => compare::equal(left, right, machine).map(|equal| !equal),
        Comparison::Less => ordered("<", std::cmp::Ordering::is_lt),
        Comparison::LessEqual => ordered("<=", std::cmp::Ordering::is_le),
        Comparison::Greater => ordered(">", std::cmp::Ordering::is_gt),
        Comparison::GreaterEqual => ordered(">=", std::cmp::Ordering::is_ge),
        Comparison::In => compare::contains(right, left, machine),
        Comparison::NotIn => compare::contains(right, left, machine).map(|within| !within),
    }
}

fn slice(machine: &mut Machine, scope: &Rc<Scope>, of: &Expr, bounds: &[Option<Box<Expr>>; 3]) -> Result<Value> {
    let of = evaluate(machine, scope, of)?;
    let mut found = [None, None, None];
    for (place, bound) in found.iter_mut().zip(bounds) {
        if let Some(bound) = bound {
            *place = Some(evaluate(machine, scope, bound)?);
        }
    }
    access::slice(&of, found, machine)
}

/// The arguments of a call.
pub(crate) fn args(machine: &mut Machine, scope: &Rc<Scope>, arguments: &Arguments) -> Result<Args> {
    let mut args = Args::of(all(machine, scope, &arguments.placed)?);
    for (name, value) in &arguments.named {
        args.named.push((name.clone(), evaluate(machine, scope, value)?));
    }
    if let Some(more) = &arguments.more {
        let more = evaluate(machine, scope, more)?;
        args.placed.extend(more.iterate(machine)?);
    }
    if let Some(more) = &arguments.more_named {
        let Value::Dict(dict) = evaluate(machine, scope, more)? else {
            return Err(Error::ty("argument after ** must be a mapping"));
        };
        for (key, value) in dict.entries() {
            args.named.push((key.to_text("an argument's name")?, value));
        }
    }
    Ok(args)
}
