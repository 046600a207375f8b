//! What `laser doctor`, `laser completions` and `laser man` are told.

use clap::Args;
use clap_complete::Shell;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct DoctorOptions {
    /// A model: a folder, a .gguf file, or OWNER/NAME of the Hugging Face hub
    #[arg(value_name = "MODEL")]
    pub model: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManOptions {
    /// The folder to write them to, made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replace pages that exist
    #[arg(long)]
    pub force: bool,
}
