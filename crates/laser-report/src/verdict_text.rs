//! The verdict in words.

use crate::front_text::thousands;
use crate::metrics_text::class_counts;
use crate::numbers::p_text;
use crate::reason_text::because;
use crate::result_form::ResultForm;
use crate::table::aligned;
use crate::visible_text::visible;
use laser_edit::Candidate;
use laser_run::{Changed, ClassVerdict, CostChange, Gain, Interval, ScoreWithInterval, Scores, TaskVerdict, Verdict};
use std::fmt::Write;

/// So many changed answers of each kind are shown.
const SHOWN: usize = 3;
/// Below so many groups an interval that draws whole groups again is too narrow.
const FEW_GROUPS: usize = 70;
/// Longer texts are cut.
const LONGEST: usize = 70;

/// The word, why, and the figures that it follows from.
pub fn verdict_text(verdict: &Verdict) -> String {
    let form = ResultForm { binary: verdict.is_binary() };
    let mut text = format!("{}: {}\n\n", verdict.word(), because(verdict));
    text.push_str(&scores(verdict, form));
    if verdict.best == Candidate::base() {
        // Nothing was chosen, so that there is nothing to compare.
        return text;
    }
    text.push_str("The edit was chosen on validation, so its score there is too high. Trust the test figures.\n");
    let test = &verdict.test;
    let loss = test.log_loss_change_interval;
    let _ =
        write!(text, "\nOn test: {} {}", form.name(), change(form, test.accuracy_gain, test.accuracy_gain_interval));
    if verdict.has_log_loss() {
        let (change, low, high) = (test.log_loss_change, loss.low, loss.high);
        let _ = write!(text, ", log-loss {change:+.3} nats per token (95 % {low:+.3} to {high:+.3})");
    }
    let what = if verdict.constant.is_some() { "answers" } else { "results" };
    let _ = write!(text, ";\n{} {what} gained, {} lost, ", test.gained, test.lost);
    let _ = match test.mcnemar_p {
        Some(p) if p == test.p => writeln!(text, "McNemar's exact p = {}.", p_text(p)),
        Some(p) => writeln!(text, "McNemar's exact p = {}, by groups p = {}.", p_text(p), p_text(test.p)),
        None => writeln!(text, "p = {} by random signs.", p_text(test.p)),
    };
    let selection = &verdict.selection;
    let dropped = verdict.considered.saturating_sub(verdict.candidates);
    let place = match dropped {
        0 => String::from("On validation"),
        _ => {
            format!(
                "On the {} validation examples that had no part in dropping the other {dropped}",
                selection.examples
            )
        }
    };
    let made = if verdict.adaptive { " (partly chosen by results on validation, so p is too small)" } else { "" };
    let _ = writeln!(
        text,
        "{place}: {}, the best of {}{made}; chance alone shows at most {} half of the time and {} in 19 of 20 (p = {}).",
        form.change(selection.observed),
        selection.candidates,
        form.signed(selection.median),
        form.signed(selection.upper),
        p_text(selection.p),
    );
    if verdict.groups < test_examples(verdict) && verdict.groups < FEW_GROUPS {
        let _ = writeln!(text, "The test examples come in {} groups: take the intervals as rough.", verdict.groups);
    }
    if let Some(constant) = &verdict.constant {
        let _ = writeln!(
            text,
            "Always {:?}, most frequent on validation: {:.1} %; always {:?}, most frequent on test: {:.1} %.",
            constant.majority.answer.trim(),
            100.0 * constant.majority.accuracy,
            constant.best.answer.trim(),
            100.0 * constant.best.accuracy,
        );
    }
    if let Some(top) = verdict.without_top_answer.as_ref().filter(|_| test.gained > 0) {
        let _ = writeln!(text, "Without the answer {:?}, which gains most: {}.", top.answer.trim(), gain(&top.left));
    }
    if let Some(classes) = &verdict.classes {
        text.push_str(&class_lines(classes));
    }
    if let Some(both) = &verdict.metrics
        && let (Some(base), Some(edited)) = (&both.base.generation, &both.edited.generation)
    {
        let _ = writeln!(
            text,
            "Words of the answer: F1 {:.3} -> {:.3}, precision {:.3} -> {:.3}, recall {:.3} -> {:.3}.",
            base.f1, edited.f1, base.precision, edited.precision, base.recall, edited.recall
        );
    }
    if let Some(change) = &verdict.perplexity {
        let _ = writeln!(
            text,
            "Perplexity of the half of the text that chose nothing: {:.2} -> {:.2} ({:+.1} %, {} tokens{}).",
            change.base,
            change.edited,
            100.0 * (change.edited / change.base - 1.0),
            change.tokens,
            beside(
                change.edited / change.base - 1.0,
                verdict.cost.as_ref().and_then(|cost| cost.limits.perplexity),
                |limit| format!("{:.1} %", 100.0 * limit)
            )
        );
    }
    if let Some(cost) = &verdict.cost {
        text.push_str(&cost_lines(cost));
    }
    text.push_str(&changes("Gained", &verdict.examples.gained));
    text.push_str(&changes("Lost", &verdict.examples.lost));
    text.push_str(&task_lines(&verdict.tasks));
    text
}

/// The verdict on each of several tasks; nothing for one.
fn task_lines(tasks: &[TaskVerdict]) -> String {
    if tasks.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nEach task by itself, on its test examples:\n\n");
    let header = ["", "weight", "base", "edited", "gain", "p", "verdict"].map(str::to_owned).to_vec();
    let row = |task: &TaskVerdict| {
        let (verdict, form) = (&task.verdict, ResultForm { binary: task.verdict.is_binary() });
        vec![
            visible(&task.name),
            task.weight.to_string(),
            result(form, &verdict.base.test),
            result(form, &verdict.edited.test),
            change(form, verdict.test.accuracy_gain, verdict.test.accuracy_gain_interval),
            p_text(verdict.test.p),
            verdict.word().to_string(),
        ]
    };
    text.push_str(&aligned(&[header].into_iter().chain(tasks.iter().map(row)).collect::<Vec<_>>()));
    for task in tasks {
        let _ = writeln!(text, "{}: {}: {}.", visible(&task.name), task.verdict.word(), because(&task.verdict));
    }
    text
}

/// A limit that was set for choosing, beside what was measured on the other half.
fn beside(value: f64, limit: Option<f64>, written: impl Fn(f64) -> String) -> String {
    match limit {
        Some(limit) if value > limit => format!(", above the limit of {}", written(limit)),
        Some(limit) => format!(", within the limit of {}", written(limit)),
        None => String::new(),
    }
}

/// What the edits do elsewhere.
fn cost_lines(cost: &CostChange) -> String {
    let mut text = String::new();
    if let Some(kl) = cost.kl {
        let interval =
            cost.kl_interval.map(|it| format!(" (95 % {:.4} to {:.4})", it.low, it.high)).unwrap_or_default();
        let _ = writeln!(
            text,
            "KL divergence from the unedited model: {kl:.4} nats per token of the text{interval}{}, {:.4} on what follows neutral prompts.",
            beside(kl, cost.limits.kl, |limit| limit.to_string()),
            cost.first_token_kl
        );
    }
    for guard in &cost.guards {
        let _ = writeln!(
            text,
            "Guard {}: accuracy {:.1} -> {:.1} % ({}, p = {}){}, log-loss {:.3} -> {:.3}.",
            visible(&guard.task),
            100.0 * guard.base.accuracy,
            100.0 * guard.edited.accuracy,
            change(ResultForm { binary: true }, guard.change, guard.interval),
            p_text(guard.p),
            beside(-guard.change, cost.limits.guard_loss, |limit| format!("-{:.1} points", 100.0 * limit)),
            guard.base.log_loss,
            guard.edited.log_loss
        );
    }
    if cost.saved_weights > 0 {
        let _ = writeln!(text, "Stored as factors, the edits save {} weights.", thousands(cost.saved_weights));
    }
    text
}

fn test_examples(verdict: &Verdict) -> usize {
    verdict.base.test.score.n
}

/// Base and best on both splits.
fn scores(verdict: &Verdict, form: ResultForm) -> String {
    let row = |name: String, scores: &Scores| {
        let on_validation = format!("{:.3}", scores.validation.score.log_loss);
        [name, result(form, &scores.validation), on_validation, result(form, &scores.test), loss(&scores.test)]
    };
    let name = form.name();
    let header =
        ["", &format!("validation {name}"), "log-loss", &format!("test {name}"), "log-loss"].map(str::to_owned);
    let edited = (verdict.best != Candidate::base()).then(|| row(verdict.best.to_string(), &verdict.edited));
    let rows = [header, row("base".into(), &verdict.base)].into_iter().chain(edited);
    let shown = rows.map(|[name, validation, loss, test, test_loss]| match verdict.has_log_loss() {
        true => vec![name, validation, loss, test, test_loss],
        false => vec![name, validation, test],
    });
    aligned(&shown.collect::<Vec<_>>())
}

fn class_lines(classes: &ClassVerdict) -> String {
    let mut text = String::new();
    let counts = |counts: &[usize]| class_counts(&classes.classes, counts);
    let _ = writeln!(
        text,
        "Right: {}. Predicted: {} -> {}.",
        counts(&classes.right),
        counts(&classes.base.predicted),
        counts(&classes.edited.predicted)
    );
    let _ = writeln!(text, "Balanced accuracy: {}.", gain(&classes.balanced_gain));
    let kinds = [
        (
            "After contextual calibration",
            (classes.base.calibrated_accuracy, classes.edited.calibrated_accuracy),
            &classes.calibrated_gain,
        ),
        (
            "Under the best thresholds",
            (classes.base.refitted_accuracy, classes.edited.refitted_accuracy),
            &classes.refitted_gain,
        ),
    ];
    for (what, accuracy, left) in kinds {
        if let ((Some(base), Some(edited)), Some(left)) = (accuracy, left) {
            let _ = writeln!(
                text,
                "{what}: {:.1} % -> {:.1} %; with the better of both for each model {}.",
                100.0 * base,
                100.0 * edited,
                gain(left)
            );
        }
    }
    text
}

fn changes(what: &str, changes: &[Changed]) -> String {
    let mut text = String::new();
    for change in changes.iter().take(SHOWN) {
        let said = match (&change.before, &change.after) {
            (Some(before), Some(after)) => format!("  {} -> {}", quoted(before), quoted(after)),
            _ => String::new(),
        };
        let _ = writeln!(text, "{what}: {} [{}]{said}", end(&change.prompt), one_line(&change.answer));
    }
    text
}

/// Only results that are right or wrong have these gains.
fn gain(gain: &Gain) -> String {
    change(ResultForm { binary: true }, gain.gain, gain.interval)
}

fn change(form: ResultForm, value: f64, interval: Interval) -> String {
    format!("{} (95 % {} to {})", form.change(value), form.signed(interval.low), form.signed(interval.high))
}

fn result(form: ResultForm, score: &ScoreWithInterval) -> String {
    let Interval { low, high } = score.accuracy_interval;
    format!("{} ({} to {})", form.value(score.score.accuracy), form.number(low), form.number(high))
}

fn loss(score: &ScoreWithInterval) -> String {
    let Interval { low, high } = score.log_loss_interval;
    format!("{:.3} ({low:.3} to {high:.3})", score.score.log_loss)
}

/// The end of a prompt, on one line.
fn end(prompt: &str) -> String {
    let line = one_line(prompt);
    let length = line.chars().count();
    match length > LONGEST {
        true => format!("...{}", line.chars().skip(length - LONGEST).collect::<String>()),
        false => line,
    }
}

/// What a model said, on one line.
fn quoted(text: &str) -> String {
    let line = one_line(text);
    match line.chars().count() > LONGEST {
        true => format!("\"{}...\"", line.chars().take(LONGEST).collect::<String>()),
        false => format!("\"{line}\""),
    }
}

/// Fit for a terminal, whatever the text holds.
fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
