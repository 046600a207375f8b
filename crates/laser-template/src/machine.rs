//! What a rendering may still use, and how filters and tests are called.

use crate::{
    error::{Error, ErrorKind, Result},
    limits,
    value::{Args, Machine, Value},
};

impl Machine {
    /// Counts work, by pieces of about a hundred bytes or one item.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<()> {
        match self.steps.checked_sub(steps as u64) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(limits::no_steps_left()),
        }
    }

    /// Counts what it takes to look a key up: each item of a tuple, also where tuples share them, and
    /// its texts.
    pub(crate) fn weigh(&mut self, key: &Value) -> Result<()> {
        self.weigh_at(key, 0)
    }

    fn weigh_at(&mut self, key: &Value, depth: usize) -> Result<()> {
        limits::nested(depth)?;
        match key {
            Value::Tuple(tuple) => {
                self.spend(1)?;
                tuple.items.iter().try_for_each(|item| self.weigh_at(item, depth + 1))
            }
            Value::Str(text) | Value::Markup(text) => self.spend(text.len() / 100),
            _ if depth > 0 => self.spend(1),
            _ => Ok(()),
        }
    }

    /// Whether an argument is given and holds.
    pub(crate) fn is_set(&self, argument: Option<Value>) -> Result<bool> {
        argument.map_or(Ok(false), |argument| argument.truth(self))
    }

    /// One level further down; `leave` must follow.
    pub(crate) fn enter(&mut self) -> Result<()> {
        self.depth += 1;
        match self.depth > limits::CALLS {
            true => Err(Error::limit("the template calls itself too deeply")),
            false => Ok(()),
        }
    }

    pub(crate) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Adds text to the output.
    pub(crate) fn write(&mut self, out: &mut String, text: &str) -> Result<()> {
        self.output += text.len();
        limits::output(self.output)?;
        self.spend(1 + text.len() / 100)?;
        out.push_str(text);
        Ok(())
    }

    /// Text that was made, if it is not too long.
    pub(crate) fn text(&mut self, text: String) -> Result<Value> {
        limits::text(text.len())?;
        self.spend(1 + text.len() / 100)?;
        Ok(Value::from(text))
    }

    /// A list of items, if they are not too many.
    pub(crate) fn list(&mut self, items: Vec<Value>) -> Result<Value> {
        limits::items(items.len())?;
        self.spend(1 + items.len())?;
        Ok(Value::list(items))
    }

    pub(crate) fn filter(&self, name: &str) -> bool {
        (self.filters)(name).is_some() || self.extra.iter().any(|(own, _)| *own == name)
    }

    /// `input|name(args)`.
    pub(crate) fn call_filter(&mut self, name: &str, input: Value, args: Args) -> Result<Value> {
        self.spend(1)?;
        if let Some((_, filter)) = self.extra.iter().find(|(own, _)| *own == name) {
            let text = filter(input.as_str().ok_or_else(|| Error::ty(format!("{name} takes text")))?);
            return self.text(text);
        }
        match (self.filters)(name) {
            Some(filter) => filter(self, input, args),
            None => Err(Error::new(ErrorKind::Syntax, format!("there is no filter {name:?}"))),
        }
    }

    /// `input is name(args)`.
    pub(crate) fn call_test(&mut self, name: &str, input: Value, args: Args) -> Result<bool> {
        self.spend(1)?;
        match (self.tests)(name) {
            Some(test) => test(self, input, args),
            None => Err(Error::new(ErrorKind::Syntax, format!("there is no test {name:?}"))),
        }
    }
}
