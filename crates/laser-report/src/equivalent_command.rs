//! The command that asks for a search again.

use laser_run::{RunDescription, TaskReading, TextDescription};

/// A command that gives the same search.
pub fn equivalent_command(run: &RunDescription) -> String {
    let arguments: Vec<String> = search_arguments(run).iter().map(|argument| quoted(argument)).collect();
    format!("laser {} --out RUN", arguments.join(" "))
}

/// The arguments of `laser` that ask for the same search, without where it goes.
pub fn search_arguments(run: &RunDescription) -> Vec<String> {
    let search = &run.search;
    let numbers = |values: &[usize]| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut arguments = vec!["search".to_owned(), run.model.path.clone()];
    let mut add = |option: &str, value: &dyn ToString| arguments.extend([option.to_owned(), value.to_string()]);
    if search.tasks.is_empty() {
        add("--task", &run.task.spec);
    }
    for task in &search.tasks {
        add("--task", &task.spec);
    }
    if search.tasks.iter().any(|task| task.weight != 1.0) {
        let weights: Vec<String> = search.tasks.iter().map(|task| task.weight.to_string()).collect();
        add("--weights", &weights.join(","));
    }
    if let Some(architecture) = &run.model.architecture {
        add("--architecture", architecture);
    }
    let TaskReading { data, metric, on_bad_row, on_long, shots: _ } = &run.task.reading;
    let options = [("--data", data), ("--metric", metric), ("--on-bad-row", on_bad_row), ("--on-long", on_long)];
    for (option, value) in options {
        if let Some(value) = value {
            add(option, value);
        }
    }
    if let Some(limit) = search.limit {
        add("--limit", &limit);
    }
    if let Some(first) = search.first {
        add("--first", &first);
    }
    if search.seed != 0 {
        add("--seed", &search.seed);
    }
    if let Some(fraction) = search.validation {
        add("--validation", &fraction);
    }
    add("--strategy", &search.strategy);
    if let Some(start) = &search.start {
        add("--start", start);
    }
    if let Some(examples) = search.gradient_examples {
        add("--gradient-examples", &examples);
    }
    if let Some(width) = search.width {
        add("--width", &width);
    }
    if let Some(evaluations) = search.evaluations {
        add("--evaluations", &evaluations);
    }
    if let Some(more) = search.more {
        add("--more", &more);
    }
    add("--layers", &ranges(&search.layers));
    let matrices: Vec<String> = search.matrices.iter().map(ToString::to_string).collect();
    add("--matrices", &matrices.join(","));
    if !search.rho.is_empty() {
        let rhos: Vec<String> = search.rho.iter().map(ToString::to_string).collect();
        add("--rho", &rhos.join(","));
    }
    if search.blocks != [1] {
        add("--blocks", &numbers(&search.blocks));
    }
    for edit in &search.edits {
        add("--edit", edit);
    }
    if let Some(TextDescription { path: Some(path), limit, .. }) = &search.text {
        add("--text", path);
        add("--text-tokens", limit);
    }
    if let Some(TextDescription { path: Some(path), .. }) = &search.calibration {
        add("--calibration", path);
    }
    if let Some(kl) = search.limits.kl {
        add("--max-kl", &kl);
    }
    // A percentage was divided by a hundred: 0.07 * 100 is 7.000000000000001.
    let hundredfold = |fraction: f64| (fraction * 1e11).round() / 1e9;
    if let Some(growth) = search.limits.perplexity {
        add("--max-perplexity", &format!("{}%", hundredfold(growth)));
    }
    if let Some(loss) = search.limits.guard_loss {
        add("--max-guard-loss", &format!("{}pt", hundredfold(loss)));
    }
    for guard in &search.guards {
        let data = guard.reading.data.as_ref().map(|data| format!("={data}")).unwrap_or_default();
        add("--guard", &format!("{}{data}", guard.spec));
    }
    if search.dtype.is_some() {
        add("--dtype", &"bf16");
    }
    if search.device != "cpu" {
        add("--device", &search.device);
    }
    let flags = [
        // The paper's code splits so, too.
        ("--paper-compat", search.randomised),
        ("--split-first", search.split_first && !search.randomised),
        ("--chat", search.chat),
        ("--no-costs", search.text.is_none() && search.guards.is_empty()),
        ("--cost-all", search.cost_all && search.measures_costs()),
    ];
    arguments.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag.to_owned()));
    arguments
}

/// Ascending numbers as ranges: `0-3,7`.
fn ranges(numbers: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &number in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => parts.push((number, number)),
        }
    }
    let text =
        |(first, last): &(usize, usize)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    parts.iter().map(text).collect::<Vec<_>>().join(",")
}

/// As a shell takes it.
pub fn quoted(text: &str) -> String {
    // A `~` may stand for a folder.
    let plain = |letter: char| {
        letter.is_ascii_alphanumeric() || (cfg!(windows) && letter == '\\') || "-_./:@=+,%".contains(letter)
    };
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_change_the_examples_are_in_the_command() {
        let description = serde_json::json!({
            "version": "1",
            "model": {"path": "m", "files": [], "architecture": "my family.toml"},
            "task": {
                "spec": "t.yaml", "digest": "", "examples": 2,
                "reading": {"data": "d.jsonl", "metric": "exact_match,strict", "on_bad_row": "skip", "on_long": "error", "shots": 2},
            },
            "search": {
                "strategy": "race", "matrices": ["fc_in"], "layers": [1], "rho": [0.5], "limit": 10, "seed": 3,
                "split_first": false, "device": "cpu", "validation": 0.3,
                "text": {"sha256": "", "limit": 4096, "window": 512, "path": "a text.txt"}, "cost_all": true,
                "calibration": {"sha256": "", "limit": 16384, "window": 512, "path": "c.txt"},
                "limits": {"kl": 0.1, "perplexity": 0.07, "guard_loss": 0.01},
                "guards": [{"spec": "facts", "digest": "", "examples": 3, "reading": {"data": "f.jsonl", "shots": 0}}],
            },
        });
        let command = equivalent_command(&serde_json::from_value(description).unwrap());
        assert_eq!(
            command,
            "laser search m --task t.yaml --architecture 'my family.toml' --data d.jsonl --metric exact_match,strict \
             --on-bad-row skip --on-long error --limit 10 --seed 3 --validation 0.3 --strategy race --layers 1 \
             --matrices fc_in --rho 0.5 --text 'a text.txt' --text-tokens 4096 --calibration c.txt --max-kl 0.1 \
             --max-perplexity 7% --max-guard-loss 1pt --guard facts=f.jsonl --cost-all --out RUN"
        );
    }

    #[test]
    fn layers_are_ranges_and_paths_are_quoted() {
        assert_eq!((ranges(&[0, 1, 2, 5, 7, 8]), ranges(&[])), ("0-2,5,7-8".into(), String::new()));
        assert_eq!((quoted("a/b.gguf"), quoted("it's here")), ("a/b.gguf".into(), r"'it'\''s here'".into()));
        assert_eq!((quoted("~me/$(x)"), quoted("")), ("'~me/$(x)'".into(), "''".into()));
    }
}
