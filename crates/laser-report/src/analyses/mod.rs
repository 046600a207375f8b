//! The paper's analyses of why an edit helps, a file each: from data to sentences, tables and a figure.

mod analysis;
mod frequency;
mod frequent_words;
mod methods_compared;
mod monotone;
mod paraphrase;
mod perplexity_change;
mod rank;
mod tail_answers;

pub use analysis::Analysis;
pub use frequency::{Occurrences, frequency};
pub use frequent_words::is_frequent_word;
pub use methods_compared::methods_compared;
pub use monotone::monotone;
pub use paraphrase::paraphrase;
pub use perplexity_change::perplexity_change;
pub use rank::{MatrixSpectrum, rank};
pub use tail_answers::{MatrixPart, PartAnswer, PartAnswers, PushedTokens, TailFindings, tail};
