//! What fuzzing runs: for each format that is read from outside, a body that reads it as the
//! program does, seeds, and a way to make new inputs by the format's structure.
//!
//! The same targets are run by `fuzz/` (cargo-fuzz, nightly) and by this crate's own test, which
//! stable CI runs. A body fails by a panic, by more than a second, or by more than a gigabyte.

mod choices;
mod edit_bodies;
mod header_grammar;
mod json_change;
mod mutation;
mod pattern_grammar;
mod pickle_grammar;
mod run_bodies;
mod scratch;
mod sections;
mod seeds;
mod table_grammar;
mod task_bodies;
mod task_grammar;
mod template_bodies;
mod template_grammar;
mod tiny_model;
mod tokenizer_bodies;
#[cfg(feature = "weights")]
mod weight_bodies;

pub use choices::Choices;
pub use mutation::mutated;
pub use seeds::seeds;

/// Something that is read from outside.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its folder of seeds.
    pub name: &'static str,
    /// Reads an input as the program does; whatever that is, it gives a value or an error.
    pub body: fn(&[u8]),
    /// Makes an input by the format's structure from another one.
    pub reshape: fn(&[u8], &mut Choices) -> Vec<u8>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    #[cfg(feature = "weights")]
    Target { name: "safetensors", body: weight_bodies::safetensors, reshape: header_grammar::safetensors },
    #[cfg(feature = "weights")]
    Target { name: "gguf", body: weight_bodies::gguf, reshape: header_grammar::gguf },
    #[cfg(feature = "weights")]
    Target { name: "pickle", body: weight_bodies::pickle, reshape: pickle_grammar::pickle },
    #[cfg(feature = "weights")]
    Target { name: "config", body: weight_bodies::config, reshape: table_grammar::config },
    #[cfg(feature = "weights")]
    Target { name: "table", body: weight_bodies::table, reshape: table_grammar::table },
    Target { name: "tokenizer", body: tokenizer_bodies::tokenizer, reshape: json_change::sections },
    Target { name: "sentencepiece", body: tokenizer_bodies::sentencepiece, reshape: mutation::reshaped },
    Target { name: "chat", body: tokenizer_bodies::chat, reshape: template_grammar::template },
    Target { name: "template", body: template_bodies::template, reshape: template_grammar::template },
    Target { name: "pattern", body: template_bodies::pattern, reshape: pattern_grammar::pattern },
    Target { name: "task", body: task_bodies::task, reshape: task_grammar::task },
    Target { name: "data", body: task_bodies::data, reshape: task_grammar::data },
    Target { name: "parquet", body: task_bodies::parquet, reshape: mutation::reshaped },
    Target { name: "corpus", body: task_bodies::corpus, reshape: json_change::sections },
    Target { name: "run_folder", body: run_bodies::run, reshape: json_change::sections },
    Target { name: "edit", body: edit_bodies::edit, reshape: edit_bodies::written },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
