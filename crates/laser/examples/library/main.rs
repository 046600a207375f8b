//! What a program of one's own can do with the library, each in a file of its own, on the demo's model:
//!
//!     cargo run --release -p laser-rank --example library -- FOLDER [checkpoint|scorer|edit-method|strategy]

mod checkpoint;
mod edit_method;
mod scorer;
mod strategy;

use laser::DemoFiles;
use std::path::{Path, PathBuf};

type Run = fn(&DemoFiles, &Path) -> Result<(), Box<dyn std::error::Error>>;

const ALL: [(&str, Run); 4] = [
    ("checkpoint", checkpoint::run),
    ("scorer", scorer::run),
    ("edit-method", edit_method::run),
    ("strategy", strategy::run),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().ok_or("usage: library FOLDER [NAME]")?);
    let asked = arguments.next();
    let demo = DemoFiles::unpack(&folder)?;
    for (name, run) in ALL.iter().filter(|(name, _)| asked.as_deref().is_none_or(|asked| asked == *name)) {
        println!("{name}:");
        run(&demo, &folder)?;
    }
    Ok(())
}
