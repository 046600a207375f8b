//! A whole search on the demo's model: cargo run --release -p laser-rank --example search FOLDER

use laser::{DemoFiles, SearchPlan, Session};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: search FOLDER")?);
    let demo = DemoFiles::unpack(&folder)?;
    let session = Session::open(demo.model)?;
    let task = session.task(&demo.task.display().to_string().into())?;

    let found = session.search(&task, &SearchPlan::default(), folder.join("run"))?;
    println!("{}", found.text());

    session.apply(&found.verdict.best, folder.join("edited"), true)?;
    println!("{} is in {}", found.verdict.best, folder.join("edited").display());
    Ok(())
}
