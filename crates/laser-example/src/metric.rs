//! The metrics of lm-evaluation-harness, and the ways in which they are aggregated over examples.

use crate::words::ExactMatch;

/// One metric that a task asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// What is measured.
    pub kind: MetricKind,
    /// How the examples' values become one.
    pub aggregation: Aggregation,
    /// What `exact_match` of generated texts ignores.
    pub exact: ExactMatch,
}

/// What is measured on an example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Whether the right choice is the likeliest, or every token of the answer.
    Acc,
    /// The same per character of a choice.
    AccNorm,
    /// The same per byte.
    AccBytes,
    /// The same by how much more likely the question makes a choice than it is by itself.
    AccMutualInfo,
    /// Whether a generated text is an answer; of a choice, whether each of its tokens is the likeliest.
    ExactMatch,
    /// Whether an answer occurs in the generated text: of our own, after the LASER paper.
    Contains,
    /// The right and the predicted choice.
    F1,
    /// The same.
    Mcc,
    /// The squared distance of the choices' probabilities from the right one.
    BrierScore,
    /// The answer's log-probability, nats.
    Perplexity,
    /// A text's log-probability and its words.
    WordPerplexity,
    /// A text's log-probability and its bytes.
    BytePerplexity,
    /// The same.
    BitsPerByte,
}

/// How the examples' values become one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aggregation {
    /// The sum divided by the number.
    Mean,
    /// The mean of those that are numbers.
    NanMean,
    /// The middle one, of an even number the higher.
    Median,
    /// exp of the negative mean.
    Perplexity,
    /// exp of the negative weighted mean.
    WeightedPerplexity,
    /// The negative weighted mean in bits.
    BitsPerByte,
    /// F1 of class 1.
    F1,
    /// Matthews' correlation coefficient.
    MatthewsCorrcoef,
    /// The mean squared distance.
    BrierScore,
}

impl MetricKind {
    /// Its name in a task file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Acc => "acc",
            Self::AccNorm => "acc_norm",
            Self::AccBytes => "acc_bytes",
            Self::AccMutualInfo => "acc_mutual_info",
            Self::ExactMatch => "exact_match",
            Self::Contains => "contains",
            Self::F1 => "f1",
            Self::Mcc => "mcc",
            Self::BrierScore => "brier_score",
            Self::Perplexity => "perplexity",
            Self::WordPerplexity => "word_perplexity",
            Self::BytePerplexity => "byte_perplexity",
            Self::BitsPerByte => "bits_per_byte",
        }
    }

    /// How its values are aggregated where a task does not say, and otherwise may be.
    pub fn aggregations(self) -> &'static [Aggregation] {
        match self {
            Self::F1 => &[Aggregation::F1, Aggregation::MatthewsCorrcoef],
            Self::Mcc => &[Aggregation::MatthewsCorrcoef, Aggregation::F1],
            Self::BrierScore => &[Aggregation::BrierScore],
            Self::Perplexity => {
                &[Aggregation::Perplexity, Aggregation::Mean, Aggregation::NanMean, Aggregation::Median]
            }
            Self::WordPerplexity | Self::BytePerplexity => &[Aggregation::WeightedPerplexity, Aggregation::BitsPerByte],
            Self::BitsPerByte => &[Aggregation::BitsPerByte, Aggregation::WeightedPerplexity],
            _ => &[Aggregation::Mean, Aggregation::NanMean, Aggregation::Median, Aggregation::Perplexity],
        }
    }
}

impl Aggregation {
    /// Its name in a task file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::NanMean => "nanmean",
            Self::Median => "median",
            Self::Perplexity => "perplexity",
            Self::WeightedPerplexity => "weighted_perplexity",
            Self::BitsPerByte => "bits_per_byte",
            Self::F1 => "f1",
            Self::MatthewsCorrcoef => "matthews_corrcoef",
            Self::BrierScore => "brier_score",
        }
    }
}
