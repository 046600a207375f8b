//! The methods of Python's `list` and `tuple`.

use crate::{
    arithmetic, compare,
    error::{Error, Result},
    limits, objects,
    value::{Args, Machine, Value},
};

/// The methods that change a list, which chat templates may not use.
pub(crate) const MUTATING: [&str; 8] = ["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"];

/// The method of this name, bound to a list or tuple.
pub(crate) fn method(this: &Value, name: &str) -> Option<Value> {
    let of_list = || MUTATING.into_iter().chain(["copy"]).find(|known| *known == name);
    let shared = ["count", "index"].into_iter().find(|known| *known == name);
    let name = shared.or_else(|| matches!(this, Value::List(_)).then(of_list).flatten())?;
    Some(Value::object(objects::Function { name, this: Some(this.clone()), run }))
}

fn run(machine: &mut Machine, this: &Value, name: &'static str, args: Args) -> Result<Value> {
    let list = match this {
        Value::List(list) => list,
        Value::Tuple(tuple) => return look(&tuple.items, name, args, "tuple", machine),
        _ => return Err(Error::ty(format!("{name} is a method of lists"))),
    };
    let items = || list.0.borrow().clone();
    match name {
        "append" => {
            let item = args.one(name)?;
            machine.spend(1)?;
            limits::items(list.0.borrow().len())?;
            list.0.borrow_mut().push(item);
        }
        "clear" => {
            args.none(name)?;
            list.0.borrow_mut().clear();
        }
        "copy" => {
            args.none(name)?;
            return machine.list(items());
        }
        "extend" => {
            let more = args.one(name)?.iterate(machine)?;
            limits::items(list.0.borrow().len() + more.len())?;
            list.0.borrow_mut().extend(more);
        }
        "insert" => {
            let [place, item] = args.take(name, ["index", "object"], 2)?;
            let place = arithmetic::index(&place.unwrap_or(Value::None), name)?;
            let count = list.0.borrow().len();
            limits::items(count)?;
            machine.spend(1 + count / 100)?;
            let place = if place < 0 { place.saturating_add(count as i64).max(0) } else { place };
            list.0.borrow_mut().insert((place as usize).min(count), item.unwrap_or(Value::None));
        }
        "pop" => {
            let [place] = args.take(name, ["index"], 0)?;
            let place = place.map_or(Ok(-1), |place| arithmetic::index(&place, name))?;
            let count = list.0.borrow().len() as i64;
            let place = if place < 0 { place.saturating_add(count) } else { place };
            if count == 0 {
                return Err(Error::lookup("pop from empty list"));
            }
            if !(0..count).contains(&place) {
                return Err(Error::lookup("pop index out of range"));
            }
            return Ok(list.0.borrow_mut().remove(place as usize));
        }
        "remove" => {
            let item = args.one(name)?;
            let place = arithmetic::position(&items(), &item, machine)?;
            let place = place.ok_or_else(|| Error::value("list.remove(x): x not in list"))?;
            list.0.borrow_mut().remove(place);
        }
        "reverse" => {
            args.none(name)?;
            list.0.borrow_mut().reverse();
        }
        "sort" => {
            let [reverse, key] = args.take(name, ["reverse", "key"], 0)?;
            if key.is_some_and(|key| !matches!(key, Value::None)) {
                return Err(Error::unsupported("a list is sorted without a key here: use the filter sort"));
            }
            let reverse = reverse.map_or(Ok(false), |reverse| reverse.truth(machine))?;
            let keyed = items().into_iter().map(|item| (item.clone(), item)).collect();
            let sorted = compare::sort(keyed, reverse, machine)?;
            *list.0.borrow_mut() = sorted;
        }
        _ => return look(&items(), name, args, "list", machine),
    }
    Ok(Value::None)
}

/// `count` or `index`.
fn look(items: &[Value], name: &'static str, args: Args, of: &str, machine: &mut Machine) -> Result<Value> {
    if name == "count" {
        let item = args.one(name)?;
        let mut count = 0usize;
        for other in items {
            count += usize::from(compare::equal(other, &item, machine)?);
        }
        return Ok(Value::from(count));
    }
    let [item, start, stop] = args.take(name, ["value", "start", "stop"], 1)?;
    let item = item.unwrap_or(Value::None);
    let bound = |value: Option<Value>, missing: usize| -> Result<usize> {
        let Some(value) = value else { return Ok(missing) };
        let place = arithmetic::index(&value, name)?;
        let place = if place < 0 { place.saturating_add(items.len() as i64).max(0) } else { place };
        Ok((place as usize).min(items.len()))
    };
    let (start, stop) = (bound(start, 0)?, bound(stop, items.len())?);
    let part = items.get(start..stop).unwrap_or_default();
    match arithmetic::position(part, &item, machine)? {
        Some(place) => Ok(Value::from(start + place)),
        None if of == "tuple" => Err(Error::value("tuple.index(x): x not in tuple")),
        None => {
            let item = crate::repr::repr(&item, 0)?;
            Err(Error::value(format!("{item} is not in list")))
        }
    }
}
