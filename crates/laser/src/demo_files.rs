//! A small model and a task for it, which are part of the program.

use crate::error::{Error, Result};
use laser_run::write_whole;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// A model trained on noisy in-context recall (Chen, Bruna, Bietti, arXiv 2406.03068) and its task. Both are made by
/// `examples/train-demo-model`.
const MODEL: &[(&str, &[u8])] = &[
    ("config.json", include_bytes!("../assets/demo/config.json")),
    ("model.safetensors", include_bytes!("../assets/demo/model.safetensors")),
    ("tokenizer.json", include_bytes!("../assets/demo/tokenizer.json")),
    ("tokenizer_config.json", include_bytes!("../assets/demo/tokenizer_config.json")),
];
const TASK: &[(&str, &[u8])] = &[
    ("demo.yaml", include_bytes!("../assets/demo/demo.yaml")),
    ("demo.jsonl", include_bytes!("../assets/demo/demo.jsonl")),
];

/// Where the demo's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoFiles {
    /// The model, a Hugging Face folder.
    pub model: PathBuf,
    /// The task, a YAML file.
    pub task: PathBuf,
}

impl DemoFiles {
    /// Writes them to `folder`, unless they are there.
    ///
    /// # Errors
    /// If they cannot be written, or other files stand in their places.
    pub fn unpack(folder: &Path) -> Result<Self> {
        let (model, task) = (folder.join("model"), folder.join("task"));
        unpack(MODEL, &model)?;
        unpack(TASK, &task)?;
        Ok(Self { model, task: task.join("demo.yaml") })
    }
}

fn unpack(files: &[(&str, &[u8])], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(|source| Error::DemoFolder { folder: folder.to_owned(), source })?;
    for (name, bytes) in files {
        let path = folder.join(name);
        match laser_guard::read_file(&path, 1 << 30) {
            Ok(found) if found == *bytes => continue,
            Err(error) if error.kind() == io::ErrorKind::NotFound => write_whole(&path, bytes)?,
            _ => return Err(Error::NotOurs { path }),
        }
    }
    Ok(())
}
