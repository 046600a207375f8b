//! Products by the tile instructions of some processors (AMX-BF16), to the accuracy of f32.
//!
//! A tile instruction multiplies 16 x 32 by 32 x 16 numbers in bf16 and adds the products up in f32: sixteen times the arithmetic that
//! AVX-512 does in f32 in the same time. The 24 bits of an f32 are the sum of three bf16 of 8 bits, x = x1 + x2 + x3, and a product of
//! two f32 is the sum of the products of their parts. Six of the nine count: what the others add is at most about 2^-23 of |x w|, no
//! more than an f32 is rounded by (Henry, Tang and Heinecke, arXiv 1904.06376).
//!
//! Sums run over the inputs in one order, whatever the number of rows, outputs and threads. Numbers below 2^-126 count as 0.

use super::vector;
use rayon::prelude::*;
use std::cell::Cell;

/// Rows, and outputs, of a block of the result: two tiles each way, one accumulator for each pair.
const BLOCK: usize = 32;
/// Inputs that an instruction sums over.
const STEP: usize = 32;
/// Parts of an f32.
const PARTS: usize = 3;
/// Lines of an operand's block that a step takes: of each part two tiles of sixteen.
const STEP_LINES: usize = PARTS * 2 * 16;
/// Steps that a block goes through before the next, so that what it reads stays in the second cache.
const DEPTH: usize = 24;
/// Blocks of rows that stay in the second cache while the weights pass by.
const GROUP: usize = 8;
/// Bytes of cut weights that are made at a time.
const WEIGHTS: usize = 1 << 24;

/// A row of a tile: sixteen pairs of bf16. Of a step's inputs the first sixteen are the lower halves, the others the upper ones.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

const ZERO: Line = Line([0; 16]);

/// Whether this processor has tile instructions and the system lets us use them.
pub fn available() -> bool {
    machine::available()
}

thread_local! {
    /// Both operands cut into parts, kept for the next product: fresh memory costs as much as the cutting.
    static SCRATCH: Cell<[Vec<Line>; 2]> = const { Cell::new([Vec::new(), Vec::new()]) };
}

/// Row-major `x [rows, inputs]` times row-major `w [inputs, outputs]`, where [`available`].
pub fn product(x: &[f32], w: &[f32], rows: usize, inputs: usize, outputs: usize) -> Vec<f32> {
    let (row_blocks, blocks, steps) = (rows.div_ceil(BLOCK), outputs.div_ceil(BLOCK), inputs.div_ceil(STEP));
    let width = blocks * BLOCK;
    let mut y = vec![0.0; row_blocks * BLOCK * width];
    if y.is_empty() || inputs == 0 {
        y.truncate(rows * outputs);
        return y;
    }
    let [mut a, mut b] = SCRATCH.take();
    a.resize(row_blocks * steps * STEP_LINES, ZERO);
    a.par_chunks_mut(steps * STEP_LINES).enumerate().for_each(|(block, lines)| {
        let first = block * BLOCK;
        let count = BLOCK.min(rows - first);
        vector::dispatch(
            #[inline(always)]
            || cut_rows(&x[first * inputs..][..count * inputs], inputs, lines),
        );
    });
    let at_once = (WEIGHTS / (steps * STEP_LINES * size_of::<Line>())).max(1);
    for first in (0..blocks).step_by(at_once) {
        let count = at_once.min(blocks - first);
        b.resize(count * steps * STEP_LINES, ZERO);
        b.par_chunks_mut(steps * STEP_LINES).enumerate().for_each(|(block, lines)| {
            let from = (first + block) * BLOCK;
            vector::dispatch(
                #[inline(always)]
                || cut_columns(w, outputs, from..(from + BLOCK).min(outputs), lines),
            );
        });
        multiply(&a, &b, steps, &mut y[first * BLOCK..], width);
    }
    SCRATCH.set([a, b]);
    if width > outputs {
        for row in 1..rows {
            y.copy_within(row * width..row * width + outputs, row * outputs);
        }
    }
    y.truncate(rows * outputs);
    y
}

/// Adds to `y`, of which a row's `width` outputs stand together, the product of `a` and `b`, some outputs from the first on.
fn multiply(a: &[Line], b: &[Line], steps: usize, y: &mut [f32], width: usize) {
    let lines = steps * STEP_LINES;
    let (row_blocks, blocks) = (a.len() / lines, b.len() / lines);
    let groups = row_blocks.div_ceil(GROUP);
    // Two tasks a thread at least, cut along the outputs where there are few rows.
    let parts = (2 * rayon::current_num_threads()).div_ceil(groups.max(1)).min(blocks);
    let y = Output { first: y.as_mut_ptr(), len: y.len() };
    (0..groups * parts).into_par_iter().for_each(|task| {
        let (group, part) = (task / parts, task % parts);
        let rows = group * GROUP..((group + 1) * GROUP).min(row_blocks);
        let outputs = blocks * part / parts..blocks * (part + 1) / parts;
        machine::with_tiles(|tiles| {
            let mut sums = Sums([[0.0; BLOCK]; BLOCK]);
            for from in (0..steps).step_by(DEPTH) {
                let depth = DEPTH.min(steps - from);
                for j in outputs.clone() {
                    let b = &b[j * lines + from * STEP_LINES..][..depth * STEP_LINES];
                    for i in rows.clone() {
                        let a = &a[i * lines + from * STEP_LINES..][..depth * STEP_LINES];
                        // SAFETY: the block belongs to this task alone.
                        let block = || unsafe { y.block(i * BLOCK * width + j * BLOCK, width) };
                        if from > 0 {
                            sums.0.iter_mut().zip(block()).for_each(|(sums, y)| *sums = *y);
                        }
                        tiles.multiply(a, b, from > 0, &mut sums);
                        sums.0.iter().zip(block()).for_each(|(sums, y)| *y = *sums);
                    }
                }
            }
        });
    });
}

/// Where tasks write their blocks, which do not overlap.
struct Output {
    first: *mut f32,
    len: usize,
}

// SAFETY: each task writes to blocks of its own.
unsafe impl Sync for Output {}

impl Output {
    /// The rows of the block that starts at `at`, `width` apart.
    ///
    /// # Safety
    /// Nobody else has it.
    unsafe fn block(&self, at: usize, width: usize) -> impl Iterator<Item = &mut [f32; BLOCK]> {
        assert!(at + (BLOCK - 1) * width + BLOCK <= self.len);
        // SAFETY: they lie in the result, as was asserted, and do not overlap, for blocks are not wider than rows.
        (0..BLOCK).map(move |row| unsafe { &mut *self.first.add(at + row * width).cast() })
    }
}

/// A block of the result, where tile registers are best read from and written to.
#[repr(C, align(64))]
struct Sums([[f32; BLOCK]; BLOCK]);

/// Cuts up to [`BLOCK`] rows of `inputs` values into lines `[step][part][row]`.
#[inline(always)]
fn cut_rows(x: &[f32], inputs: usize, lines: &mut [Line]) {
    for (step, lines) in lines.chunks_exact_mut(STEP_LINES).enumerate() {
        let from = step * STEP;
        let count = STEP.min(inputs - from);
        for row in 0..BLOCK {
            let mut values = [0.0f32; STEP];
            if let Some(x) = x.get(row * inputs..(row + 1) * inputs) {
                match x[from..].first_chunk::<STEP>() {
                    Some(whole) => values = *whole,
                    None => values[..count].copy_from_slice(&x[from..]),
                }
            }
            let (lower, upper) = values.split_at_mut(STEP / 2);
            for part in 0..PARTS {
                cut(lower, upper, &mut lines[part * BLOCK + row]);
            }
        }
    }
}

/// Takes a part of each value, in pairs, and leaves the rest.
#[inline(always)]
fn cut(lower: &mut [f32], upper: &mut [f32], line: &mut Line) {
    for ((lower, upper), pair) in lower.iter_mut().zip(upper).zip(&mut line.0) {
        let bits = [vector::bf16_bits(*lower), vector::bf16_bits(*upper)];
        *lower -= f32::from_bits(bits[0]);
        *upper -= f32::from_bits(bits[1]);
        *pair = (bits[0] >> 16) | bits[1];
    }
}

/// Cuts up to [`BLOCK`] columns of `w`, of which a row has `outputs` values, into lines `[step][part][tile][pair of inputs]`.
#[inline(always)]
fn cut_columns(w: &[f32], outputs: usize, columns: std::ops::Range<usize>, lines: &mut [Line]) {
    for (step, lines) in lines.chunks_exact_mut(STEP_LINES).enumerate() {
        for pair in 0..STEP / 2 {
            let mut values = [[0.0f32; BLOCK]; 2];
            for (half, values) in values.iter_mut().enumerate() {
                let input = step * STEP + half * STEP / 2 + pair;
                if let Some(row) = w.get(input * outputs..(input + 1) * outputs) {
                    match row[columns.start..].first_chunk::<BLOCK>() {
                        Some(whole) => *values = *whole,
                        None => values[..columns.len()].copy_from_slice(&row[columns.clone()]),
                    }
                }
            }
            let [lower, upper] = &mut values;
            for part in 0..PARTS {
                let tiles = lower.chunks_exact_mut(16).zip(upper.chunks_exact_mut(16));
                for (tile, (lower, upper)) in tiles.enumerate() {
                    cut(lower, upper, &mut lines[(part * 2 + tile) * 16 + pair]);
                }
            }
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod machine {
    use super::{Line, STEP_LINES, Sums};
    use std::arch::asm;
    use std::sync::OnceLock;

    /// Asks the processor, and the system for leave, once.
    pub fn available() -> bool {
        static AVAILABLE: OnceLock<bool> = OnceLock::new();
        *AVAILABLE.get_or_init(|| {
            const TILES_AND_BF16: u32 = (1 << 24) | (1 << 22);
            const REQUEST_PERMISSION: libc::c_long = 0x1023;
            const TILE_DATA: libc::c_long = 18;
            let features = std::arch::x86_64::__cpuid_count(7, 0).edx;
            features & TILES_AND_BF16 == TILES_AND_BF16
                // SAFETY: the call only allows this process a larger register state; where it is unknown it fails.
                && unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) } == 0
        })
    }

    /// The shapes of the eight tile registers: sixteen rows of 64 bytes.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    /// Proof that this thread's tile registers are set up.
    pub struct Tiles(());

    /// Runs `work` with tile registers set up, where they are [`available`].
    pub fn with_tiles(work: impl FnOnce(&Tiles)) {
        struct Released;
        impl Drop for Released {
            fn drop(&mut self) {
                // SAFETY: frees the registers that were set up below.
                unsafe { asm!("tilerelease", options(nomem, nostack)) };
            }
        }
        assert!(available());
        let mut shapes = Shapes { palette: 1, start: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
        shapes.row_bytes[..8].fill(64);
        shapes.rows[..8].fill(16);
        // SAFETY: the processor has the instruction, and the 64 bytes are a valid set of shapes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &shapes, options(readonly, nostack)) };
        let _released = Released;
        work(&Tiles(()));
    }

    impl Tiles {
        /// The product of some steps of `a` and `b`, added to `sums` or in its place.
        pub fn multiply(&self, a: &[Line], b: &[Line], add: bool, sums: &mut Sums) {
            let steps = a.len() / STEP_LINES;
            assert!(steps > 0 && a.len() == steps * STEP_LINES && b.len() == a.len());
            // Part i of `a` by part j of `b`, in an order in which each pair shares one with the next.
            // Registers 0 to 3 add up; 4 and 5 hold tiles of `a`, 6 and 7 of `b`.
            // SAFETY: reads `steps` steps of both operands, whose lengths were asserted, and reads and writes the sums.
            unsafe {
                asm!(
                    "tilezero tmm0",
                    "tilezero tmm1",
                    "tilezero tmm2",
                    "tilezero tmm3",
                    "test {add:e}, {add:e}",
                    "jz 2f",
                    "tileloadd tmm0, [{y} + {width}*1]",
                    "tileloadd tmm1, [{y} + {width}*1 + 64]",
                    "tileloadd tmm2, [{y} + {width}*1 + 2048]",
                    "tileloadd tmm3, [{y} + {width}*1 + 2112]",
                    "2:",
                    // 0 x 2
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tileloadd tmm6, [{b} + {line}*1 + 4096]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 5120]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{a} + {line}*1 + 1024]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // 0 x 1
                    "tileloadd tmm6, [{b} + {line}*1 + 2048]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 3072]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // 1 x 1
                    "tileloadd tmm4, [{a} + {line}*1 + 2048]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{a} + {line}*1 + 3072]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // 1 x 0
                    "tileloadd tmm6, [{b} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tileloadd tmm7, [{b} + {line}*1 + 1024]",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // 2 x 0
                    "tileloadd tmm4, [{a} + {line}*1 + 4096]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{a} + {line}*1 + 5120]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    // 0 x 0
                    "tileloadd tmm4, [{a} + {line}*1]",
                    "tdpbf16ps tmm0, tmm4, tmm6",
                    "tdpbf16ps tmm1, tmm4, tmm7",
                    "tileloadd tmm5, [{a} + {line}*1 + 1024]",
                    "tdpbf16ps tmm2, tmm5, tmm6",
                    "tdpbf16ps tmm3, tmm5, tmm7",
                    "add {a}, 6144",
                    "add {b}, 6144",
                    "dec {steps}",
                    "jnz 2b",
                    "tilestored [{y} + {width}*1], tmm0",
                    "tilestored [{y} + {width}*1 + 64], tmm1",
                    "tilestored [{y} + {width}*1 + 2048], tmm2",
                    "tilestored [{y} + {width}*1 + 2112], tmm3",
                    a = inout(reg) a.as_ptr() => _,
                    b = inout(reg) b.as_ptr() => _,
                    steps = inout(reg) steps => _,
                    line = in(reg) size_of::<Line>(),
                    add = in(reg) u32::from(add),
                    y = in(reg) &raw mut sums.0,
                    width = in(reg) size_of_val(&sums.0[0]),
                    out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                    out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                    options(nostack),
                );
            }
        }
    }
}

/// Where there are no tile instructions.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod machine {
    use super::{Line, Sums};

    pub fn available() -> bool {
        false
    }

    pub struct Tiles;

    pub fn with_tiles(_: impl FnOnce(&Tiles)) {
        unreachable!("a product by tiles without tile instructions")
    }

    impl Tiles {
        pub fn multiply(&self, _: &[Line], _: &[Line], _: bool, _: &mut Sums) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        (0..n).map(|_| next() * 10f32.powf(4.0 * next())).collect()
    }

    #[test]
    fn parts_add_up_to_the_whole() {
        for value in values(1000, 1).into_iter().chain([0.0, -1.0, 1e30, f32::MIN_POSITIVE * 1e10]) {
            let (mut rest, mut sum) = (value, 0.0);
            for _ in 0..3 {
                let part = f32::from_bits(vector::bf16_bits(rest));
                rest -= part;
                sum += part;
            }
            assert_eq!((rest, sum), (0.0, value));
        }
        assert!(f32::from_bits(vector::bf16_bits(f32::from_bits(0x7fff_ffff))).is_nan());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// What every equality of batched and one-by-one evaluation rests on.
        #[test]
        fn a_row_has_the_same_bits_in_any_batch(rows in 1usize..300, inputs in 1usize..1000, outputs in 1usize..300, seed: u64) {
            if !available() {
                println!("skipped: this processor has no tile instructions");
                return Ok(());
            }
            let (x, w) = (values(rows * inputs, seed), values(outputs * inputs, !seed));
            let all = product(&x, &w, rows, inputs, outputs);
            for row in [0, rows / 2, rows - 1] {
                let alone = product(&x[row * inputs..][..inputs], &w, 1, inputs, outputs);
                prop_assert_eq!(&alone[..], &all[row * outputs..][..outputs]);
            }
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
            prop_assert_eq!(&pool.install(|| product(&x, &w, rows, inputs, outputs)), &all);
            let half = outputs.div_ceil(2);
            let left: Vec<f32> = w.chunks_exact(outputs).flat_map(|row| row[..half].to_vec()).collect();
            let part = product(&x, &left, rows, inputs, half);
            prop_assert!(part.chunks_exact(half).zip(all.chunks_exact(outputs)).all(|(part, all)| *part == all[..half]));
        }

        /// To the accuracy of sums in f32.
        #[test]
        fn agrees_with_the_definition(rows in 1usize..70, inputs in 1usize..900, outputs in 1usize..70, seed: u64) {
            if !available() {
                println!("skipped: this processor has no tile instructions");
                return Ok(());
            }
            let (x, w) = (values(rows * inputs, seed), values(outputs * inputs, !seed));
            let y = product(&x, &w, rows, inputs, outputs);
            for i in 0..rows {
                for j in 0..outputs {
                    let terms = || (0..inputs).map(|k| f64::from(x[i * inputs + k]) * f64::from(w[k * outputs + j]));
                    let bound = 2f64.powi(-21) * terms().map(f64::abs).sum::<f64>() + 1e-30;
                    prop_assert!((f64::from(y[i * outputs + j]) - terms().sum::<f64>()).abs() <= bound);
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        if !available() {
            return println!("skipped: this processor has no tile instructions");
        }
        for value in [f32::NAN, f32::INFINITY] {
            let y = product(&[1.0, value, 1.0, 1.0], &[1.0, 1.0], 2, 2, 1);
            assert!(!y[0].is_finite() && y[1] == 2.0);
        }
        // As many outputs as take several rounds of cutting.
        assert!(product(&[], &vec![1.0; 600 * 9000], 0, 600, 9000).is_empty());
        assert_eq!(product(&[], &[], 2, 0, 1), [0.0, 0.0]);
    }
}
