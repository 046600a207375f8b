//! Metrics in words.

use crate::visible_text::visible;
use laser_run::Metrics;
use std::fmt::Write;

/// A line for each kind of metric that a task has.
pub fn metrics_text(metrics: &Metrics) -> String {
    let percent = |fraction: f64| format!("{:.1} %", 100.0 * fraction);
    let mut text = format!(
        "answer's first token among the most likely 1, 5, 10: {}, {}, {}\n",
        percent(metrics.top_1),
        percent(metrics.top_5),
        percent(metrics.top_10)
    );
    if let Some(generation) = &metrics.generation {
        let _ = writeln!(
            text,
            "exact match {}, words F1 {}, precision {}, recall {}",
            percent(generation.exact_match),
            percent(generation.f1),
            percent(generation.precision),
            percent(generation.recall)
        );
    }
    if let Some(choice) = &metrics.choice {
        let _ = writeln!(text, "acc {}, acc_norm {}", percent(choice.acc), percent(choice.acc_norm));
    }
    if let Some(classes) = &metrics.classes {
        let counts = |counts: &[usize]| class_counts(&classes.classes, counts);
        let _ = writeln!(
            text,
            "balanced accuracy {}, macro F1 {}; right: {}; predicted: {}",
            percent(classes.balanced_accuracy),
            percent(classes.macro_f1),
            counts(&classes.right),
            counts(&classes.predicted)
        );
    }
    text
}

/// How often each class, in words.
pub(crate) fn class_counts(classes: &[String], counts: &[usize]) -> String {
    let each = classes.iter().zip(counts).map(|(class, count)| format!("{} {count}", visible(class)));
    each.collect::<Vec<_>>().join(", ")
}
