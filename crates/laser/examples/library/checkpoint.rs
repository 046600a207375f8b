//! A checkpoint is opened and one matrix of it is read. No forward pass is built, and nothing else is loaded.

use laser::DemoFiles;
use laser::checkpoint::Checkpoint;
use laser::edit::MatrixKind;
use laser::linalg::Svd;
use std::path::Path;

pub fn run(demo: &DemoFiles, _: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let checkpoint = Checkpoint::open(&demo.model)?;
    let config = checkpoint.config();
    println!("{} layers of width {}", config.layers, config.hidden_size);

    // Rows are outputs, whatever way round the file has them.
    let matrix = checkpoint.matrix(1, MatrixKind::FcIn)?;
    let svd = Svd::of(&matrix)?;
    println!(
        "1.fc_in is {} x {}, its largest singular value {:.3}",
        matrix.rows(),
        matrix.cols(),
        svd.singular_values()[0]
    );
    Ok(())
}
