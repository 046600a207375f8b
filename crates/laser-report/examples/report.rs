//! `report RUN PAGE.html`: the report of a RUN folder by this crate alone, which needs no tensor library.

use laser_report::ReadRun;
use laser_run::{RunFolder, write_whole};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, page] = arguments.as_slice() else { return Err("usage: report RUN PAGE.html".into()) };
    let read = ReadRun::open(&RunFolder::open(Path::new(run))?);
    write_whole(Path::new(page), read.data.page().as_bytes())?;
    Ok(())
}
