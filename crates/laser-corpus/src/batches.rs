//! A corpus as batches of documents, read one after the other and counted many at a time.

use crate::corpus_error::{CorpusError, Result};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// About so many bytes are a batch.
const BATCH: usize = 4 << 20;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text; documents are separated by empty lines.
    Text,
    /// A JSON object a line, with a `text`.
    Lines,
}

/// Some documents.
pub struct Batch {
    path: PathBuf,
    form: Form,
    /// Lines before it in its file.
    line: usize,
    bytes: Vec<u8>,
    /// Bytes of text that it was made of, as they are decompressed.
    pub size: usize,
    /// Bytes of the file that were read for it.
    pub read: u64,
}

impl Batch {
    /// Calls `document` with each document's text.
    ///
    /// # Errors
    /// A line is not a JSON object with a `text`.
    pub fn each(&self, mut document: impl FnMut(&[u8])) -> Result<()> {
        match self.form {
            Form::Text => {
                let mut rest = self.bytes.as_slice();
                while let Some(end) = find_empty_line(rest) {
                    document(&rest[..end]);
                    rest = &rest[end + 2..];
                }
                document(rest);
            }
            Form::Lines => {
                for (number, line) in self.bytes.split(|&byte| byte == b'\n').enumerate() {
                    if line.iter().all(u8::is_ascii_whitespace) {
                        continue;
                    }
                    let row: Row = serde_json::from_slice(line).map_err(|error| CorpusError::Line {
                        path: self.path.clone(),
                        line: self.line + number + 1,
                        why: format!("is not a document: {error}: write a JSON object with a text"),
                    })?;
                    document(row.text.as_bytes());
                }
            }
        }
        Ok(())
    }
}

#[derive(serde::Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    text: std::borrow::Cow<'a, str>,
}

fn find_empty_line(bytes: &[u8]) -> Option<usize> {
    bytes.windows(2).position(|pair| pair == b"\n\n")
}

/// The files of a corpus, in the order of their names: `path` itself, or everything below it that is text. Links to folders are
/// not followed: they may lead around in circles, and a text would be counted twice.
///
/// # Errors
/// A folder cannot be read, or no text is in it.
pub fn files_of(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if path.is_dir() {
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            let io = |source| CorpusError::Io { path: folder.clone(), source };
            for entry in std::fs::read_dir(&folder).map_err(io)? {
                let entry = entry.map_err(io)?;
                let (is_folder, entry) = (entry.file_type().map_err(io)?.is_dir(), entry.path());
                match form_of(&entry) {
                    _ if is_folder => folders.push(entry),
                    Some(_) if !entry.is_dir() => files.push(entry),
                    _ => {}
                }
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    if files.is_empty() || files.iter().any(|file| form_of(file).is_none()) {
        return Err(CorpusError::NoText { path: path.to_owned() });
    }
    Ok(files)
}

/// Bytes of the corpus's files on disk.
///
/// # Errors
/// A folder or a file cannot be read.
pub fn size_of(path: &Path) -> Result<u64> {
    Ok(files_of(path)?.iter().map(|file| std::fs::metadata(file).map_or(0, |it| it.len())).sum())
}

/// By the name's ending, and whether it is compressed.
fn form_of(path: &Path) -> Option<(Form, bool)> {
    let name = path.file_name()?.to_str()?;
    let (stem, compressed) = name.strip_suffix(".zst").map_or((name, false), |stem| (stem, true));
    match stem.rsplit_once('.')?.1 {
        "txt" => Some((Form::Text, compressed)),
        "jsonl" => Some((Form::Lines, compressed)),
        _ => None,
    }
}

/// The batches of one file.
pub struct Batches {
    path: PathBuf,
    form: Form,
    reader: Box<dyn BufRead + Send>,
    /// Bytes of the file that were read since the last batch.
    read: Arc<AtomicU64>,
    line: usize,
    ended: bool,
}

impl Batches {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be opened, or is not text.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| CorpusError::Io { path: path.to_owned(), source };
        let (form, compressed) = form_of(path).ok_or_else(|| CorpusError::NoText { path: path.to_owned() })?;
        let read = Arc::new(AtomicU64::new(0));
        let file = Counted { file: laser_guard::open_file(path).map_err(io)?, read: read.clone() };
        let reader: Box<dyn BufRead + Send> = match compressed {
            true => Box::new(BufReader::with_capacity(1 << 20, zstd::Decoder::new(file).map_err(io)?)),
            false => Box::new(BufReader::with_capacity(1 << 20, file)),
        };
        Ok(Self { path: path.to_owned(), form, reader, read, line: 0, ended: false })
    }

    fn read(&mut self) -> Result<Option<Batch>> {
        let io = |source| CorpusError::Io { path: self.path.clone(), source };
        let mut bytes = Vec::with_capacity(BATCH + (64 << 10));
        self.reader.by_ref().take(BATCH as u64).read_to_end(&mut bytes).map_err(io)?;
        // To the end of a document. One that never ends is cut, at a line if there is one.
        while !bytes.is_empty() && bytes.len() < 16 * BATCH {
            let before = bytes.len();
            self.reader.by_ref().take(16 * BATCH as u64 - before as u64).read_until(b'\n', &mut bytes).map_err(io)?;
            let at_end = bytes.len() == before;
            if at_end || self.form == Form::Lines || bytes.ends_with(b"\n\n") {
                break;
            }
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let line = self.line;
        if self.form == Form::Lines {
            self.line += bytes.iter().filter(|&&byte| byte == b'\n').count();
        }
        let (size, read) = (bytes.len(), self.read.swap(0, Ordering::Relaxed));
        Ok(Some(Batch { path: self.path.clone(), form: self.form, line, bytes, size, read }))
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read(buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Iterator for Batches {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        if self.ended {
            return None;
        }
        let batch = self.read().transpose();
        self.ended = !matches!(batch, Some(Ok(_)));
        batch
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn each_text_below_a_folder_is_there_once_whatever_links_there_are() {
        let scratch = tempfile::tempdir().unwrap();
        let corpus = scratch.path().join("corpus");
        fs::create_dir_all(corpus.join("below")).unwrap();
        fs::write(corpus.join("below/a.txt"), "a").unwrap();
        fs::write(scratch.path().join("b.txt"), "b").unwrap();
        for (target, name) in [(".", "one"), (".", "two"), ("/", "all"), ("below", "folder.txt")] {
            symlink(target, corpus.join(name)).unwrap();
        }
        symlink("../b.txt", corpus.join("b.txt")).unwrap();
        assert_eq!(files_of(&corpus).unwrap(), [corpus.join("b.txt"), corpus.join("below/a.txt")]);
        assert_eq!(size_of(&corpus).unwrap(), 2);
        // The folder that was named may be a link itself.
        assert_eq!(files_of(&corpus.join("one")).unwrap().len(), 2);
    }
}
