//! The fixtures' numbers on a GPU against transformers: gpu-fixtures FOLDER [--shim]
//!
//! FOLDER is tests/fixtures, or a copy. Prints a table; ends with 1 if anything disagrees. With --shim the kernels run on this
//! machine's processor.

#[path = "../tests/support/golden.rs"]
mod golden;

use laser_cuda::shim::Shim;
use laser_cuda::{Cuda, Device, Error};
use laser_kernels::Backend;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else {
        eprintln!("usage: gpu-fixtures FOLDER [--shim]");
        return ExitCode::from(2);
    };
    let backend = match open(arguments.iter().any(|argument| argument == "--shim")) {
        Ok(backend) => backend,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}\n", backend.kernel_path());
    println!(
        "| fixture | rows | edits | largest difference of a log-probability, relative | disagreements | seconds |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut wrong = Vec::new();
    for fixture in fixtures(Path::new(folder)) {
        let (name, start) = (fixture.file_name().unwrap_or_default().display().to_string(), Instant::now());
        let it = golden::compare(&fixture, &backend);
        let (seconds, count) = (start.elapsed().as_secs_f64(), it.wrong.len());
        println!("| {name} | {} | {} | {:.1e} | {count} | {seconds:.2} |", it.rows, it.edits, it.furthest);
        let _ = std::io::stdout().flush();
        wrong.extend(it.wrong.into_iter().map(|what| format!("{name}: {what}")));
    }
    println!("\n{} disagreements in all", wrong.len());
    wrong.iter().take(20).for_each(|what| println!("- {what}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn open(shim: bool) -> Result<Cuda, Error> {
    if shim { Ok(Cuda::on(Device::on(Shim::new()?))) } else { Cuda::gpu(0) }
}

/// The folders with numbers from transformers.
fn fixtures(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut fixtures: Vec<PathBuf> = entries.filter(|path| path.join("golden.json").is_file()).collect();
    fixtures.sort();
    fixtures
}
