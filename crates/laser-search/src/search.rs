//! The main job: score candidates on validation, choose one, judge it on test.

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::strategy::Strategy;
use laser_edit::{Candidate, FileHash, Recipe};
use laser_example::Example;
use laser_run::{
    Bf16Check, Conclusion, Entries, MeasuredText, PerplexityChange, PredictedChange, Progress, ResultKind, RunWriter,
    Scorer, SearchTrace, SplitName, Verdict, Windows, chosen,
};

/// What a search is told, beside the strategy and the scorer.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// The candidates of the space, which the strategy was given.
    pub space: &'a [Candidate],
    /// What kind of results the task's examples have; the scorer's must be the same.
    pub results: ResultKind,
    /// The examples that candidates are chosen on.
    pub validation: &'a [&'a Example],
    /// The examples that only the base and the chosen candidate see.
    pub test: &'a [&'a Example],
    /// Seed of the races' order and of the bootstrap.
    pub seed: u64,
    /// Whether the scorer compares candidates in a lower precision, so that what that changes is measured.
    pub check_bf16: bool,
    /// A text that the scorer was given, whose perplexity is measured before and after.
    pub text: Option<TextPlan<'a>>,
    /// The model's files, for the recipe.
    pub model_files: &'a [FileHash],
}

/// A text to be measured.
#[derive(Debug, Clone, Copy)]
pub struct TextPlan<'a> {
    /// SHA-256 of its file, in hex.
    pub sha256: &'a str,
    /// How it is gone through.
    pub windows: Windows,
}

/// A finished search: everything that it computed or found in its folder.
#[derive(Debug)]
pub struct Finished {
    /// The verdict; it is not written yet, as its sentence is made elsewhere
    /// ([`RunWriter::write_verdict`]).
    pub verdict: Verdict,
    /// How the space was gone through.
    pub trace: SearchTrace,
    /// Everything that has been scored.
    pub entries: Entries,
    /// What comparing in bf16 changed, where candidates were.
    pub bf16_checks: Option<Vec<Bf16Check>>,
    /// What gradients predicted of each candidate, where they ranked them.
    pub ranking: Option<Vec<PredictedChange>>,
}

/// Runs or resumes a search, and writes everything but `verdict.json`.
///
/// # Errors
/// The strategy or the scorer fails, there is no candidate, or the RUN folder cannot be read or written.
pub fn search(
    strategy: &mut dyn Strategy,
    plan: &Plan,
    scorer: &mut dyn Scorer,
    run: &RunWriter,
    progress: &dyn Progress,
) -> Result<Finished> {
    run.write_examples(plan.validation, plan.test)?;
    let examples = [plan.validation.len(), plan.test.len()];
    let mut driver = Driver::new(run, examples, plan.results, plan.seed, scorer, progress)?;
    driver.score("base", SplitName::Validation, &[Candidate::base()], None)?;
    driver.run(strategy)?;
    let trace = driver.trace(plan.space, strategy);
    run.write_trace(&trace)?;
    let best = chosen(driver.entries()).ok_or(Error::NoCandidates { why: "nothing was asked for" })?;

    let both = [Candidate::base(), best.clone()];
    let bf16_checks = if plan.check_bf16 { Some(driver.check_bf16(&both)?) } else { None };
    driver.score("test", SplitName::Test, &both, None)?;
    let (entries, ranking) = driver.into_results();
    let measured = match &plan.text {
        Some(text) => Some(measure(text, plan.seed, &best, scorer, run, progress)?),
        None => None,
    };
    run.write_recipe(&Recipe { interventions: best, model: plan.model_files.to_vec() })?;
    let conclusion = Conclusion {
        entries: &entries,
        trace: &trace,
        validation: plan.validation,
        test: plan.test,
        text: measured.as_ref(),
        seed: plan.seed,
    };
    let verdict = conclusion.verdict().map_err(|unfit| unfit.of(run.folder()))?;
    Ok(Finished { verdict, trace, entries, bf16_checks, ranking })
}

/// Measures a text before and after the edit, unless that was done.
fn measure(
    text: &TextPlan,
    seed: u64,
    best: &Candidate,
    scorer: &mut dyn Scorer,
    run: &RunWriter,
    progress: &dyn Progress,
) -> Result<MeasuredText> {
    // The verdict goes by the interval, which a folder of another version may lack.
    let judged = |known: &MeasuredText| known.change.growth_interval.is_some() || known.change.is_of_one_window();
    let fits = |known: &MeasuredText| known.interventions == *best && known.change.text == text.sha256 && judged(known);
    if let Some(known) = run.folder().perplexity()?.filter(fits) {
        return Ok(known);
    }
    let found = scorer.perplexity(&[&Candidate::base(), best], progress).map_err(Error::Scorer)?;
    let [before, after] = &found[..] else { return Err(Error::ResultCount { expected: 2, found: found.len() }) };
    let change = PerplexityChange::new(text.sha256, text.windows, before, after, seed);
    let measured = MeasuredText { interventions: best.clone(), change };
    run.write_perplexity(&measured)?;
    Ok(measured)
}
