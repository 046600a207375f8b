//! `laser sokoban levels`: levels of our own generator.

use crate::cli::{Global, LevelsOptions};
use crate::output;
use crate::output_place::check_file;
use laser_run::write_whole;
use laser_sokoban::{Generator, generate_levels, write_levels};
use serde_json::json;

pub fn run(options: &LevelsOptions, global: &Global) -> anyhow::Result<()> {
    if let Some(path) = &options.out {
        check_file(path, options.force, &[])?;
    }
    let generator = Generator { boxes: options.boxes.into(), ..Generator::default() };
    let text = write_levels(&generate_levels(&generator, options.seed, options.count as usize));
    let Some(path) = &options.out else {
        return if global.json { output::print_json(&json!({"levels": text})) } else { output::print(&text) };
    };
    write_whole(path, text.as_bytes())?;
    if global.json {
        return output::print_json(&json!({"levels": options.count, "file": output::shown(path)}));
    }
    output::print(&format!("{} levels in {}\n", options.count, path.display()))
}
