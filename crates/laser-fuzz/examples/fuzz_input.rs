//! `fuzz_input TARGET FILE...` reads each file as the target does and says how long that took.
//! `fuzz_input TARGET --seeds FOLDER` writes the target's seeds into a folder, for cargo-fuzz.

use std::{error::Error, fs, path::Path, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, rest @ ..] = &arguments[..] else { return Err("give a target and files".into()) };
    let target = laser_fuzz::target(name).ok_or("there is no such target")?;
    if let [option, folder] = rest
        && option == "--seeds"
    {
        fs::create_dir_all(folder)?;
        for (number, seed) in laser_fuzz::seeds(name).iter().enumerate() {
            fs::write(Path::new(folder).join(format!("seed-{number}")), seed)?;
        }
        return Ok(());
    }
    for path in rest {
        let input = fs::read(path)?;
        let start = Instant::now();
        (target.body)(&input);
        println!("{path}: {:?}", start.elapsed());
    }
    Ok(())
}
