//! The `laser` binary.

use laser::program;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: program::Reporting = program::Reporting;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    program::main(&arguments).into()
}
