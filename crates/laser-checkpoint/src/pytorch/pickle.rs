//! A virtual machine for the opcodes of Python's pickle format that tensors need.
//!
//! A pickle is a program that may call any Python function. Here nothing is ever called: the few
//! names that PyTorch writes for tensors are known, and any other one ends the reading. Opcodes are
//! those of Python's `Lib/pickletools.py`.

use std::collections::HashMap;

use super::{
    pickle_bytes::{PickleBytes, broken},
    pickle_value::{Global, Object, Pickle, StorageId, TensorView, Value},
    refusal::Refusal,
};

/// Opcodes and copied values of one pickle. A tensor takes about fifty.
const MOST_STEPS: usize = 1 << 23;
/// Values, objects and remembered values that are held at once. A tensor takes about ten.
const MOST_HELD: usize = 1 << 22;
/// PyTorch's own kernels take no more.
const MOST_DIMENSIONS: usize = 64;

/// Reads the pickle that `bytes` begin with.
///
/// # Errors
/// It contradicts itself, or asks for something that no tensor needs.
pub(crate) fn read(bytes: &[u8]) -> Result<Pickle<'_>, Refusal> {
    Machine::new(bytes).run()
}

struct Machine<'a> {
    input: PickleBytes<'a>,
    stack: Vec<Value<'a>>,
    /// The stack's heights at which a MARK was set.
    marks: Vec<usize>,
    memo: HashMap<usize, Value<'a>>,
    objects: Vec<Object<'a>>,
    steps: usize,
}

impl<'a> Machine<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (stack, marks, memo, objects) = (Vec::new(), Vec::new(), HashMap::new(), Vec::new());
        Self { input: PickleBytes { bytes, at: 0 }, stack, marks, memo, objects, steps: 0 }
    }

    fn run(mut self) -> Result<Pickle<'a>, Refusal> {
        loop {
            self.spend(1)?;
            let [opcode] = self.input.fixed()?;
            match opcode {
                // PROTO
                0x80 => {
                    let [version] = self.input.fixed()?;
                    if !(2..=5).contains(&version) {
                        return broken(&format!("has version {version}, not 2 to 5"));
                    }
                }
                // FRAME: its length only helps reading from a stream.
                0x95 => {
                    self.input.take(8)?;
                }
                b'.' => {
                    let root = self.pop()?;
                    return Ok(Pickle { root, objects: self.objects, length: self.input.at });
                }

                b'N' => self.stack.push(Value::None),
                0x88 => self.stack.push(Value::Bool(true)),
                0x89 => self.stack.push(Value::Bool(false)),
                // BININT, BININT1, BININT2, LONG1
                b'J' => {
                    let value = i32::from_le_bytes(self.input.fixed()?);
                    self.stack.push(Value::Int(value.into()));
                }
                b'K' => {
                    let [value] = self.input.fixed()?;
                    self.stack.push(Value::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.input.fixed()?);
                    self.stack.push(Value::Int(value.into()));
                }
                0x8a => {
                    let [length] = self.input.fixed()?;
                    let value = self.input.long(length.into())?;
                    self.stack.push(Value::Int(value));
                }
                // BINFLOAT
                b'G' => {
                    self.input.take(8)?;
                    self.stack.push(Value::Float);
                }
                // BINUNICODE, SHORT_BINUNICODE, BINUNICODE8; BINSTRING and SHORT_BINSTRING come
                // from Python 2.
                b'X' | b'T' => {
                    let length = u32::from_le_bytes(self.input.fixed()?);
                    self.text(length.into())?;
                }
                0x8c | b'U' => {
                    let [length] = self.input.fixed()?;
                    self.text(length.into())?;
                }
                0x8d => {
                    let length = u64::from_le_bytes(self.input.fixed()?);
                    self.text(length)?;
                }

                // MARK, POP, POP_MARK, DUP
                b'(' => self.marks.push(self.stack.len()),
                b'0' => {
                    self.pop()?;
                }
                b'1' => {
                    self.pop_to_mark()?;
                }
                b'2' => {
                    let top = self.top()?;
                    self.stack.push(top);
                }

                // Tuples: EMPTY_TUPLE, TUPLE, TUPLE1, TUPLE2, TUPLE3
                b')' => self.make(Object::Tuple(Vec::new())),
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.make(Object::Tuple(items));
                }
                0x85..=0x87 => {
                    let items = self.pop_many(usize::from(opcode - 0x84))?;
                    self.make(Object::Tuple(items));
                }
                // Lists: EMPTY_LIST, LIST, APPEND, APPENDS
                b']' => self.make(Object::List(Vec::new())),
                b'l' => {
                    let items = self.pop_to_mark()?;
                    self.make(Object::List(items));
                }
                b'a' => {
                    let items = self.pop_many(1)?;
                    self.append(items)?;
                }
                b'e' => {
                    let items = self.pop_to_mark()?;
                    self.append(items)?;
                }
                // Dictionaries: EMPTY_DICT, DICT, SETITEM, SETITEMS
                b'}' => self.make(Object::Dict(Vec::new())),
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.make(Object::Dict(Vec::new()));
                    self.set_items(&items)?;
                }
                b's' => {
                    let items = self.pop_many(2)?;
                    self.set_items(&items)?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.set_items(&items)?;
                }

                // BINPUT, LONG_BINPUT, MEMOIZE, BINGET, LONG_BINGET
                b'q' => {
                    let [slot] = self.input.fixed()?;
                    self.put(slot.into())?;
                }
                b'r' => {
                    let slot = u32::from_le_bytes(self.input.fixed()?);
                    self.put(slot as usize)?;
                }
                0x94 => self.put(self.memo.len())?,
                b'h' => {
                    let [slot] = self.input.fixed()?;
                    self.get(slot.into())?;
                }
                b'j' => {
                    let slot = u32::from_le_bytes(self.input.fixed()?);
                    self.get(slot as usize)?;
                }

                // GLOBAL, STACK_GLOBAL, REDUCE, BUILD, BINPERSID
                b'c' => {
                    let (module, name) = (self.input.line()?, self.input.line()?);
                    self.global(module, name)?;
                }
                0x93 => match self.pop_many(2)?[..] {
                    [Value::Text(module), Value::Text(name)] => self.global(module, name)?,
                    _ => return broken("names a function by something that is not a text"),
                },
                b'R' => {
                    let pair = self.pop_many(2)?;
                    self.reduce(pair[0], pair[1])?;
                }
                b'b' => self.build()?,
                b'Q' => self.storage()?,

                _ => {
                    return broken(&format!(
                        "has opcode {opcode:#04x} at byte {}, which no tensor needs",
                        self.input.at - 1
                    ));
                }
            }
        }
    }

    fn text(&mut self, length: u64) -> Result<(), Refusal> {
        let text = self.input.text(length)?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn spend(&mut self, steps: usize) -> Result<(), Refusal> {
        self.steps += steps;
        let most = laser_guard::raised_size(MOST_STEPS);
        if self.steps > most {
            return broken(&format!("takes more than {most} steps ({})", laser_guard::how_to_raise()));
        }
        let most = laser_guard::raised_size(MOST_HELD);
        if self.stack.len() + self.objects.len() + self.memo.len() > most {
            return broken(&format!("holds more than {most} values ({})", laser_guard::how_to_raise()));
        }
        Ok(())
    }

    // The stack. What lies below the last mark is out of reach until that mark is gone.

    fn reach(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Value<'a>, Refusal> {
        match self.stack.last() {
            Some(&value) if self.reach() > 0 => Ok(value),
            _ => broken("takes from an empty stack"),
        }
    }

    fn pop(&mut self) -> Result<Value<'a>, Refusal> {
        let value = self.top()?;
        self.stack.pop();
        Ok(value)
    }

    fn pop_many(&mut self, count: usize) -> Result<Vec<Value<'a>>, Refusal> {
        if self.reach() < count {
            return broken("takes from an empty stack");
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, Refusal> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => broken("goes back to a mark that was not set"),
        }
    }

    fn make(&mut self, object: Object<'a>) {
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
    }

    fn put(&mut self, slot: usize) -> Result<(), Refusal> {
        self.memo.insert(slot, self.top()?);
        Ok(())
    }

    fn get(&mut self, slot: usize) -> Result<(), Refusal> {
        match self.memo.get(&slot) {
            Some(&value) => self.stack.push(value),
            None => return broken(&format!("uses value {slot}, which was not kept")),
        }
        Ok(())
    }

    fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(at) => Some(&self.objects[at]),
            _ => None,
        }
    }

    fn append(&mut self, items: Vec<Value<'a>>) -> Result<(), Refusal> {
        if let Value::Object(at) = self.top()?
            && let Object::List(list) = &mut self.objects[at]
        {
            list.extend(items);
            return Ok(());
        }
        broken("appends to something that is not a list")
    }

    fn set_items(&mut self, items: &[Value<'a>]) -> Result<(), Refusal> {
        let (pairs, []) = items.as_chunks::<2>() else {
            return broken("has a key without a value");
        };
        if let Value::Object(at) = self.top()?
            && let Object::Dict(entries) = &mut self.objects[at]
        {
            entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
            return Ok(());
        }
        broken("sets an entry of something that is not a dictionary")
    }

    // What stands for Python's objects.

    fn global(&mut self, module: &str, name: &str) -> Result<(), Refusal> {
        let Some(global) = Global::named(module, name) else {
            let asked: String = format!("{module}.{name}").chars().take(100).collect();
            let why = format!(
                "it asks for Python's {asked:?}, which no plain tensor needs (nothing was run): take the model's safetensors \
                 files, or save its state_dict alone"
            );
            return Err(Refusal::NotRead(why));
        };
        self.stack.push(Value::Global(global));
        Ok(())
    }

    /// The state that BUILD gives to a dictionary is `_metadata`, versions of modules.
    fn build(&mut self) -> Result<(), Refusal> {
        self.pop()?;
        match self.object(self.top()?) {
            Some(Object::Dict(_)) => Ok(()),
            _ => broken("gives a state to something that is not a dictionary"),
        }
    }

    /// `('storage', type, key, device, elements)`, and in the legacy format a part of it.
    fn storage(&mut self) -> Result<(), Refusal> {
        let id = self.pop()?;
        let items = match self.object(id) {
            Some(Object::Tuple(items)) => items.as_slice(),
            _ => &[],
        };
        let &[Value::Text("storage"), Value::Global(Global::Storage(kind)), Value::Text(key), _, count, ref rest @ ..] =
            items
        else {
            return broken("has a reference to something that is not a storage");
        };
        let count = index(count)?;
        let slice = match rest {
            [] | [Value::None] => None,
            [part] => match self.object(*part) {
                Some(Object::Tuple(items)) if items.len() == 3 => Some((index(items[1])?, index(items[2])?)),
                _ => return broken("has a storage with a part that is none"),
            },
            _ => return broken("has a storage with too many parts"),
        };
        self.make(Object::Storage(StorageId { kind, key, count, slice }));
        Ok(())
    }

    fn reduce(&mut self, function: Value<'a>, arguments: Value<'a>) -> Result<(), Refusal> {
        let Value::Global(function) = function else {
            return broken("calls something that is not a function");
        };
        let Some(Object::Tuple(arguments)) = self.object(arguments) else {
            return broken("calls a function without a tuple of arguments");
        };
        match (function, arguments.as_slice()) {
            (Global::OrderedDict, []) => self.make(Object::Dict(Vec::new())),
            // Python 2 hands the entries over as a list of pairs.
            (Global::OrderedDict, &[entries]) => {
                let Some(Object::List(entries)) = self.object(entries) else {
                    return broken("makes a dictionary of something that is not a list");
                };
                let mut pairs = Vec::with_capacity(entries.len());
                for &entry in entries {
                    match self.object(entry) {
                        Some(Object::List(pair) | Object::Tuple(pair)) if pair.len() == 2 => {
                            pairs.push((pair[0], pair[1]))
                        }
                        _ => return broken("makes a dictionary of something that is not a pair"),
                    }
                }
                self.spend(pairs.len())?;
                self.make(Object::Dict(pairs));
            }
            (Global::Size, &[sizes]) => self.stack.push(sizes),
            (Global::RebuildTensor | Global::RebuildTensorV2, &[storage, offset, shape, strides, ..]) => {
                let Some(&Object::Storage(storage)) = self.object(storage) else {
                    return broken("has a tensor without a storage");
                };
                let offset = index(offset)?;
                let (shape, strides) = (self.indices(shape)?, self.indices(strides)?);
                self.make(Object::Tensor(TensorView { storage, offset, shape, strides }));
            }
            (Global::RebuildParameter, &[data, ..]) => match self.object(data) {
                Some(Object::Tensor(_)) => self.stack.push(data),
                _ => return broken("has a parameter without a tensor"),
            },
            (function, arguments) => {
                return broken(&format!("calls {function:?} with {} arguments", arguments.len()));
            }
        }
        Ok(())
    }

    fn indices(&self, value: Value<'a>) -> Result<Vec<usize>, Refusal> {
        match self.object(value) {
            Some(Object::Tuple(items)) if items.len() <= MOST_DIMENSIONS => items.iter().copied().map(index).collect(),
            _ => broken("has a shape that is none"),
        }
    }
}

fn index(value: Value<'_>) -> Result<usize, Refusal> {
    match value {
        Value::Int(value) => usize::try_from(value).or_else(|_| broken(&format!("has {value} where a size belongs"))),
        _ => broken("has no number where a size belongs"),
    }
}
