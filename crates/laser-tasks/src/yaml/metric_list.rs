//! `metric_list`: what is measured, and which of it says what is right.

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::generation::truth;
use super::values::{OutputType, unsupported};
use crate::YamlError;
use laser_example::{ExactMatch, Matching, Metric, MetricKind};

/// One entry of `metric_list`, as it is written.
#[derive(Deserialize)]
pub struct MetricKeys {
    metric: String,
    aggregation: Option<String>,
    #[serde(rename = "higher_is_better")]
    _higher_is_better: Option<Value>,
    hf_evaluate: Option<Value>,
    #[serde(flatten)]
    switches: Mapping,
}

/// What a task measures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// In the order of the file.
    pub all: Vec<Metric>,
    deciding: Option<Metric>,
}

impl Metrics {
    /// The metrics of a file, or those that lm-evaluation-harness measures where it names none; and
    /// notes on those that are not computed.
    pub fn new(written: Option<&[MetricKeys]>, output_type: OutputType) -> Result<(Self, Vec<String>), YamlError> {
        let fitting = fitting(output_type);
        let Some(written) = written.filter(|written| !written.is_empty()) else {
            let plain =
                |&kind: &MetricKind| Metric { kind, aggregation: kind.aggregations()[0], exact: ExactMatch::default() };
            let all: Vec<Metric> = default(output_type).iter().map(plain).collect();
            return Ok((Self { deciding: all.first().cloned(), all }, Vec::new()));
        };
        let (mut all, mut notes, mut own) = (Vec::new(), Vec::new(), false);
        for keys in written {
            // Of our own: they are printed anyway.
            if ["log_loss", "f1"].contains(&keys.metric.as_str()) && keys.is_own(output_type) {
                own = true;
                continue;
            }
            match keys.metric(fitting)? {
                Ok(metric) => all.push(metric),
                Err(why) => notes.push(format!("metric `{}` is not computed: {why}", keys.metric)),
            }
        }
        if let (true, false, Some(first)) = (all.is_empty(), own, written.first()) {
            let help = format!("this output_type is scored by {}", names(fitting));
            return Err(unsupported("metric_list.metric", &first.metric, &help));
        }
        let decides = |metric: &&Metric| deciding(output_type).contains(&metric.kind);
        Ok((Self { deciding: all.iter().find(decides).cloned(), all }, notes))
    }

    /// When a generated text is right.
    pub fn matching(&self) -> Matching {
        match &self.deciding {
            Some(Metric { kind: MetricKind::Contains, .. }) => Matching::Contains,
            Some(Metric { exact, .. }) => Matching::Exact(*exact),
            None => Matching::Exact(ExactMatch::default()),
        }
    }

    /// Whether choices are compared by log-probability per character, or per byte.
    pub fn normalised(&self) -> (bool, bool) {
        let kind = self.deciding.as_ref().map(|metric| metric.kind);
        (kind == Some(MetricKind::AccNorm), kind == Some(MetricKind::AccBytes))
    }
}

impl MetricKeys {
    /// Whether this is a score of our own under a name that it shares with one of the harness.
    fn is_own(&self, output_type: OutputType) -> bool {
        self.metric == "log_loss" || output_type == OutputType::GenerateUntil
    }

    /// The metric, or why it is not computed.
    fn metric(&self, fitting: &[MetricKind]) -> Result<Result<Metric, String>, YamlError> {
        // What `acc` of a generation has meant here; lm-evaluation-harness has none.
        let name = match self.metric.as_str() {
            "acc" if fitting.contains(&MetricKind::Contains) => "contains",
            name => name,
        };
        let Some(&kind) = fitting.iter().find(|kind| kind.name() == name) else {
            return Ok(Err(format!("this output_type is scored by {}", names(fitting))));
        };
        if self.hf_evaluate.as_ref().and_then(truth) == Some(true) && kind != MetricKind::ExactMatch {
            return Ok(Err("it is one of Hugging Face's evaluate".to_owned()));
        }
        let possible = kind.aggregations();
        let aggregation = match self.aggregation.as_deref() {
            None => possible[0],
            // Scores such as f1 name themselves there.
            Some(name) if name == kind.name() => possible[0],
            Some(name) => match possible.iter().find(|aggregation| aggregation.name() == name) {
                Some(&aggregation) => aggregation,
                None => return Ok(Err(format!("aggregation `{name}` does not fit it"))),
            },
        };
        let exact = match kind {
            MetricKind::ExactMatch if fitting.contains(&MetricKind::Contains) => self.exact()?,
            _ => ExactMatch::default(),
        };
        Ok(Ok(Metric { kind, aggregation, exact }))
    }

    /// What `exact_match` ignores.
    fn exact(&self) -> Result<ExactMatch, YamlError> {
        let mut exact = ExactMatch::default();
        for (name, value) in &self.switches {
            let name = name.as_str().unwrap_or_default();
            let refused = |help: &str| unsupported(&format!("metric_list.{name}"), "...", help);
            let switch = || truth(value).ok_or_else(|| refused("write true or false"));
            match name {
                _ if value.is_null() => {}
                "ignore_case" => exact.ignore_case = switch()?,
                "ignore_punctuation" => exact.ignore_punctuation = switch()?,
                "ignore_numbers" => exact.ignore_numbers = switch()?,
                _ => return Err(refused("`exact_match` has no such switch; take it out")),
            }
        }
        Ok(exact)
    }
}

/// The metrics that an output type can be measured by.
fn fitting(output_type: OutputType) -> &'static [MetricKind] {
    match output_type {
        OutputType::GenerateUntil => &[MetricKind::ExactMatch, MetricKind::Contains],
        OutputType::MultipleChoice => &[
            MetricKind::Acc,
            MetricKind::AccNorm,
            MetricKind::AccBytes,
            MetricKind::AccMutualInfo,
            MetricKind::ExactMatch,
            MetricKind::F1,
            MetricKind::Mcc,
            MetricKind::BrierScore,
        ],
        OutputType::LogLikelihood => &[MetricKind::Acc, MetricKind::Perplexity],
        OutputType::LogLikelihoodRolling => default(output_type),
    }
}

/// The metrics that lm-evaluation-harness measures where a task names none.
fn default(output_type: OutputType) -> &'static [MetricKind] {
    match output_type {
        OutputType::GenerateUntil => &[MetricKind::ExactMatch],
        OutputType::MultipleChoice => &[MetricKind::Acc, MetricKind::AccNorm],
        OutputType::LogLikelihood => &[MetricKind::Perplexity, MetricKind::Acc],
        OutputType::LogLikelihoodRolling => {
            &[MetricKind::WordPerplexity, MetricKind::BytePerplexity, MetricKind::BitsPerByte]
        }
    }
}

/// The metrics that say what is right, the first that is asked for.
fn deciding(output_type: OutputType) -> &'static [MetricKind] {
    match output_type {
        OutputType::GenerateUntil => fitting(output_type),
        OutputType::MultipleChoice => &[MetricKind::Acc, MetricKind::AccNorm, MetricKind::AccBytes],
        OutputType::LogLikelihood => &[MetricKind::Acc],
        OutputType::LogLikelihoodRolling => &[],
    }
}

fn names(kinds: &[MetricKind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}
