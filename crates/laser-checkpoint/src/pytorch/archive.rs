//! PyTorch's zip container (since 1.6): `NAME/data.pkl`, and each storage as the uncompressed entry
//! `NAME/data/KEY`.

use std::{collections::HashMap, io::Cursor, ops::Range};

use zip::{CompressionMethod, ZipArchive};

use super::{
    pickle,
    pickle_value::{Pickle, StorageId},
    refusal::Refusal,
};

/// An archive's entries, as ranges of the file.
pub(super) struct Archive {
    /// `NAME/`, or nothing.
    prefix: String,
    entries: HashMap<String, Range<usize>>,
}

impl Archive {
    pub(super) fn starts(file: &[u8]) -> bool {
        file.starts_with(b"PK\x03\x04")
    }

    pub(super) fn open(file: &[u8]) -> Result<Self, Refusal> {
        let damaged = |error: zip::result::ZipError| {
            Refusal::Damaged(format!("it is not a whole zip archive ({error})").replace('\n', " "))
        };
        let mut archive = ZipArchive::new(Cursor::new(file)).map_err(damaged)?;
        if archive.has_duplicate_names() {
            return Err(Refusal::Damaged("two of its entries have the same name".to_owned()));
        }
        let mut entries = HashMap::new();
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            if entry.compression() != CompressionMethod::STORE || entry.encrypted() {
                let why = format!(
                    "its entry {name:?} is compressed or encrypted, which PyTorch never does: save it with PyTorch"
                );
                return Err(Refusal::NotRead(why));
            }
            let start = entry.data_start().and_then(|start| usize::try_from(start).ok());
            let size = usize::try_from(entry.size()).ok().filter(|_| entry.size() == entry.compressed_size());
            let range = start
                .zip(size)
                .and_then(|(start, size)| Some(start..start.checked_add(size)?))
                .filter(|range| range.end <= file.len());
            let Some(range) = range else {
                return Err(Refusal::Damaged(format!("its entry {name:?} is larger than the file")));
            };
            entries.insert(name, range);
        }
        let mut pickles = entries.keys().filter(|name| *name == "data.pkl" || name.ends_with("/data.pkl"));
        let prefix = match (pickles.next(), pickles.next()) {
            (Some(name), None) => name.trim_end_matches("data.pkl").to_owned(),
            (None, _) => return Err(Refusal::Damaged("it has no entry data.pkl".to_owned())),
            (Some(_), Some(_)) => return Err(Refusal::Damaged("it has several entries data.pkl".to_owned())),
        };
        if let Some(order) = entries.get(&format!("{prefix}byteorder"))
            && &file[order.clone()] != b"little"
        {
            return Err(Refusal::NotRead("it was written on a big-endian machine: save it on another".to_owned()));
        }
        Ok(Self { prefix, entries })
    }

    pub(super) fn pickle<'a>(&self, file: &'a [u8]) -> Result<Pickle<'a>, Refusal> {
        pickle::read(self.entries.get(&format!("{}data.pkl", self.prefix)).map_or(&[], |range| &file[range.clone()]))
    }

    /// The bytes of a storage.
    pub(super) fn storage(&self, id: StorageId<'_>) -> Result<Range<usize>, Refusal> {
        let StorageId { kind, key, count, .. } = id;
        let Some(range) = self.entries.get(&format!("{}data/{key}", self.prefix)) else {
            return Err(Refusal::Damaged(format!("its storage {key:?} is missing")));
        };
        if count.checked_mul(kind.size()) != Some(range.len()) {
            let why = format!("its storage {key:?} has {} bytes, not those of {count} elements", range.len());
            return Err(Refusal::Damaged(why));
        }
        Ok(range.clone())
    }
}
