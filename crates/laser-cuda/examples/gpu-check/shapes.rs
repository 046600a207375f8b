//! The shapes that are measured, and numbers to fill them with.

use laser_cuda::verify::Numbers;
use laser_cuda::{Device, Kind, Result, Rows};

/// A model's block, and how many rows are measured.
#[derive(Clone, Copy)]
pub struct Shapes {
    pub hidden: usize,
    pub heads: usize,
    pub head_dim: usize,
    pub inner: usize,
    /// The side of the plain product that counts as the peak.
    pub plain: usize,
    pub prompts: usize,
    pub tokens: usize,
    /// Rows of products and blocks.
    pub rows: [usize; 3],
    /// Rows whose bits are compared.
    pub batches: [usize; 5],
    pub vocabularies: [usize; 2],
    pub read_rows: usize,
    /// Repetitions that are timed.
    pub repeats: usize,
    pub upload_bytes: usize,
}

/// A llama block of 7B.
pub const SEVEN_B: Shapes = Shapes {
    hidden: 4096,
    heads: 32,
    head_dim: 128,
    inner: 11008,
    plain: 8192,
    prompts: 200,
    tokens: 64,
    rows: [256, 1024, 4096],
    batches: [1, 7, 64, 1000, 4096],
    vocabularies: [32000, 128_256],
    read_rows: 1000,
    repeats: 9,
    upload_bytes: 256 << 20,
};

/// The same in small: to try the program without a GPU.
pub const SMALL: Shapes = Shapes {
    hidden: 32,
    heads: 2,
    head_dim: 16,
    inner: 48,
    plain: 64,
    prompts: 3,
    tokens: 4,
    rows: [2, 4, 8],
    batches: [1, 2, 4, 6, 8],
    vocabularies: [1500, 2100],
    read_rows: 3,
    repeats: 2,
    upload_bytes: 1 << 16,
};

/// A store of random numbers: large matrices take theirs from it over and over, from shifting places.
pub struct Filler {
    normals: Vec<f32>,
    next: usize,
}

impl Filler {
    pub fn new() -> Self {
        Self { normals: Numbers::new(11).normals((1 << 21) + 7, 1.0), next: 0 }
    }

    pub fn rows(&mut self, device: &Device, kind: Kind, rows: usize, width: usize, scale: f32) -> Result<Rows> {
        let mut values = Vec::with_capacity(rows * width);
        let mut from = self.next % self.normals.len();
        while values.len() < rows * width {
            let some = (rows * width - values.len()).min(self.normals.len() - from);
            values.extend(self.normals[from..from + some].iter().map(|value| scale * value));
            from = 0;
        }
        self.next += 1_000_003;
        Rows::of(device, kind, &values, rows, width)
    }
}

/// The median of some repetitions, in milliseconds of device time; the first two are not counted.
pub fn milliseconds(device: &Device, repeats: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let mut times = Vec::with_capacity(repeats);
    for repeat in 0..repeats + 2 {
        let from = device.mark()?;
        work()?;
        let to = device.mark()?;
        if repeat >= 2 {
            times.push(device.milliseconds(&from, &to)?);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// TFLOP/s.
pub fn rate(operations: f64, milliseconds: f64) -> f64 {
    operations / milliseconds / 1e9
}
