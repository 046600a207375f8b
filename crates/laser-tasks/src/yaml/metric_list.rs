//! `metric_list`: what is measured, and which of it says what is right.

use serde::Deserialize;
use serde_yaml_ng::{Mapping, Value};

use super::filter_list::patterns;
use super::generation::truth;
use super::values::{OutputType, unsupported};
use crate::YamlError;
use laser_example::{ExactMatch, Matching, Metric, MetricKind, Pipeline, TaskMetrics};

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
    all: Vec<Metric>,
    deciding: Option<Metric>,
    /// What is made of generated texts before, at least one.
    pipelines: Vec<Pipeline>,
    /// Which of them decides.
    first: usize,
}

impl Metrics {
    /// The metrics of a file, or those that lm-evaluation-harness measures where it names none; and
    /// notes on those that are not computed.
    pub fn new(
        written: Option<&[MetricKeys]>,
        pipelines: Vec<Pipeline>,
        output_type: OutputType,
    ) -> Result<(Self, Vec<String>), YamlError> {
        let fitting = fitting(output_type);
        let Some(written) = written.filter(|written| !written.is_empty()) else {
            let plain =
                |&kind: &MetricKind| Metric { kind, aggregation: kind.aggregations()[0], exact: ExactMatch::default() };
            let all: Vec<Metric> = default(output_type).iter().map(plain).collect();
            let decides = |metric: &&Metric| deciding(output_type).contains(&metric.kind);
            return Ok((Self { deciding: all.iter().find(decides).cloned(), all, pipelines, first: 0 }, Vec::new()));
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
        Ok((Self { deciding: all.iter().find(decides).cloned(), all, pipelines, first: 0 }, notes))
    }

    /// Lets `NAME` or `NAME,PIPELINE` say what is right.
    pub fn choose(&mut self, wanted: &str, output_type: OutputType) -> Result<(), YamlError> {
        let (name, pipeline) = wanted.split_once(',').map_or((wanted, None), |(name, pipeline)| (name, Some(pipeline)));
        let decides = |metric: &&Metric| deciding(output_type).contains(&metric.kind) && metric.kind.name() == name;
        let found = self.all.iter().find(decides).cloned();
        let first = pipeline.map_or(Some(0), |name| self.pipelines.iter().position(|known| &*known.name == name));
        match (found, first) {
            (Some(metric), Some(first)) => {
                (self.deciding, self.first) = (Some(metric), first);
                Ok(())
            }
            _ => {
                let kinds = self.all.iter().filter(|metric| deciding(output_type).contains(&metric.kind));
                let kinds: Vec<&str> = kinds.map(|metric| metric.kind.name()).collect();
                let pipelines: Vec<&str> = self.pipelines.iter().map(|pipeline| &*pipeline.name).collect();
                let help = format!("choose of {}, and of the filters {}", kinds.join(", "), pipelines.join(", "));
                Err(unsupported("--metric", wanted, &help))
            }
        }
    }

    /// What is made of a text before it is compared.
    pub fn pipeline(&self) -> Pipeline {
        self.pipelines.get(self.first).cloned().unwrap_or_default()
    }

    /// Whether a row's own choices are looked at.
    pub fn needs_choices(&self) -> bool {
        self.pipelines.iter().any(Pipeline::needs_choices)
    }

    /// What is measured over all examples.
    pub fn task(&self) -> TaskMetrics {
        TaskMetrics { metrics: self.all.clone(), pipelines: self.pipelines.clone() }
    }

    /// When a generated text is right.
    pub fn matching(&self) -> Matching {
        match &self.deciding {
            Some(Metric { kind: MetricKind::Contains, .. }) => Matching::Contains,
            Some(Metric { exact, .. }) => Matching::Exact(exact.clone()),
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
        // The harness has no `acc` of a generation: here it is that the answer occurs in it.
        let name = match self.metric.as_str() {
            "acc" if fitting.contains(&MetricKind::Contains) => "contains",
            name => name,
        };
        let Some(&kind) = fitting.iter().find(|kind| kind.name() == name) else {
            return Ok(Err(format!("this output_type is scored by {}", names(fitting))));
        };
        self.only_known()?;
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

    /// Refuses a key that no metric has. The harness looks at some where they change nothing.
    fn only_known(&self) -> Result<(), YamlError> {
        const KNOWN: [&str; 5] =
            ["ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore", "average"];
        let mut names = self.switches.keys().map(|name| name.as_str().unwrap_or("..."));
        match names.find(|name| !KNOWN.contains(name)) {
            Some(name) => {
                let help =
                    format!("the keys are metric, aggregation, higher_is_better, hf_evaluate, {}", KNOWN.join(", "));
                Err(unsupported(&format!("metric_list.{name}"), "...", &help))
            }
            None => Ok(()),
        }
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
                "regexes_to_ignore" => {
                    exact.regexes_to_ignore = patterns(Some(value), "metric_list.regexes_to_ignore")?;
                }
                // Known, and of other metrics.
                _ => {}
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
