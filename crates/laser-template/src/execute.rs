//! Statements carried out: the text of a template.

use std::{
    cell::{Cell, RefCell},
    rc::{Rc, Weak},
    sync::Arc,
};

use crate::{
    ast::{Expr, For, Macro, Node, Statement, Target},
    dict_methods,
    error::{Error, Result},
    evaluate::{self, evaluate},
    loop_object::{Loop, LoopObject, Recursion},
    repr,
    scope::Scope,
    value::{Args, Machine, Object, Value},
};

/// How a body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    Through,
    Break,
    Continue,
}

/// Writes what these statements give.
pub(crate) fn run(machine: &mut Machine, scope: &Rc<Scope>, nodes: &[Node], out: &mut String) -> Result<Flow> {
    machine.enter()?;
    for node in nodes {
        machine.spend(1)?;
        let flow = statement(machine, scope, &node.kind, out).map_err(|error| error.at(node.line))?;
        if flow != Flow::Through {
            machine.leave();
            return Ok(flow);
        }
    }
    machine.leave();
    Ok(Flow::Through)
}

fn statement(machine: &mut Machine, scope: &Rc<Scope>, statement: &Statement, out: &mut String) -> Result<Flow> {
    match statement {
        Statement::Data(text) => machine.write(out, text)?,
        Statement::Print(expression) => {
            let value = evaluate(machine, scope, expression)?;
            print(machine, &value, out)?;
        }
        Statement::For(node) => {
            let items = evaluate(machine, scope, &node.items)?;
            for_loop(machine, scope, node, items, 0, out)?;
        }
        Statement::If(branches, otherwise) => {
            for (test, body) in branches {
                let test = evaluate(machine, scope, test)?;
                if test.truth(machine)? {
                    return run(machine, scope, body, out);
                }
            }
            return run(machine, scope, otherwise, out);
        }
        Statement::Set(target, expression) => {
            let value = evaluate(machine, scope, expression)?;
            assign(machine, scope, target, value)?;
        }
        Statement::SetBlock(target, filters, body) => {
            let text = captured(machine, &scope.inner(), body)?;
            let value = match filters {
                Some(filters) => evaluate::filtered(machine, scope, filters, text)?,
                None => text,
            };
            assign(machine, scope, target, value)?;
        }
        Statement::With(pairs, body) => {
            let inner = scope.inner();
            for (target, expression) in pairs {
                let value = evaluate(machine, scope, expression)?;
                assign(machine, &inner, target, value)?;
            }
            return run(machine, &inner, body, out);
        }
        Statement::Macro(node) => {
            if let Some(name) = &node.name {
                let value = make_macro(machine, scope, node);
                scope.set(name, value);
            }
        }
        Statement::Call(call, node) => call_block(machine, scope, call, node, out)?,
        Statement::Filter(filters, body) => {
            let text = captured(machine, &scope.inner(), body)?;
            let value = evaluate::filtered(machine, scope, filters, text)?;
            print(machine, &value, out)?;
        }
        Statement::Scope(body) => return run(machine, &scope.inner(), body, out),
        Statement::Break => return Ok(Flow::Break),
        Statement::Continue => return Ok(Flow::Continue),
        Statement::Refused(tag) => {
            return Err(Error::unsupported(format!("{{% {tag} %}} needs other templates, which are not there")));
        }
    }
    Ok(Flow::Through)
}

fn print(machine: &mut Machine, value: &Value, out: &mut String) -> Result<()> {
    match value {
        Value::Str(text) => machine.write(out, text),
        _ => {
            let text = repr::text(value, machine)?;
            machine.write(out, &text)
        }
    }
}

/// The text of a body, as a value.
fn captured(machine: &mut Machine, scope: &Rc<Scope>, body: &[Node]) -> Result<Value> {
    let mut text = String::new();
    run(machine, scope, body, &mut text)?;
    machine.text(text)
}

fn assign(machine: &mut Machine, scope: &Rc<Scope>, target: &Target, value: Value) -> Result<()> {
    match target {
        Target::Name(name) => scope.set(name, value),
        Target::Attribute(name, attribute) => match scope.get(name) {
            Value::Object(object) if object.type_name() == "Namespace" => object.set_attribute(attribute, value)?,
            other if other.is_undefined() => return Err(other.fail()),
            _ => return Err(Error::ty("cannot assign attribute on non-namespace object")),
        },
        Target::Tuple(targets) => {
            let items = value.iterate(machine)?;
            if items.len() != targets.len() {
                let (found, wanted) = (items.len(), targets.len());
                return Err(Error::value(format!("{found} values cannot be unpacked into {wanted} names")));
            }
            for (target, item) in targets.iter().zip(items) {
                assign(machine, scope, target, item)?;
            }
        }
    }
    Ok(())
}

fn for_loop(
    machine: &mut Machine,
    scope: &Rc<Scope>,
    node: &Arc<For>,
    items: Value,
    depth: usize,
    out: &mut String,
) -> Result<()> {
    let mut items = items.iterate(machine)?;
    if let Some(test) = &node.test {
        let mut kept = Vec::new();
        for item in items {
            let inner = scope.inner();
            assign(machine, &inner, &node.target, item.clone())?;
            let test = evaluate(machine, &inner, test)?;
            if test.truth(machine)? {
                kept.push(item);
            }
        }
        items = kept;
    }
    if items.is_empty() {
        run(machine, &scope.inner(), &node.otherwise, out)?;
        return Ok(());
    }
    let recursion = node.is_recursive.then(|| Recursion { run: recurse, scope: scope.clone(), node: node.clone() });
    let state = Loop { items, index: Cell::new(0), depth, changed: RefCell::new(None), recursion };
    let state = Rc::new(state);
    let object = Value::object(LoopObject(state.clone()));
    for index in 0..state.items.len() {
        // Each turn makes a scope with two names.
        machine.spend(5)?;
        state.index.set(index);
        let inner = scope.inner();
        inner.set("loop", object.clone());
        assign(machine, &inner, &node.target, state.items[index].clone())?;
        if run(machine, &inner, &node.body, out)? == Flow::Break {
            break;
        }
    }
    Ok(())
}

/// `loop(items)` of a recursive loop.
fn recurse(machine: &mut Machine, scope: &Rc<Scope>, node: &Arc<For>, items: Value, depth: usize) -> Result<Value> {
    let mut text = String::new();
    machine.enter()?;
    for_loop(machine, scope, node, items, depth, &mut text)?;
    machine.leave();
    machine.text(text)
}

/// A macro with the variables around it.
struct MacroObject {
    node: Arc<Macro>,
    scope: Weak<Scope>,
}

fn make_macro(machine: &mut Machine, scope: &Rc<Scope>, node: &Arc<Macro>) -> Value {
    machine.kept.push(scope.clone());
    Value::object(MacroObject { node: node.clone(), scope: Rc::downgrade(scope) })
}

impl MacroObject {
    fn name(&self) -> &str {
        self.node.name.as_deref().unwrap_or("caller")
    }

    fn invoke(&self, machine: &mut Machine, args: Args) -> Result<Value> {
        let outer = self.scope.upgrade().ok_or_else(|| Error::ty("the macro's surroundings are gone"))?;
        let scope = outer.inner();
        let Args { mut placed, mut named } = args;
        let names = &self.node.parameters.names;
        let [takes_varargs, takes_kwargs, takes_caller] = self.node.takes;
        let rest = if placed.len() > names.len() { placed.split_off(names.len()) } else { Vec::new() };
        let mut take = |name: &str| {
            let place = named.iter().position(|(found, _)| found == name)?;
            Some(named.remove(place).1)
        };
        let defaults = &self.node.parameters.defaults;
        let without = names.len() - defaults.len();
        let mut values = placed.into_iter();
        for (place, name) in names.iter().enumerate() {
            let value = match values.next().or_else(|| take(name)) {
                Some(value) => value,
                None => match place.checked_sub(without).and_then(|place| defaults.get(place)) {
                    Some(default) => evaluate(machine, &scope, default)?,
                    None => Value::missing(format!("parameter '{name}' was not provided")),
                },
            };
            scope.set(name, value);
        }
        if takes_caller && !names.iter().any(|name| &**name == "caller") {
            let caller = take("caller").unwrap_or_else(|| Value::missing("No caller defined"));
            scope.set("caller", caller);
        }
        if takes_kwargs {
            scope.set("kwargs", Value::Dict(dict_methods::of_named(named)?));
        } else if let Some((name, _)) = named.first() {
            return Err(Error::ty(format!("macro '{}' takes no keyword argument '{name}'", self.name())));
        }
        if takes_varargs {
            scope.set("varargs", Value::tuple(rest));
        } else if !rest.is_empty() {
            let count = names.len();
            return Err(Error::ty(format!("macro '{}' takes not more than {count} argument(s)", self.name())));
        }
        captured(machine, &scope, &self.node.body)
    }
}

impl Object for MacroObject {
    fn type_name(&self) -> &'static str {
        "Macro"
    }

    fn repr(&self, _: usize) -> Result<String> {
        Ok(match &self.node.name {
            Some(name) => format!("<Macro {}>", repr::quoted(name)),
            None => "<Macro anonymous>".to_owned(),
        })
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "name" => Some(self.node.name.as_deref().map_or(Value::None, Value::from)),
            "arguments" => {
                let names = self.node.parameters.names.iter().map(|name| Value::from(&**name));
                Some(Value::list(names.collect()))
            }
            "catch_varargs" => Some(Value::from(self.node.takes[0])),
            "catch_kwargs" => Some(Value::from(self.node.takes[1])),
            "caller" => Some(Value::from(self.node.takes[2])),
            _ => None,
        }
    }

    fn call(&self, machine: &mut Machine, args: Args) -> Option<Result<Value>> {
        if let Err(error) = machine.enter() {
            return Some(Err(error));
        }
        let value = self.invoke(machine, args);
        machine.leave();
        Some(value)
    }

    fn is_callable(&self) -> bool {
        true
    }
}

fn call_block(
    machine: &mut Machine,
    scope: &Rc<Scope>,
    call: &Expr,
    node: &Arc<Macro>,
    out: &mut String,
) -> Result<()> {
    let Expr::Call(callee, arguments) = call else { return Err(Error::ty("expected call")) };
    let callee = evaluate(machine, scope, callee)?;
    let mut args = evaluate::args(machine, scope, arguments)?;
    let caller = make_macro(machine, scope, node);
    args.named.push(("caller".to_owned(), caller));
    let value = evaluate::call(machine, &callee, args)?;
    print(machine, &value, out)
}
