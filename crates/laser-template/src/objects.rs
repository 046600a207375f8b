//! The objects that filters and functions give: generators, ranges, views, namespaces, bound methods.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};

use crate::{
    error::{Error, Result},
    limits, repr,
    value::{Args, Dict, Machine, Object, Value},
};

/// The results of a filter that Python would make one by one: they can be gone through once.
pub(crate) struct Generator {
    pub name: &'static str,
    pub items: RefCell<Vec<Value>>,
}

impl Generator {
    pub fn value(name: &'static str, items: Vec<Value>) -> Value {
        Value::object(Self { name, items: RefCell::new(items) })
    }
}

impl Object for Generator {
    fn type_name(&self) -> &'static str {
        match self.name {
            "reversed" => "reversed",
            _ => "generator",
        }
    }

    fn repr(&self, _: usize) -> Result<String> {
        let name = self.name;
        Err(Error::unsupported(format!("{name} gives its items one by one and is printed as an address: add |list")))
    }

    fn iterate(&self) -> Option<Vec<Value>> {
        Some(self.items.take())
    }

    fn is_iterable(&self) -> bool {
        true
    }
}

/// `range`.
pub(crate) struct Range {
    pub start: i64,
    pub stop: i64,
    pub step: i64,
}

impl Range {
    pub fn count(&self) -> usize {
        let (from, to, step) = (i128::from(self.start), i128::from(self.stop), i128::from(self.step));
        let span = if step > 0 { to - from } else { from - to };
        usize::try_from((span + step.abs() - 1).max(0) / step.abs()).unwrap_or(usize::MAX)
    }

    fn at(&self, place: usize) -> Value {
        Value::Int(num_bigint::BigInt::from(self.start) + num_bigint::BigInt::from(self.step) * place)
    }
}

impl Object for Range {
    fn type_name(&self) -> &'static str {
        "range"
    }

    fn repr(&self, _: usize) -> Result<String> {
        let Self { start, stop, step } = self;
        Ok(if *step == 1 { format!("range({start}, {stop})") } else { format!("range({start}, {stop}, {step})") })
    }

    fn item(&self, key: &Value) -> Option<Result<Value>> {
        let place = match crate::arithmetic::index(key, "a range's place") {
            Ok(place) => place,
            Err(error) => return Some(Err(error)),
        };
        let count = i64::try_from(self.count()).unwrap_or(i64::MAX);
        let place = if place < 0 { place + count } else { place };
        Some(match (0..count).contains(&place) {
            true => Ok(self.at(place as usize)),
            false => Err(Error::lookup("range object index out of range")),
        })
    }

    fn iterate(&self) -> Option<Vec<Value>> {
        Some((0..self.count()).map(|place| self.at(place)).collect())
    }

    fn len(&self) -> Option<usize> {
        Some(self.count())
    }

    fn comparable(&self) -> Option<(&'static str, Vec<Value>)> {
        Some(("range", self.iterate()?))
    }
}

/// What a view of a dictionary shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Keys,
    Values,
    Items,
}

/// `keys()`, `values()` or `items()` of a dictionary.
pub(crate) struct View {
    pub dict: Rc<Dict>,
    pub shown: Shown,
}

/// A pair of values.
pub(crate) fn pair((key, value): (Value, Value)) -> Value {
    Value::tuple(vec![key, value])
}

impl Object for View {
    fn type_name(&self) -> &'static str {
        match self.shown {
            Shown::Keys => "dict_keys",
            Shown::Values => "dict_values",
            Shown::Items => "dict_items",
        }
    }

    fn repr(&self, depth: usize) -> Result<String> {
        let items = Value::list(self.iterate().unwrap_or_default());
        Ok(format!("{}({})", self.type_name(), repr::repr(&items, depth)?))
    }

    fn iterate(&self) -> Option<Vec<Value>> {
        Some(match self.shown {
            Shown::Keys => self.dict.keys(),
            Shown::Values => self.dict.values(),
            Shown::Items => self.dict.entries().into_iter().map(pair).collect(),
        })
    }

    fn len(&self) -> Option<usize> {
        Some(self.dict.0.borrow().len())
    }

    fn comparable(&self) -> Option<(&'static str, Vec<Value>)> {
        // Views of values are equal to themselves alone; those of keys are sets, and these in the same order are equal.
        (self.shown != Shown::Values).then(|| (self.type_name(), self.iterate().unwrap_or_default()))
    }
}

/// `namespace(...)`: attributes that inner blocks may set.
pub(crate) struct Namespace {
    pub dict: Rc<Dict>,
    /// Whether names with an underscore before them are refused.
    pub is_sandboxed: bool,
}

impl Object for Namespace {
    fn type_name(&self) -> &'static str {
        "Namespace"
    }

    fn repr(&self, depth: usize) -> Result<String> {
        Ok(format!("<Namespace {}>", repr::repr(&Value::Dict(self.dict.clone()), depth)?))
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        self.dict.get_str(name)
    }

    fn item(&self, key: &Value) -> Option<Result<Value>> {
        let found = self.dict.get(key).transpose();
        Some(found.unwrap_or_else(|| Err(Error::lookup("the namespace has no such attribute"))))
    }

    fn set_attribute(&self, name: &str, value: Value) -> Result<()> {
        if self.is_sandboxed && name.starts_with('_') {
            let why = format!("a chat template cannot store {name:?} on a namespace: it begins with an underscore");
            return Err(Error::new(crate::error::ErrorKind::Forbidden, why));
        }
        self.dict.insert(Value::from(name), value)
    }
}

/// A method of a value, or a function.
pub(crate) struct Function {
    pub name: &'static str,
    /// The value whose method it is.
    pub this: Option<Value>,
    pub run: fn(&mut Machine, &Value, &'static str, Args) -> Result<Value>,
}

impl Object for Function {
    fn type_name(&self) -> &'static str {
        "builtin_function_or_method"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Err(Error::unsupported(format!("{} is a function: call it, {}()", self.name, self.name)))
    }

    fn call(&self, machine: &mut Machine, args: Args) -> Option<Result<Value>> {
        let this = self.this.clone().unwrap_or(Value::None);
        Some((self.run)(machine, &this, self.name, args))
    }

    fn is_callable(&self) -> bool {
        true
    }
}

/// `cycler(...)`.
#[derive(Clone)]
pub(crate) struct Cycler {
    pub items: Rc<[Value]>,
    pub at: Rc<Cell<usize>>,
}

impl Object for Cycler {
    fn type_name(&self) -> &'static str {
        "Cycler"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Err(Error::unsupported("a cycler is printed as an address: use its current"))
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "current" => self.items.get(self.at.get()).cloned(),
            "pos" => Some(Value::from(self.at.get())),
            "items" => Some(Value::tuple(self.items.to_vec())),
            "next" => Some(Value::object(CyclerMethod { cycler: self.clone(), is_reset: false })),
            "reset" => Some(Value::object(CyclerMethod { cycler: self.clone(), is_reset: true })),
            _ => None,
        }
    }
}

/// `next` or `reset` of a cycler.
struct CyclerMethod {
    cycler: Cycler,
    is_reset: bool,
}

impl Object for CyclerMethod {
    fn type_name(&self) -> &'static str {
        "method"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Err(Error::unsupported("a method is printed as an address: call it"))
    }

    fn call(&self, _: &mut Machine, args: Args) -> Option<Result<Value>> {
        let Cycler { items, at } = &self.cycler;
        let (value, next) = match self.is_reset {
            true => (Value::None, 0),
            false => (items.get(at.get()).cloned().unwrap_or(Value::None), (at.get() + 1) % items.len().max(1)),
        };
        at.set(next);
        Some(args.none("cycler").map(|()| value))
    }

    fn is_callable(&self) -> bool {
        true
    }
}

/// `joiner(...)`: empty on the first call, then the separator.
pub(crate) struct Joiner {
    pub separator: Value,
    pub used: Cell<bool>,
}

impl Object for Joiner {
    fn type_name(&self) -> &'static str {
        "Joiner"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Err(Error::unsupported("a joiner is printed as an address: call it"))
    }

    fn call(&self, _: &mut Machine, args: Args) -> Option<Result<Value>> {
        let first = !self.used.replace(true);
        let value = if first { Value::from("") } else { self.separator.clone() };
        Some(args.none("joiner").map(|()| value))
    }

    fn is_callable(&self) -> bool {
        true
    }
}

/// The items of a slice with these bounds.
pub(crate) fn sliced<T: Clone>(items: &[T], bounds: [Option<i64>; 3]) -> Result<Vec<T>> {
    let [start, stop, step] = bounds;
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Error::value("slice step cannot be zero"));
    }
    limits::items(items.len())?;
    let count = items.len() as i64;
    let (low, high) = if step > 0 { (0, count) } else { (-1, count - 1) };
    let place = |bound: Option<i64>, missing: i64| match bound {
        None => missing,
        Some(bound) if bound < 0 => bound.saturating_add(count).clamp(low, high),
        Some(bound) => bound.clamp(low, high),
    };
    let (mut at, stop) = match step > 0 {
        true => (place(start, low), place(stop, high)),
        false => (place(start, high), place(stop, low)),
    };
    let mut found = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        found.extend(items.get(at as usize).cloned());
        at = at.saturating_add(step);
    }
    Ok(found)
}
