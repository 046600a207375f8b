//! What is measured of edits elsewhere than on the task, and what they may cost.

use super::TextOptions;
use super::inputs::named_task;
use super::typed_values::{parse_percent, parse_points};
use clap::Args;
use laser::{CostPlan, CostText, NamedTask, TEXT_TOKENS, TaskSource};
use laser_run::CostLimits;

#[derive(Debug, Args)]
#[command(next_help_heading = "What an edit may cost")]
pub struct CostOptions {
    /// Choose only edits whose mean KL divergence from the unedited model, over the text, is at most
    /// this many nats per token
    #[arg(long, allow_negative_numbers = true, value_name = "NATS", value_parser = parse_nats)]
    pub max_kl: Option<f64>,
    /// Choose only edits under which the text's perplexity grows by at most so much, such as 10%
    #[arg(long, allow_negative_numbers = true, value_name = "PERCENT", value_parser = parse_percent)]
    pub max_perplexity: Option<f64>,
    /// Choose only edits that lose at most so much accuracy on any guard task, such as 1pt
    #[arg(long, allow_negative_numbers = true, value_name = "POINTS", value_parser = parse_points)]
    pub max_guard_loss: Option<f64>,
    /// A task that edits are not to harm, or TASK=FILE for a task with its data (repeatable)
    #[arg(long, value_name = "TASK")]
    pub guard: Vec<String>,
    /// Measure the cost of every candidate that is scored on the whole validation split, not of the
    /// best alone
    #[arg(long)]
    pub cost_all: bool,
    /// Measure no costs
    #[arg(long, conflicts_with_all = ["max_kl", "max_perplexity", "max_guard_loss", "guard", "cost_all", "text"])]
    pub no_costs: bool,
}

impl CostOptions {
    /// What the options ask for; guard tasks are sampled as `task` is.
    pub fn plan(&self, text: &TextOptions, task: &TaskSource) -> CostPlan {
        let of_text = match text.source(TEXT_TOKENS) {
            _ if self.no_costs => CostText::None,
            Some(source) => CostText::File(source),
            None => CostText::Own,
        };
        let guard = |text: &String| {
            let NamedTask { spec, data } = named_task(text);
            let (others, weights) = (Vec::new(), Vec::new());
            TaskSource { spec, data, metric: None, paper_compat: false, others, weights, ..task.clone() }
        };
        CostPlan {
            text: of_text,
            limits: CostLimits { kl: self.max_kl, perplexity: self.max_perplexity, guard_loss: self.max_guard_loss },
            guards: self.guard.iter().map(guard).collect(),
            all: self.cost_all,
        }
    }
}

fn parse_nats(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(nats) if nats.is_finite() && nats >= 0.0 => Ok(nats),
        _ => Err(format!("`{text}` is not a divergence: write a number of nats, such as 0.1")),
    }
}
