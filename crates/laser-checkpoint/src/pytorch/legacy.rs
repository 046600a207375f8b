//! PyTorch's container before 1.6: five pickles (a magic number, the version, the machine's kind,
//! the object, the storages' keys), then each storage as its number of elements (i64) and the
//! elements.

use std::{collections::HashMap, ops::Range};

use super::{
    pickle,
    pickle_value::{Object, Pickle, StorageId, Value},
    refusal::Refusal,
};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const VERSION: i128 = 1001;

pub(super) struct Legacy<'a> {
    pub pickle: Pickle<'a>,
    storages: HashMap<&'a str, (StorageId<'a>, Range<usize>)>,
}

impl<'a> Legacy<'a> {
    pub(super) fn open(file: &'a [u8]) -> Result<Self, Refusal> {
        let damaged = |why: &str| Err(Refusal::Damaged(why.to_owned()));
        let mut at = 0;
        let mut next = || {
            let read = pickle::read(&file[at..])?;
            at += read.length;
            Ok(read)
        };
        // A pickle of something else, or no pickle at all, is told from a damaged one by this
        // number.
        match next() {
            Ok(Pickle { root: Value::Int(MAGIC), .. }) => {}
            Err(refusal @ Refusal::NotRead(_)) => return Err(refusal),
            _ => return damaged("it begins neither like a zip archive nor with PyTorch's magic number"),
        }
        let version = next()?;
        if version.root != Value::Int(VERSION) {
            return damaged("its version is not 1001, the only one that there was");
        }
        let machine = next()?;
        let little = machine.dict(machine.root).and_then(|entries| {
            entries.iter().find(|(key, _)| *key == Value::Text("little_endian")).map(|(_, value)| *value)
        });
        match little {
            Some(Value::Bool(true)) => {}
            Some(Value::Bool(false)) => {
                return Err(Refusal::NotRead("it was written on a big-endian machine: save it on another".to_owned()));
            }
            _ => return damaged("it does not say whether it is little-endian"),
        }
        let pickle = next()?;
        let keys = next()?;

        let mut ids: HashMap<&str, StorageId<'_>> = HashMap::new();
        for object in &pickle.objects {
            if let &Object::Storage(id) = object {
                let first = ids.entry(id.key).or_insert(id);
                if (first.kind, first.count) != (id.kind, id.count) {
                    return Err(Refusal::Damaged(format!("its storage {:?} has two sizes", id.key)));
                }
            }
        }
        let Some(keys) = keys.tuple_or_list(keys.root) else {
            return damaged("its list of storages is none");
        };
        let mut storages = HashMap::with_capacity(keys.len());
        for &key in keys {
            let id = match key {
                Value::Text(key) => ids.get(key),
                _ => None,
            };
            let Some(&id) = id else {
                return damaged("it lists a storage that no tensor has");
            };
            let short = || Refusal::Damaged(format!("its storage {:?} goes beyond the end of the file", id.key));
            let count = file[at..].first_chunk().ok_or_else(short)?;
            at += count.len();
            let count = i64::from_le_bytes(*count);
            if usize::try_from(count) != Ok(id.count) {
                let why = format!("its storage {:?} has {count} elements, not {}", id.key, id.count);
                return Err(Refusal::Damaged(why));
            }
            let end = id.count.checked_mul(id.kind.size()).and_then(|size| at.checked_add(size));
            let end = end.filter(|&end| end <= file.len()).ok_or_else(short)?;
            storages.insert(id.key, (id, at..end));
            at = end;
        }
        Ok(Self { pickle, storages })
    }

    /// The bytes of a storage.
    pub(super) fn storage(&self, id: StorageId<'_>) -> Result<Range<usize>, Refusal> {
        match self.storages.get(id.key) {
            Some((_, range)) => Ok(range.clone()),
            None => Err(Refusal::Damaged(format!("its storage {:?} is missing", id.key))),
        }
    }
}
