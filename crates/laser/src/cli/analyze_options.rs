//! What is analysed, and where the outcome goes.

use super::{CheckpointOptions, ModelOptions, SpaceOptions};
use clap::{Args, Subcommand};
use laser_edit::{EditError, InterventionSpec, MatrixId};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(Debug, Args)]
pub struct AnalyzeOptions {
    #[command(subcommand)]
    pub analysis: AnalysisChoice,
    #[command(flatten)]
    pub output: AnalysisOutput,
}

#[derive(Debug, Args)]
pub struct AnalysisOutput {
    /// Write a page with the figure
    #[arg(long, global = true, value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// Write the tables as CSV into this folder
    #[arg(long, global = true, value_name = "DIR")]
    pub csv: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long, global = true)]
    pub force: bool,
}

#[derive(Debug, Subcommand)]
pub enum AnalysisChoice {
    /// Accuracy against the reduction of one matrix: does the set of right answers only grow?
    Monotone {
        /// The RUN folder of a search
        run: PathBuf,
        /// The matrix, such as 27.fc_in [default: that of the best single edit]
        #[arg(long, allow_hyphen_values = true, value_name = "LAYER.MATRIX")]
        matrix: Option<LayerMatrix>,
    },
    /// Truncation beside the other methods of a search: add --edit zero --edit prune=0.9 to it
    Prune {
        /// The RUN folder of a search
        run: PathBuf,
    },
    /// Facts with several wordings: how many are right in all of them, before and after?
    Paraphrase {
        /// The RUN folder of a finished search
        run: PathBuf,
    },
    /// The effective rank of each matrix beside the fraction at which the task is best
    Rank {
        /// The RUN folder of a search
        run: PathBuf,
        #[command(flatten)]
        checkpoint: CheckpointOptions,
    },
    /// Accuracy before and after, by how often a fact's subject and answer occur together in a corpus
    Frequency {
        /// The RUN folder of a finished search
        run: PathBuf,
        /// The facts, a JSON object a line: id (of the example or its group), subject, answer
        #[arg(long, value_name = "FILE")]
        facts: PathBuf,
        /// A .txt, .jsonl or .jsonl.zst file, or a folder of them; JSONL has a text in each line
        #[arg(long, value_name = "PATH")]
        corpus: PathBuf,
        /// Texts occur together that are in one piece of about so many bytes
        #[arg(long, allow_negative_numbers = true, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        window: u32,
    },
    /// What the removed components say: answers with the whole matrix, the kept part and the
    /// removed part, on examples that an edit turns right
    Tail {
        /// The RUN folder of a search
        run: PathBuf,
        #[command(flatten)]
        model: ModelOptions,
        /// The edit, as LAYER.MATRIX:RHO [default: that which the run found best, if it is one such
        /// edit]
        #[arg(long, value_name = "SPEC", allow_hyphen_values = true)]
        reduce: Option<InterventionSpec>,
        /// Look at no more than N of the examples that it turns right
        #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        most: u32,
    },
    /// Perplexity of a text before and after, by a sliding window
    Perplexity {
        #[command(flatten)]
        model: ModelOptions,
        /// The text
        #[arg(long, value_name = "FILE")]
        text: PathBuf,
        /// Use the first N tokens of the text [default: all]
        #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
        text_tokens: Option<u64>,
        /// What to edit, as LAYER.MATRIX:EDIT (repeatable)
        #[arg(long, value_name = "SPEC", allow_hyphen_values = true, required = true)]
        reduce: Vec<InterventionSpec>,
    },
    /// The best edits of each task and model, as in the paper's tables 1 and 3; the same command resumes
    Table(Box<TableOptions>),
}

#[derive(Debug, Args)]
pub struct TableOptions {
    /// A model (repeatable)
    #[arg(long = "model", value_name = "MODEL", required = true)]
    pub models: Vec<PathBuf>,
    /// A task, or TASK=FILE for a task with its data (repeatable)
    #[arg(long = "task", value_name = "TASK", required = true)]
    pub tasks: Vec<String>,
    /// The folder for the RUN folders, one a model and task, and the page
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Use a random sample of at most N examples of each task
    #[arg(long, allow_negative_numbers = true, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Seed of the samples, the splits and the bootstrap
    #[arg(long, default_value_t = 0, value_name = "S")]
    pub seed: u64,
    /// Measure what edits do to this text, in place of a text of the project's own
    #[arg(long, value_name = "FILE")]
    pub text: Option<PathBuf>,
    /// Use the first N tokens of the text
    #[arg(long, allow_negative_numbers = true, default_value_t = 4_096, value_name = "N", requires = "text", value_parser = clap::value_parser!(u64).range(2..))]
    pub text_tokens: u64,
    #[command(flatten)]
    pub space: SpaceOptions,
}

/// A matrix of a layer, such as `27.fc_in`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerMatrix(pub usize, pub MatrixId);

impl FromStr for LayerMatrix {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let wrong =
            || EditError::Text { text: text.to_owned(), why: "write a layer and a matrix, as in 27.fc_in".to_owned() };
        let (layer, matrix) = text.split_once('.').ok_or_else(wrong)?;
        Ok(Self(layer.parse().map_err(|_| wrong())?, matrix.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_edit::MatrixKind;

    #[test]
    fn a_layer_and_a_matrix() {
        assert_eq!("27.fc_in".parse::<LayerMatrix>().unwrap(), LayerMatrix(27, MatrixKind::FcIn.into()));
        for wrong in ["fc_in", "x.fc_in", "27.fc", "-1.fc_in", ""] {
            assert!(wrong.parse::<LayerMatrix>().is_err(), "{wrong}");
        }
    }
}
