//! `laser tasks`: the built-in tasks.

use crate::cli::Global;
use crate::output;
use laser_tasks::Task;
use serde_json::json;

pub fn run(global: &Global) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for name in Task::builtin_names() {
        let task = Task::open(name)?;
        let example = &task.examples[0];
        rows.push((task.name.clone(), task.examples.len(), format!("{} -> {}", example.prompt, example.answer())));
    }
    if global.json {
        let rows: Vec<_> =
            rows.iter().map(|(name, n, example)| json!({"task": name, "examples": n, "example": example})).collect();
        return output::print_json(&rows);
    }
    output::print(
        &rows.iter().map(|(name, n, example)| format!("{name}  {n} examples  {example}\n")).collect::<String>(),
    )
}
