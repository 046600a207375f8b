//! `loop`, as a loop's body sees it.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
};

use crate::{
    ast::For,
    compare,
    error::{Error, Result},
    scope::Scope,
    value::{Args, Machine, Object, Value},
};

/// Runs a loop's body over other items, at a depth.
pub(crate) type Run = fn(&mut Machine, &Rc<Scope>, &Arc<For>, Value, usize) -> Result<Value>;

/// What runs a loop's body over other items, for `loop(...)`.
pub(crate) struct Recursion {
    pub run: Run,
    pub scope: Rc<Scope>,
    pub node: Arc<For>,
}

/// The state of a loop.
pub(crate) struct Loop {
    pub items: Vec<Value>,
    pub index: Cell<usize>,
    pub depth: usize,
    pub changed: RefCell<Option<Value>>,
    pub recursion: Option<Recursion>,
}

/// `loop`: the state, shared with the methods that are taken from it.
#[derive(Clone)]
pub(crate) struct LoopObject(pub Rc<Loop>);

impl Object for LoopObject {
    fn type_name(&self) -> &'static str {
        "LoopContext"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Ok(format!("<LoopContext {}/{}>", self.0.index.get() + 1, self.0.items.len()))
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let (index, count) = (self.0.index.get(), self.0.items.len());
        let method = |is_cycle| Some(Value::object(LoopMethod { of: self.clone(), is_cycle }));
        Some(match name {
            "index" => Value::from(index + 1),
            "index0" => Value::from(index),
            "revindex" => Value::from(count - index),
            "revindex0" => Value::from(count - index - 1),
            "first" => Value::from(index == 0),
            "last" => Value::from(index + 1 == count),
            "length" => Value::from(count),
            "depth" => Value::from(self.0.depth + 1),
            "depth0" => Value::from(self.0.depth),
            "previtem" => match index.checked_sub(1).and_then(|before| self.0.items.get(before)) {
                Some(item) => item.clone(),
                None => Value::missing("there is no previous item"),
            },
            "nextitem" => match self.0.items.get(index + 1) {
                Some(item) => item.clone(),
                None => Value::missing("there is no next item"),
            },
            "cycle" => return method(true),
            "changed" => return method(false),
            _ => return None,
        })
    }

    fn len(&self) -> Option<usize> {
        Some(self.0.items.len())
    }

    fn call(&self, machine: &mut Machine, args: Args) -> Option<Result<Value>> {
        let Some(recursion) = &self.0.recursion else {
            let why = "The loop must have the 'recursive' marker to be called recursively.";
            return Some(Err(Error::ty(why)));
        };
        let run = |items| (recursion.run)(machine, &recursion.scope, &recursion.node, items, self.0.depth + 1);
        Some(args.one("loop").and_then(run))
    }

    fn is_callable(&self) -> bool {
        true
    }
}

/// `loop.cycle` or `loop.changed`.
struct LoopMethod {
    of: LoopObject,
    is_cycle: bool,
}

impl Object for LoopMethod {
    fn type_name(&self) -> &'static str {
        "method"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Err(Error::unsupported("a method is printed as an address: call it"))
    }

    fn call(&self, machine: &mut Machine, args: Args) -> Option<Result<Value>> {
        if !args.named.is_empty() {
            return Some(Err(Error::ty("cycle and changed take no arguments by name")));
        }
        let state = &self.of.0;
        if self.is_cycle {
            let place = state.index.get().checked_rem(args.placed.len());
            let item = place.and_then(|place| args.placed.get(place).cloned());
            return Some(item.ok_or_else(|| Error::ty("no items for cycling given")));
        }
        let value = Value::tuple(args.placed);
        let before = state.changed.borrow().clone();
        let same = before.map_or(Ok(false), |before| compare::equal(&before, &value, machine));
        Some(same.map(|same| {
            if !same {
                *state.changed.borrow_mut() = Some(value);
            }
            Value::Bool(!same)
        }))
    }

    fn is_callable(&self) -> bool {
        true
    }
}
