//! The values of a template: Python's, with Python's identity and mutability.

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use indexmap::IndexMap;
use num_bigint::BigInt;
use num_traits::{FromPrimitive, ToPrimitive};

use crate::{
    arguments::Args as Arguments,
    error::{Error, Result},
    limits,
};

/// The arguments of a call.
pub(crate) type Args = Arguments<Value>;

/// A Python value.
#[derive(Clone)]
pub enum Value {
    /// What a missing name or attribute gives.
    Undefined(Rc<Undefined>),
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of any size.
    Int(BigInt),
    /// A float.
    Float(f64),
    /// Text.
    Str(Rc<str>),
    /// Text that is marked as safe HTML: what is added to it is escaped.
    Markup(Rc<str>),
    /// A list, which can change.
    List(Rc<List>),
    /// A tuple.
    Tuple(Rc<Tuple>),
    /// A dictionary in the order of insertion, which can change.
    Dict(Rc<Dict>),
    /// Anything else: functions, ranges, views, namespaces.
    Object(Rc<dyn Object>),
}

/// Why a value is undefined.
#[derive(Debug)]
pub struct Undefined {
    /// The message of the error that its use gives.
    pub message: String,
    /// The name of the variable.
    pub name: Option<String>,
    /// The sandbox forbids it: its use is an error of another kind.
    pub forbidden: bool,
    /// It is empty in strict templates, too: what an `if` without an `else` gives.
    pub is_lenient: bool,
}

/// The items of a Python list.
pub struct List(pub(crate) RefCell<Vec<Value>>);

/// The items of a Python tuple.
pub struct Tuple {
    pub(crate) items: Vec<Value>,
    /// A group of `groupby`, whose items are `grouper` and `list`, too.
    pub(crate) is_group: bool,
}

/// A Python dictionary.
#[derive(Default)]
pub struct Dict(pub(crate) RefCell<IndexMap<Key, (Value, Value)>>);

/// A value as a key: equal keys are the same key in Python (`1`, `1.0` and `True`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Key {
    /// `None`.
    None,
    /// An integer, a truth value or a whole float.
    Int(BigInt),
    /// The bits of another float.
    Float(u64),
    /// Text.
    Str(Rc<str>),
    /// The keys of a tuple's items.
    Tuple(Vec<Key>),
    /// Undefined: all are equal.
    Undefined,
    /// The address of an object.
    Object(usize),
}

/// A value of a kind that templates cannot write down.
pub trait Object {
    /// Python's name of its class.
    fn type_name(&self) -> &'static str;

    /// Python's `repr`.
    fn repr(&self, depth: usize) -> Result<String>;

    /// The attribute of this name.
    fn attribute(&self, _name: &str) -> Option<Value> {
        None
    }

    /// Whether `name` is written as an attribute of an object that templates may assign to.
    fn set_attribute(&self, name: &str, _value: Value) -> Result<()> {
        Err(Error::ty(format!("cannot assign attribute {name} on a {} object", self.type_name())))
    }

    /// The item under a key; None if it has no items at all.
    fn item(&self, _key: &Value) -> Option<Result<Value>> {
        None
    }

    /// The items that a loop goes through; None if it is not iterable.
    fn iterate(&self) -> Option<Vec<Value>> {
        None
    }

    /// Whether a loop can go through it.
    fn is_iterable(&self) -> bool {
        self.len().is_some()
    }

    /// `len`; None if it has none.
    fn len(&self) -> Option<usize> {
        None
    }

    /// Whether it holds as true.
    fn truth(&self) -> bool {
        self.len() != Some(0)
    }

    /// The result of a call; None if it cannot be called.
    fn call(&self, _machine: &mut Machine, _args: Args) -> Option<Result<Value>> {
        None
    }

    /// Whether it can be called.
    fn is_callable(&self) -> bool {
        false
    }

    /// Items for comparisons: ranges and views are equal by them.
    fn comparable(&self) -> Option<(&'static str, Vec<Value>)> {
        None
    }
}

/// A filter: the machine, what stands before the bar, the arguments.
pub(crate) type Filter = fn(&mut Machine, Value, Args) -> Result<Value>;
/// A test, alike.
pub(crate) type Test = fn(&mut Machine, Value, Args) -> Result<bool>;
/// A filter on text alone, that a caller adds.
pub type TextFilter = fn(&str) -> String;

/// Whose Jinja a template is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// A task file of lm-evaluation-harness: undefined names are errors, whitespace stays.
    Task,
    /// A chat template of transformers: undefined names are empty, blocks are trimmed, no mutation.
    Chat,
}

/// The state of one rendering: what it may still use, and the filters that it knows.
pub struct Machine {
    pub(crate) dialect: Dialect,
    pub(crate) filters: fn(&str) -> Option<Filter>,
    pub(crate) tests: fn(&str) -> Option<Test>,
    pub(crate) extra: Vec<(&'static str, TextFilter)>,
    /// What macros look up their names in; they hold it weakly, so that nothing holds itself.
    pub(crate) kept: Vec<Rc<dyn std::any::Any>>,
    pub(crate) attribute: fn(&Value, &str, &mut Machine) -> Result<Value>,
    pub(crate) item: fn(&Value, &Value, &mut Machine) -> Result<Value>,
    pub(crate) steps: u64,
    pub(crate) depth: usize,
    pub(crate) output: usize,
}

impl Value {
    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(List(RefCell::new(items))))
    }

    pub(crate) fn tuple(items: Vec<Value>) -> Self {
        Self::Tuple(Rc::new(Tuple { items, is_group: false }))
    }

    pub(crate) fn object(object: impl Object + 'static) -> Self {
        Self::Object(Rc::new(object))
    }

    /// An undefined value that is not a variable.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined { message: message.into(), name: None, forbidden: false, is_lenient: false }))
    }

    /// An undefined value that is empty in strict templates, too.
    pub(crate) fn nothing(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Undefined { message: message.into(), name: None, forbidden: false, is_lenient: true }))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) | Self::Markup(text) => Some(text),
            _ => None,
        }
    }

    /// An argument that must be text.
    pub(crate) fn to_text(&self, what: &str) -> Result<String> {
        match self.as_str() {
            Some(text) => Ok(text.to_owned()),
            None if self.is_undefined() => Err(self.fail()),
            None => Err(Error::ty(format!("{what} takes text, not {}", self.type_name()))),
        }
    }

    /// Python's name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Markup(_) => "Markup",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Object(object) => object.type_name(),
        }
    }

    /// Whether this is undefined.
    pub fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// A whole number, where Python would take one (truth values, too).
    pub(crate) fn as_int(&self) -> Option<BigInt> {
        match self {
            Self::Int(number) => Some(number.clone()),
            Self::Bool(held) => Some(BigInt::from(u8::from(*held))),
            _ => None,
        }
    }

    /// A number as a float; None if it is none or too large.
    pub(crate) fn as_float(&self) -> Option<f64> {
        match self {
            Self::Float(number) => Some(*number),
            _ => self.as_int()?.to_f64().filter(|number| number.is_finite()),
        }
    }

    /// The error of using this undefined value.
    pub(crate) fn fail(&self) -> Error {
        match self {
            Self::Undefined(why) if why.forbidden => Error::new(crate::error::ErrorKind::Forbidden, &*why.message),
            Self::Undefined(why) => Error::undefined(&*why.message, why.name.as_deref()),
            _ => Error::ty(format!("a {} cannot be used so", self.type_name())),
        }
    }

    /// Nothing, or the error of a value that strict templates may not use.
    pub(crate) fn defined(&self, machine: &Machine) -> Result<()> {
        match self {
            Self::Undefined(why) if machine.dialect == Dialect::Task && !why.is_lenient => Err(self.fail()),
            _ => Ok(()),
        }
    }

    /// Whether it holds as true.
    pub(crate) fn truth(&self, machine: &Machine) -> Result<bool> {
        self.defined(machine)?;
        Ok(self.is_true())
    }

    /// The items that a loop goes through.
    pub(crate) fn iterate(&self, machine: &mut Machine) -> Result<Vec<Value>> {
        self.defined(machine)?;
        let items = match self {
            Self::Undefined(_) => Some(Vec::new()),
            Self::Str(text) | Self::Markup(text) => {
                machine.spend(text.len())?;
                Some(text.chars().map(|letter| Value::from(letter.to_string())).collect())
            }
            Self::List(list) => Some(list.0.borrow().clone()),
            Self::Tuple(tuple) => Some(tuple.items.clone()),
            Self::Dict(dict) => Some(dict.keys()),
            Self::Object(object) => object.iterate(),
            _ => None,
        };
        let items = items.ok_or_else(|| Error::ty(format!("'{}' object is not iterable", self.type_name())))?;
        machine.spend(items.len())?;
        Ok(items)
    }

    /// The value as a dictionary's key.
    pub(crate) fn key(&self, depth: usize) -> Result<Key> {
        limits::nested(depth)?;
        Ok(match self {
            Self::Undefined(_) => Key::Undefined,
            Self::None => Key::None,
            Self::Bool(_) | Self::Int(_) => Key::Int(self.as_int().unwrap_or_default()),
            Self::Float(number) => match number.fract() == 0.0 {
                true => BigInt::from_f64(*number).map_or(Key::Float(number.to_bits()), Key::Int),
                false => Key::Float(number.to_bits()),
            },
            Self::Str(text) | Self::Markup(text) => Key::Str(text.clone()),
            Self::Tuple(tuple) => {
                Key::Tuple(tuple.items.iter().map(|item| item.key(depth + 1)).collect::<Result<_>>()?)
            }
            Self::List(_) | Self::Dict(_) => {
                return Err(Error::ty(format!("unhashable type: '{}'", self.type_name())));
            }
            Self::Object(object) => Key::Object(Rc::as_ptr(object).cast::<()>() as usize),
        })
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.type_name())
    }
}

thread_local! {
    static FALLING: Cell<bool> = const { Cell::new(false) };
    static FALLEN: RefCell<Vec<Value>> = const { RefCell::new(Vec::new()) };
}

/// Drops values one after the other: a deep nest of lists would overflow the stack.
fn drop_flat(items: Vec<Value>) {
    if items.is_empty() {
        return;
    }
    let _ = FALLEN.try_with(|fallen| fallen.borrow_mut().extend(items));
    if FALLING.try_with(|falling| falling.replace(true)).unwrap_or(true) {
        return;
    }
    while let Some(value) = FALLEN.try_with(|fallen| fallen.borrow_mut().pop()).ok().flatten() {
        drop(value);
    }
    let _ = FALLING.try_with(|falling| falling.set(false));
}

impl Drop for List {
    fn drop(&mut self) {
        drop_flat(std::mem::take(self.0.get_mut()));
    }
}

impl Drop for Tuple {
    fn drop(&mut self) {
        drop_flat(std::mem::take(&mut self.items));
    }
}

impl Drop for Dict {
    fn drop(&mut self) {
        drop_flat(std::mem::take(self.0.get_mut()).into_values().map(|(_, value)| value).collect());
    }
}
