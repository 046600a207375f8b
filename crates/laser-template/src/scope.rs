//! The variables that a piece of a template sees.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use crate::value::{Undefined, Value};

/// Variables, over those of the surroundings.
pub(crate) struct Scope {
    variables: RefCell<HashMap<Box<str>, Value>>,
    parent: Option<Rc<Scope>>,
}

impl Scope {
    pub fn new(parent: Option<Rc<Scope>>) -> Rc<Self> {
        Rc::new(Self { variables: RefCell::default(), parent })
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
