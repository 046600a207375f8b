//! The methods of Python's `dict`, and how one is made.

use std::rc::Rc;

use crate::{
    error::{Error, Result},
    limits,
    objects::{Function, Shown, View, pair},
    repr,
    value::{Args, Dict, Machine, Value},
};

const NAMES: [&str; 11] =
    ["clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"];

/// The method of this name, bound to a dictionary.
pub(crate) fn method(this: &Value, name: &str) -> Option<Value> {
    let name = NAMES.into_iter().find(|known| *known == name)?;
    Some(Value::object(Function { name, this: Some(this.clone()), run }))
}

fn run(machine: &mut Machine, this: &Value, name: &'static str, args: Args) -> Result<Value> {
    let Value::Dict(dict) = this else { return Err(Error::ty(format!("{name} is a method of dictionaries"))) };
    machine.spend(1)?;
    let missing = |key: &Value| -> Result<Error> { Ok(Error::lookup(format!("KeyError: {}", repr::repr(key, 0)?))) };
    let view = |shown| Ok(Value::object(View { dict: dict.clone(), shown }));
    match name {
        "keys" | "values" | "items" => {
            args.none(name)?;
            view(match name {
                "keys" => Shown::Keys,
                "values" => Shown::Values,
                _ => Shown::Items,
            })
        }
        "get" | "setdefault" | "pop" => {
            let [key, default] = args.take(name, ["key", "default"], 1)?;
            let key = key.unwrap_or(Value::None);
            if key.is_undefined() && machine.dialect == crate::value::Dialect::Task {
                return Err(key.fail());
            }
            machine.weigh(&key)?;
            match (dict.get(&key)?, name) {
                (Some(value), "pop") => {
                    dict.0.borrow_mut().shift_remove(&key.key(0)?);
                    Ok(value)
                }
                (Some(value), _) => Ok(value),
                (None, "pop") => default.map_or_else(|| Err(missing(&key)?), Ok),
                (None, "get") => Ok(default.unwrap_or(Value::None)),
                (None, _) => {
                    let value = default.unwrap_or(Value::None);
                    dict.insert(key, value.clone())?;
                    Ok(value)
                }
            }
        }
        "popitem" => {
            args.none(name)?;
            let last = dict.0.borrow_mut().pop();
            last.map(|(_, entry)| pair(entry)).ok_or_else(|| Error::lookup("popitem(): dictionary is empty"))
        }
        "clear" => {
            args.none(name)?;
            dict.0.borrow_mut().clear();
            Ok(Value::None)
        }
        "copy" => {
            args.none(name)?;
            make(Args::of(vec![this.clone()]), machine)
        }
        "update" => {
            update(dict, args, machine)?;
            Ok(Value::None)
        }
        _ => from_keys(args, machine),
    }
}

/// `dict.fromkeys(keys, value)`.
fn from_keys(args: Args, machine: &mut Machine) -> Result<Value> {
    let [keys, value] = args.take("fromkeys", ["iterable", "value"], 1)?;
    let (dict, value) = (Dict::default(), value.unwrap_or(Value::None));
    for key in keys.unwrap_or(Value::None).iterate(machine)? {
        machine.weigh(&key)?;
        dict.insert(key, value.clone())?;
    }
    Ok(Value::Dict(Rc::new(dict)))
}

/// `dict(...)`.
pub(crate) fn make(args: Args, machine: &mut Machine) -> Result<Value> {
    let dict = Dict::default();
    update(&dict, args, machine)?;
    Ok(Value::Dict(Rc::new(dict)))
}

fn update(dict: &Dict, args: Args, machine: &mut Machine) -> Result<()> {
    if args.placed.len() > 1 {
        return Err(Error::ty("a dictionary is made from at most one argument by place"));
    }
    for from in &args.placed {
        match from {
            Value::Dict(other) => {
                for (key, value) in other.entries() {
                    machine.spend(1)?;
                    machine.weigh(&key)?;
                    dict.insert(key, value)?;
                }
            }
            _ => {
                for entry in from.iterate(machine)? {
                    let [key, value] = <[Value; 2]>::try_from(entry.iterate(machine)?).map_err(|items| {
                        let count = items.len();
                        Error::value(format!("a dictionary's entry has length {count}; 2 is required"))
                    })?;
                    machine.weigh(&key)?;
                    dict.insert(key, value)?;
                }
            }
        }
    }
    for (name, value) in args.named {
        dict.insert(Value::from(name), value)?;
    }
    limits::items(dict.0.borrow().len())
}

/// A dictionary of these arguments by name.
pub(crate) fn of_named(named: Vec<(String, Value)>) -> Result<Rc<Dict>> {
    let dict = Dict::default();
    for (name, value) in named {
        dict.insert(Value::from(name), value)?;
    }
    Ok(Rc::new(dict))
}
