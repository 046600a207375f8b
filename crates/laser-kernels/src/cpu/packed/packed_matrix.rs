//! A packed matrix and its products.

use super::super::{meter, vector};
use super::factor::Factor;
use super::line::{Line, REGISTERS, WIDTH, ZERO, rounded_pair, steps};
use super::micro;
use super::tasks::{Task, tasks};
use crate::parts::Precision;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// Steps that a panel of weights has there at most.
const DEPTH: usize = 2048;
/// Bytes of weights that [`PackedMatrix::by_panels`] takes at a time, and rows.
const PANEL_BYTES: usize = 1 << 19;
const PANEL_ROWS: usize = 64;

/// A weight matrix on a CPU that has the instructions for it. Cloning shares it.
#[derive(Debug, Clone)]
pub struct PackedMatrix {
    /// `[panel][step][register]`.
    lines: Arc<Vec<Line>>,
    outputs: usize,
    inputs: usize,
    precision: Precision,
}

impl PackedMatrix {
    /// Packs row-major `weights [outputs, inputs]`, where products in `precision` are
    /// [`available`].
    pub fn new(weights: &[f32], outputs: usize, inputs: usize, precision: Precision) -> Self {
        assert!(micro::has_instructions(precision) && weights.len() == outputs * inputs);
        let mut matrix = Self { lines: Arc::default(), outputs, inputs, precision };
        let mut lines = vec![ZERO; outputs.div_ceil(WIDTH) * matrix.panel_lines()];
        let panels = lines.par_chunks_mut(matrix.panel_lines().max(1)).zip(weights.par_chunks((WIDTH * inputs).max(1)));
        panels.for_each(|(lines, weights)| {
            for (output, weights) in weights.chunks_exact(inputs.max(1)).enumerate() {
                let (register, lane) = (output / 16, output % 16);
                let of_output = lines.iter_mut().skip(register).step_by(REGISTERS);
                match precision {
                    Precision::F32 => {
                        of_output.zip(weights).for_each(|(line, weight)| line.0[lane] = weight.to_bits());
                    }
                    Precision::Bf16 => {
                        of_output.zip(weights.chunks(2)).for_each(|(line, pair)| line.0[lane] = rounded_pair(pair));
                    }
                }
            }
        });
        matrix.lines = Arc::new(lines);
        matrix
    }

    /// In what it is multiplied.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Outputs and inputs.
    pub fn shape(&self) -> [usize; 2] {
        [self.outputs, self.inputs]
    }

    /// The weights as they are multiplied with, row-major `[outputs, inputs]`.
    pub fn values(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.outputs * self.inputs];
        values.par_chunks_mut(self.inputs.max(1)).enumerate().for_each(|(output, values)| {
            let lines = self.of_output(output);
            match self.precision {
                Precision::F32 => values.iter_mut().zip(lines).for_each(|(value, bits)| *value = f32::from_bits(bits)),
                Precision::Bf16 => values.chunks_mut(2).zip(lines).for_each(|(pair, bits)| {
                    let halves = [bits << 16, bits & 0xffff_0000];
                    pair.iter_mut().zip(halves).for_each(|(value, half)| *value = f32::from_bits(half));
                }),
            }
        });
        values
    }

    /// Output `output` of `x [inputs]` in f32: the very bits of the product.
    pub fn output(&self, output: usize, x: &[f32]) -> f32 {
        debug_assert_eq!(self.precision, Precision::F32);
        vector::dispatch(
            #[inline(always)]
            || self.of_output(output).zip(x).fold(0.0, |sum, (weight, x)| x.mul_add(f32::from_bits(weight), sum)),
        )
    }

    /// Row-major `x [rows, inputs]` times W', row-major.
    pub fn product(&self, x: &[f32], rows: usize) -> Vec<f32> {
        meter::count(self.precision, [rows, self.inputs, self.outputs], || {
            self.product_of(&Factor::new(x, rows, self.inputs, self.precision))
        })
    }

    /// The same of rows some of which have other weights than others: the ranges of `weights` cover all rows, each of them once,
    /// and the matrices are of one shape and precision.
    pub fn product_over_ranges(x: &[f32], rows: usize, weights: &[(&Self, &[Range<usize>])]) -> Vec<f32> {
        let Some(&(first, _)) = weights.first() else { return Vec::new() };
        let (shape, precision) = (first.shape(), first.precision);
        assert!(weights.iter().all(|(weight, _)| (weight.shape(), weight.precision) == (shape, precision)));
        let mut covered: Vec<&Range<usize>> = weights.iter().flat_map(|(_, ranges)| ranges.iter()).collect();
        covered.sort_by_key(|range| (range.start, range.end));
        let end =
            covered.iter().try_fold(0, |end, range| (range.start == end && range.end >= end).then_some(range.end));
        assert_eq!(end, Some(rows), "the ranges do not cover the rows");
        let [outputs, inputs] = shape;
        meter::count(precision, [rows, inputs, outputs], || {
            let mut y = Vec::with_capacity(rows * outputs);
            // SAFETY: nobody else has y, there is room for all rows, and all of them are written, each once.
            unsafe {
                let to = Output { first: y.as_mut_ptr(), stride: outputs };
                multiply(weights, &Factor::new(x, rows, inputs, precision), to);
                y.set_len(rows * outputs);
            }
            y
        })
    }

    /// The product of what has been laid out.
    pub fn product_of(&self, x: &Factor) -> Vec<f32> {
        let mut y = Vec::with_capacity(x.rows * self.outputs);
        // SAFETY: nobody else has y, there is room for all rows, and all of them are written.
        unsafe {
            let all = 0..x.rows;
            multiply(&[(self, std::slice::from_ref(&all))], x, Output { first: y.as_mut_ptr(), stride: self.outputs });
            y.set_len(x.rows * self.outputs);
        }
        y
    }

    /// The product, some rows and some outputs at a time, so that not all of it is held: `work`
    /// gets the numbers of both, and the values row-major, and gives something for each row. It
    /// comes by outputs, then by rows. The outputs are cut by the matrix's shape alone.
    pub fn by_panels<R: Send>(
        &self,
        x: &[f32],
        rows: usize,
        work: impl Fn(Range<usize>, Range<usize>, &[f32]) -> Vec<R> + Sync,
    ) -> Vec<Vec<R>> {
        let x = Factor::new(x, rows, self.inputs, self.precision);
        let of_panel = |outputs: Range<usize>| {
            let panels = outputs.start / WIDTH..outputs.end.div_ceil(WIDTH);
            let mut y = Vec::with_capacity(PANEL_ROWS.min(rows) * outputs.len());
            let of_rows = (0..rows).step_by(PANEL_ROWS).flat_map(|start| {
                let some = start..(start + PANEL_ROWS).min(rows);
                // SAFETY: nobody else has y, there is room, and so much of it is written.
                unsafe {
                    let to = Output { first: y.as_mut_ptr(), stride: outputs.len() };
                    self.block(&x, some.clone(), panels.clone(), to);
                    y.set_len(some.len() * outputs.len());
                }
                work(outputs.clone(), some, &y)
            });
            of_rows.collect()
        };
        let step = self.panel_outputs();
        let starts = (0..self.outputs).into_par_iter().step_by(step);
        starts.map(|start| of_panel(start..(start + step).min(self.outputs))).collect()
    }

    /// Outputs that [`Self::by_panels`] takes at a time.
    pub fn panel_outputs(&self) -> usize {
        (PANEL_BYTES / (self.panel_lines() * size_of::<Line>()).max(1)).max(1) * WIDTH
    }

    fn panel_lines(&self) -> usize {
        steps(self.precision, self.inputs) * REGISTERS
    }

    /// The units of an output's weights.
    fn of_output(&self, output: usize) -> impl Iterator<Item = u32> {
        let (panel, register, lane) = (output / WIDTH, output % WIDTH / 16, output % 16);
        let lines = &self.lines[panel * self.panel_lines()..][..self.panel_lines()];
        lines.iter().skip(register).step_by(REGISTERS).map(move |line| line.0[lane])
    }

    /// Writes the outputs of some panels for some rows of `x` to `y`, in its rows and columns from
    /// 0 on.
    ///
    /// # Safety
    /// `y` has room for them, which nobody else has.
    unsafe fn block(&self, x: &Factor, rows: Range<usize>, panels: Range<usize>, y: Output) {
        assert_eq!((x.inputs, x.precision), (self.inputs, self.precision));
        let (steps, x_stride) = (steps(self.precision, self.inputs), x.stride);
        let (x, rows) = (&x.units[rows.start * x_stride..], rows.len());
        for panel in panels.clone() {
            let outputs = WIDTH.min(self.outputs - panel * WIDTH);
            let lines = &self.lines[panel * self.panel_lines()..][..self.panel_lines()];
            // Without inputs the sums are written all the same.
            for from in (0..steps.max(1)).step_by(DEPTH) {
                let some = from..(from + DEPTH).min(steps);
                let w = &lines[some.start * REGISTERS..some.end * REGISTERS];
                let block = micro::Block { x: x.get(from..).unwrap_or_default(), x_stride, rows, w };
                // SAFETY: the matrix was packed where its precision is available; the caller
                // vouches for y.
                unsafe {
                    let to = y.at(0, (panel - panels.start) * WIDTH);
                    micro::multiply(self.precision, block, from > 0, to, y.stride, outputs);
                }
            }
        }
    }
}

/// Writes the products of the rows of `x` with their matrices, all of one shape, to `y`.
///
/// # Safety
/// `y` has room for `x.rows` rows of all outputs, which nobody else has; no row is in two ranges.
unsafe fn multiply(weights: &[(&PackedMatrix, &[Range<usize>])], x: &Factor, y: Output) {
    let Some(&(first, _)) = weights.first() else { return };
    let (tasks, parallel) = tasks(weights, first.outputs.div_ceil(WIDTH), 2 * first.inputs * first.outputs);
    let work = |task: &Task<PackedMatrix>| {
        for panel in task.panels.clone() {
            for rows in &task.rows {
                // SAFETY: as the caller says, and no other task has these rows and columns.
                unsafe {
                    let to = Output { first: y.at(rows.start, panel * WIDTH), ..y };
                    task.matrix.block(x, rows.clone(), panel..panel + 1, to);
                }
            }
        }
    };
    match parallel {
        true => tasks.par_iter().for_each(work),
        false => tasks.iter().for_each(work),
    }
}

/// Where a product is written to, row-major.
#[derive(Clone, Copy)]
struct Output {
    first: *mut f32,
    /// How far apart rows lie.
    stride: usize,
}

// SAFETY: who writes to it vouches for having the place alone.
unsafe impl Send for Output {}
// SAFETY: likewise.
unsafe impl Sync for Output {}

impl Output {
    /// The place of a value.
    fn at(&self, row: usize, column: usize) -> *mut f32 {
        self.first.wrapping_add(row * self.stride + column)
    }
}

#[cfg(test)]
mod tests {
    use super::super::available;
    use super::*;
    use crate::cpu::faer_product;
    use proptest::prelude::*;

    fn values(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed | 1;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        (0..n).map(|_| next() * 10f32.powf(4.0 * next())).collect()
    }

    /// The precisions that there are here.
    fn precisions() -> Vec<Precision> {
        let all = [Precision::F32, Precision::Bf16];
        let (there, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|&precision| available(precision));
        missing.iter().for_each(|precision| println!("skipped: this processor has no products in {precision:?}"));
        there
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..laser_testing::cases() })]

        /// What every equality of batched and one-by-one evaluation rests on.
        #[test]
        fn a_row_has_the_same_bits_in_any_batch(
            rows in 1usize..300, inputs in 1usize..2500, outputs in 1usize..300, seed: u64
        ) {
            for precision in precisions() {
                let (x, w) = (values(rows * inputs, seed), values(outputs * inputs, !seed));
                let matrix = PackedMatrix::new(&w, outputs, inputs, precision);
                let all = matrix.product(&x, rows);
                for row in [0, rows / 2, rows - 1] {
                    let x = &x[row * inputs..][..inputs];
                    prop_assert_eq!(&matrix.product(x, 1)[..], &all[row * outputs..][..outputs]);
                    if precision == Precision::F32 {
                        prop_assert!((0..outputs).all(|i| matrix.output(i, x) == all[row * outputs + i]));
                    }
                }
                let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                prop_assert_eq!(&pool.install(|| matrix.product(&x, rows)), &all);
                let other = PackedMatrix::new(&values(outputs * inputs, seed ^ 7), outputs, inputs, precision);
                let [a, b] = [rows / 3, rows - rows / 4];
                let of_two = [(&other, &[a..b][..]), (&matrix, &[0..a, b..rows][..])];
                let mixed = PackedMatrix::product_over_ranges(&x, rows, &of_two);
                prop_assert_eq!(&mixed[..a * outputs], &all[..a * outputs]);
                prop_assert_eq!(&mixed[b * outputs..], &all[b * outputs..]);
                prop_assert_eq!(&mixed[a * outputs..b * outputs], &other.product(&x[a * inputs..b * inputs], b - a));
                let equal = matrix.by_panels(&x, rows, |outputs_of, rows_of, part| {
                    let of_row = |row: usize| &all[row * outputs + outputs_of.start..][..outputs_of.len()];
                    rows_of.zip(part.chunks(outputs_of.len())).map(|(row, part)| of_row(row) == part).collect()
                });
                prop_assert!(equal.iter().all(|panel| panel.len() == rows && panel.iter().all(|equal| *equal)));
            }
        }

        /// In f32 to the accuracy of sums in f32, in bf16 within the rounding of both operands.
        #[test]
        fn agrees_with_the_definition(rows in 1usize..20, inputs in 1usize..900, outputs in 1usize..70, seed: u64) {
            for precision in precisions() {
                let (x, w) = (values(rows * inputs, seed), values(outputs * inputs, !seed));
                let matrix = PackedMatrix::new(&w, outputs, inputs, precision);
                if precision == Precision::F32 {
                    prop_assert_eq!(&matrix.values(), &w);
                }
                let bits = if precision == Precision::F32 { -24 + 10 } else { -7 };
                let y = matrix.product(&x, rows);
                for i in 0..rows {
                    for j in 0..outputs {
                        let terms = || (0..inputs).map(|k| f64::from(x[i * inputs + k]) * f64::from(w[j * inputs + k]));
                        let bound = 2f64.powi(bits) * terms().map(f64::abs).sum::<f64>() + 1e-30;
                        prop_assert!((f64::from(y[i * outputs + j]) - terms().sum::<f64>()).abs() <= bound);
                    }
                }
            }
        }
    }

    /// Prints GFLOP/s by the number of rows, and of the product that is there without these
    /// instructions, medians of some: `cargo test --release -p laser-kernels speed_by_rows --
    /// --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn speed_by_rows() {
        let (inputs, outputs) = (576, 1536);
        let w = values(outputs * inputs, 1);
        for rows in [1, 8, 64, 256, 1024, 4096] {
            let x = values(rows * inputs, 2);
            let gflops = |product: &dyn Fn() -> Vec<f32>| {
                let mut seconds: Vec<f64> = (0..51)
                    .map(|_| {
                        let start = std::time::Instant::now();
                        product();
                        start.elapsed().as_secs_f64()
                    })
                    .collect();
                seconds.sort_by(f64::total_cmp);
                2.0 * (rows * inputs * outputs) as f64 / seconds[25] / 1e9
            };
            // The values do not matter: the matrix is taken as its own transpose.
            let faer = gflops(&|| faer_product::linear(&x, &w, [rows, inputs, outputs]));
            println!("{rows} rows: faer {faer:.0}");
            for precision in precisions() {
                let matrix = PackedMatrix::new(&w, outputs, inputs, precision);
                println!("{rows} rows: {precision:?} {:.0}", gflops(&|| matrix.product(&x, rows)));
            }
        }
    }

    #[test]
    fn rows_far_apart_have_the_same_bits() {
        for precision in precisions() {
            let (x, w) = (values(9 * 2048, 1), values(50 * 2048, 2));
            let matrix = PackedMatrix::new(&w, 50, 2048, precision);
            let laid_out = Factor::new(&x, 9, 2048, precision);
            assert!(laid_out.stride > steps(precision, 2048));
            assert_eq!(matrix.product(&x[..2048], 1), matrix.product(&x, 9)[..50]);
        }
    }

    #[test]
    fn what_is_not_finite_stays_so() {
        for precision in precisions() {
            for value in [f32::NAN, f32::INFINITY] {
                let y = PackedMatrix::new(&[1.0, 1.0], 1, 2, precision).product(&[1.0, value, 1.0, 1.0], 2);
                assert!(!y[0].is_finite() && y[1] == 2.0);
            }
        }
    }

    #[test]
    fn ranges_may_be_empty() {
        for precision in precisions() {
            let matrix = PackedMatrix::new(&[1.0, 2.0], 2, 1, precision);
            let of_one = PackedMatrix::product_over_ranges(&[3.0], 1, &[(&matrix, &[0..1]), (&matrix, &[0..0, 1..1])]);
            assert_eq!(of_one, [3.0, 6.0]);
        }
    }

    #[test]
    fn a_product_of_nothing_is_empty_or_zero() {
        for precision in precisions() {
            assert!(PackedMatrix::new(&[1.0; 60], 20, 3, precision).product(&[], 0).is_empty());
            assert!(PackedMatrix::new(&[], 0, 3, precision).product(&[1.0; 6], 2).is_empty());
            assert_eq!(PackedMatrix::new(&[], 1, 0, precision).product(&[], 2), [0.0, 0.0]);
        }
    }
}
