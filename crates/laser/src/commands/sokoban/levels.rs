//! `laser sokoban levels`: levels of our own generator.

use crate::cli::{Global, LevelsOptions};
use crate::output;
use crate::output_place::OutputFile;
use laser_sokoban::{Generator, generate_levels, write_levels};
use serde_json::json;

pub fn run(options: &LevelsOptions, global: &Global) -> anyhow::Result<()> {
    let file = options.out.as_ref().map(|path| OutputFile::new(path, options.force, &[])).transpose()?;
    let generator = Generator { boxes: options.boxes.into(), ..Generator::default() };
    let text = write_levels(&generate_levels(&generator, options.seed, options.count as usize));
    let Some(file) = file else {
        return if global.json { output::print_json(&json!({"levels": text})) } else { output::print(&text) };
    };
    file.write(text.as_bytes())?;
    let path = file.path();
    if global.json {
        return output::print_json(&json!({"levels": options.count, "file": output::shown(path)}));
    }
    output::print(&format!("{} levels in {}\n", options.count, path.display()))
}
