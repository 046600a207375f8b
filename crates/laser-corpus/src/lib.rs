//! How often the subject and the answer of a fact occur together in a corpus: one pass over text, JSONL and zstd-compressed
//! JSONL, with all subjects and answers in one automaton (Aho-Corasick), on all cores.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod batches;
mod corpus_error;
mod count;
mod facts;

pub use batches::size_of;
pub use corpus_error::{CorpusError, Result};
pub use count::{Counting, FactCount, FactCounts, count_facts};
pub use facts::{Fact, read_facts};
