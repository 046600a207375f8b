//! The variables that a piece of a template sees.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use crate::value::{Undefined, Value};

/// Variables, over those of the surroundings.
pub(crate) struct Scope {
    variables: RefCell<BTreeMap<Box<str>, Value>>,
    parent: Option<Rc<Scope>>,
    depth: usize,
}

impl Scope {
    pub fn new(parent: Option<Rc<Scope>>) -> Rc<Self> {
        let depth = parent.as_ref().map_or(0, |parent| parent.depth + 1);
        Rc::new(Self { variables: RefCell::default(), parent, depth })
    }

    /// Over how many others it lies: a name may be looked for in each.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// A scope within this one.
    pub fn inner(self: &Rc<Self>) -> Rc<Self> {
        Self::new(Some(self.clone()))
    }

    pub fn set(&self, name: &str, value: Value) {
        self.variables.borrow_mut().insert(name.into(), value);
    }

    /// The value of a name, undefined if it has none.
    pub fn get(&self, name: &str) -> Value {
        let mut scope = Some(self);
        while let Some(here) = scope {
            if let Some(value) = here.variables.borrow().get(name) {
                return value.clone();
            }
            scope = here.parent.as_deref();
        }
        let undefined = Undefined {
            message: format!("'{name}' is undefined"),
            name: Some(name.to_owned()),
            forbidden: false,
            is_lenient: false,
        };
        Value::Undefined(Rc::new(undefined))
    }
}
