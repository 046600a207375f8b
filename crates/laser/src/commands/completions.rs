//! `laser completions`: what a shell reads to complete commands and options.

use crate::cli::{Cli, CompletionsOptions, Global};
use crate::output;
use clap::CommandFactory;
use serde_json::json;

pub fn run(options: &CompletionsOptions, global: &Global) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Cli::command(), "laser", &mut script);
    let script = String::from_utf8_lossy(&script);
    if global.json {
        return output::print_json(&json!({"shell": options.shell.to_string(), "script": script}));
    }
    output::print_coloured(&script)
}
