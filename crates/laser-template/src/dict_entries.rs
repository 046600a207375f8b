//! The entries of a dictionary.

use crate::{
    error::Result,
    limits,
    value::{Dict, Key, Value},
};

impl Dict {
    /// The value under a key.
    pub(crate) fn get(&self, key: &Value) -> Result<Option<Value>> {
        Ok(self.0.borrow().get(&key.key(0)?).map(|(_, value)| value.clone()))
    }

    /// The value under a text.
    pub(crate) fn get_str(&self, key: &str) -> Option<Value> {
        self.0.borrow().get(&Key::Str(key.into())).map(|(_, value)| value.clone())
    }

    /// Puts a value under a key, which keeps its place if it is there.
    pub(crate) fn insert(&self, key: Value, value: Value) -> Result<()> {
        let hashed = key.key(0)?;
        let mut entries = self.0.borrow_mut();
        match entries.get_mut(&hashed) {
            Some(entry) => entry.1 = value,
            None => {
                limits::items(entries.len())?;
                entries.insert(hashed, (key, value));
            }
        }
        Ok(())
    }

    pub(crate) fn keys(&self) -> Vec<Value> {
        self.0.borrow().values().map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        self.0.borrow().values().map(|(_, value)| value.clone()).collect()
    }

    pub(crate) fn entries(&self) -> Vec<(Value, Value)> {
        self.0.borrow().values().cloned().collect()
    }
}
