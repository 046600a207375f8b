//! What it is measured on what edits do elsewhere than on the task.

use crate::error::{Error, Result};
use crate::own_text::{OWN_PROMPTS, OWN_TEXT};
use crate::session::Session;
use crate::task_source::{OpenTask, TaskSource};
use crate::text_source::{TextSource, sha256_of};
use laser_engine::{GuardExamples, ReferenceText};
use laser_run::{CostLimits, TaskDescription, TextDescription};

/// Tokens of a text that are used, unless another number is asked for.
pub const TEXT_TOKENS: usize = 4_096;

/// What costs are measured on, and what they may be.
#[derive(Debug, Clone, Default)]
pub struct CostPlan {
    /// The text.
    pub text: CostText,
    /// What a candidate may cost to be chosen.
    pub limits: CostLimits,
    /// Tasks that edits are not to harm.
    pub guards: Vec<TaskSource>,
    /// Whether the cost of every candidate is measured that is scored on the whole validation split, not of the best alone.
    pub all: bool,
}

/// The text that costs are measured on.
#[derive(Debug, Clone, Default)]
pub enum CostText {
    /// The project's own.
    #[default]
    Own,
    /// A file.
    File(TextSource),
    /// None.
    None,
}

/// What costs are measured on, for one model.
pub(crate) struct OpenCosts {
    pub text: Option<(ReferenceText, TextDescription)>,
    pub guards: Vec<OpenTask>,
}

impl Session {
    /// Reads what costs of edits of `task` are measured on.
    pub(crate) fn costs(&self, plan: &CostPlan, task: &OpenTask) -> Result<OpenCosts> {
        let own = TextSource { path: "the project's own text".into(), limit: TEXT_TOKENS };
        let (source, text) = match &plan.text {
            CostText::Own if self.config().masked => (None, String::new()),
            CostText::Own => (Some(&own), OWN_TEXT.to_owned()),
            CostText::File(source) => (Some(source), source.read()?),
            CostText::None => (None, String::new()),
        };
        let prompts: Vec<&str> = OWN_PROMPTS.lines().collect();
        let open = |source: &TextSource| -> Result<_> {
            let opened = ReferenceText::new(&text, &prompts, &self.tokenizer, self.config(), source.limit);
            let reference =
                opened.map_err(|error| Error::Text { path: source.path.clone(), source: Box::new(error) })?;
            let description = TextDescription {
                sha256: sha256_of(text.as_bytes()),
                limit: source.limit,
                path: matches!(plan.text, CostText::File(_)).then(|| source.path.display().to_string()),
                window: reference.window(),
            };
            Ok((reference, description))
        };
        let text = match (source.map(open).transpose(), &plan.text) {
            (Err(error), CostText::Own) if plan.limits.kl.is_none() && plan.limits.perplexity.is_none() => {
                self.options.progress.note(&format!("costs are not measured: {}", crate::error::chain(&error)));
                None
            }
            (text, _) => text?,
        };
        if text.is_none() && (plan.limits.kl.is_some() || plan.limits.perplexity.is_some()) {
            return Err(Error::NoCosts {
                what: "--max-kl and --max-perplexity",
                why: "there is no text to measure them on",
            });
        }
        if plan.guards.is_empty() && plan.limits.guard_loss.is_some() {
            return Err(Error::NoCosts { what: "--max-guard-loss", why: "there is no guard task: add --guard TASK" });
        }
        let mut guards = Vec::with_capacity(plan.guards.len());
        for source in &plan.guards {
            let guard = self.task(source)?.by_its_own_rule()?;
            let is_one = task.tasks.iter().any(|it| it.spec == source.named().text());
            if is_one || guard.task.digest == task.task.digest {
                return Err(Error::GuardIsTask { task: source.spec.clone() });
            }
            if guard.task.examples.iter().any(|example| !example.is_answered()) {
                return Err(Error::NothingRight { task: guard.task.name.clone() });
            }
            laser_engine::check(self.config(), &self.tokenizer, &guard.task.examples)?;
            guards.push(guard);
        }
        Ok(OpenCosts { text, guards })
    }
}

impl OpenCosts {
    /// The guard tasks' examples, split as tasks are.
    pub fn guard_examples(&self) -> Result<Vec<GuardExamples<'_>>> {
        let examples = |guard| -> Result<GuardExamples<'_>> {
            let guard: &OpenTask = guard;
            let split = guard.split()?;
            Ok(GuardExamples { validation: guard.pick(&split.validation), test: guard.pick(&split.test) })
        };
        self.guards.iter().map(examples).collect()
    }

    /// The guard tasks, as they are noted.
    pub fn guard_descriptions(&self) -> Vec<TaskDescription> {
        self.guards.iter().map(OpenTask::description).collect()
    }
}
