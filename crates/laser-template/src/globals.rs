//! The functions that every template may call.

use std::{cell::Cell, rc::Rc};

use crate::{
    arithmetic, calendar, dict_methods,
    error::{Error, ErrorKind, Result},
    objects::{Cycler, Function, Joiner, Namespace, Range},
    scope::Scope,
    value::{Args, Dialect, Machine, Value},
};

/// Ranges of chat templates are no longer.
const LONGEST_RANGE: usize = 100_000;

/// Puts the functions of a dialect into a scope.
pub(crate) fn define(dialect: Dialect, scope: &Scope) {
    let add = |name: &'static str, run: fn(&mut Machine, &Value, &'static str, Args) -> Result<Value>| {
        scope.set(name, Value::object(Function { name, this: None, run }));
    };
    add("range", |_, _, _, args| range(args));
    add("dict", |machine, _, _, args| dict_methods::make(args, machine));
    add("namespace", |machine, _, _, args| namespace(args, machine));
    add("cycler", |_, _, _, args| {
        if args.placed.is_empty() {
            return Err(Error::ty("at least one item has to be provided"));
        }
        Ok(Value::object(Cycler { items: args.placed.into(), at: Rc::new(Cell::new(0)) }))
    });
    add("joiner", |_, _, _, args| {
        let [separator] = args.take("joiner", ["sep"], 0)?;
        Ok(Value::object(Joiner { separator: separator.unwrap_or(Value::from(", ")), used: Cell::new(false) }))
    });
    add("lipsum", |_, _, _, _| {
        Err(Error::unsupported("lipsum gives another text each time: a prompt must not change"))
    });
    if dialect == Dialect::Chat {
        add("raise_exception", |machine, _, _, args| {
            let message = crate::repr::text(&args.one("raise_exception")?, machine)?;
            Err(Error::new(ErrorKind::Raised, message))
        });
        add("strftime_now", |machine, _, _, args| {
            let text = calendar::on_the_day(&args.one("strftime_now")?.to_text("strftime_now")?)?;
            machine.text(text)
        });
    }
}

fn range(args: Args) -> Result<Value> {
    args.named.is_empty().then_some(()).ok_or_else(|| Error::ty("range takes no arguments by name"))?;
    let numbers: Vec<i64> = args.placed.iter().map(|bound| arithmetic::index(bound, "range")).collect::<Result<_>>()?;
    let range = match numbers[..] {
        [stop] => Range { start: 0, stop, step: 1 },
        [start, stop] => Range { start, stop, step: 1 },
        [_, _, 0] => return Err(Error::value("range() arg 3 must not be zero")),
        [start, stop, step] => Range { start, stop, step },
        _ => return Err(Error::ty(format!("range takes 1 to 3 arguments, {} were given", numbers.len()))),
    };
    match range.count() > LONGEST_RANGE {
        true => Err(Error::limit(format!("Range too big. A template's has at most {LONGEST_RANGE} items."))),
        false => Ok(Value::object(range)),
    }
}

fn namespace(args: Args, machine: &mut Machine) -> Result<Value> {
    let is_sandboxed = machine.dialect == Dialect::Chat;
    let Value::Dict(dict) = dict_methods::make(args, machine)? else { return Ok(Value::None) };
    let hidden = dict.keys().iter().any(|key| key.as_str().is_some_and(|name| name.starts_with('_')));
    match is_sandboxed && hidden {
        true => {
            let why = "a chat template cannot store names with an underscore before them on a namespace";
            Err(Error::new(ErrorKind::Forbidden, why))
        }
        false => Ok(Value::object(Namespace { dict, is_sandboxed })),
    }
}
