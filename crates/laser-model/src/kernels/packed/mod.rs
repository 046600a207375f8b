//! Weight matrices in the order in which AVX-512 multiplies by them, and `y = x Wᵀ`, which nearly all of the time is spent in.
//!
//! A matrix is packed once, when it is loaded or edited, into panels of [`WIDTH`] outputs: for each input the panel's weights side by
//! side. A product then reads them as they lie. In f32 every output is the sum over the inputs in their order, by fused
//! multiplications and additions into one sum; in bf16, of which two make up 32 bits, over pairs of inputs. So a result depends
//! neither on the rows beside it nor on how the work is cut.

#[cfg(target_arch = "x86_64")]
mod micro;
#[cfg(not(target_arch = "x86_64"))]
#[path = "no_micro.rs"]
mod micro;

use super::{meter, vector};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Registers that a row of a panel's outputs takes.
const REGISTERS: usize = 3;
/// Outputs of a panel.
pub const WIDTH: usize = 16 * REGISTERS;
/// Rows that go by a panel of weights while it stays in the second cache.
const GROUP: usize = 256;
/// Steps that a panel of weights has there at most.
const DEPTH: usize = 2048;
/// Below this many floating-point operations a product is not worth a second thread.
const PARALLEL_FLOPS: usize = 1_000_000;
/// What a task takes at least.
const TASK_FLOPS: usize = 2_000_000;
/// Bytes of weights that [`PackedMatrix::by_panels`] takes at a time, and rows.
const PANEL_BYTES: usize = 1 << 19;
const PANEL_ROWS: usize = 64;

/// In what weights and inputs are multiplied; sums are made in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// As they are.
    F32,
    /// Rounded to eight bits of mantissa.
    Bf16,
}

impl Precision {
    /// Units of 32 bits that so many inputs take: each one, or a pair of them.
    fn steps(self, inputs: usize) -> usize {
        match self {
            Self::F32 => inputs,
            Self::Bf16 => inputs.div_ceil(2),
        }
    }
}

/// Whether this processor has what products of packed matrices take.
pub fn available(precision: Precision) -> bool {
    micro::available(precision)
}

/// One register: sixteen f32, or sixteen pairs of bf16, the earlier input in the lower half.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; 16]);

const ZERO: Line = Line([0; 16]);

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
    /// Packs row-major `weights [outputs, inputs]`, where products in `precision` are [`available`].
    pub fn new(weights: &[f32], outputs: usize, inputs: usize, precision: Precision) -> Self {
        assert!(available(precision) && weights.len() == outputs * inputs);
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

    /// The number of outputs.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// The weights as they are multiplied with, row-major `[outputs, inputs]`, and that shape.
    pub fn values(&self) -> (Vec<f32>, (usize, usize)) {
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
        (values, (self.outputs, self.inputs))
    }

    /// Output `output` of `x [inputs]` in f32: the very bits of the product.
    pub fn output(&self, output: usize, x: &[f32]) -> f32 {
        debug_assert_eq!(self.precision, Precision::F32);
        vector::dispatch(
            #[inline(always)]
            || self.of_output(output).zip(x).fold(0.0, |sum, (weight, x)| x.mul_add(f32::from_bits(weight), sum)),
        )
    }

    /// `x Wᵀ` for `x [rows, inputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // Where a gradient is wanted, asking for it is an error.
        x.apply_op1(self.clone())
    }

    /// Row-major `x [rows, inputs]` times Wᵀ, row-major.
    pub fn product(&self, x: &[f32], rows: usize) -> Vec<f32> {
        self.product_of(&Factor::new(x, rows, self.inputs, self.precision))
    }

    /// The same of what has been laid out.
    pub fn product_of(&self, x: &Factor) -> Vec<f32> {
        let mut y = Vec::with_capacity(x.rows * self.outputs);
        // SAFETY: nobody else has y, there is room for all rows, and all of them are written.
        unsafe {
            self.multiply(x, Output { first: y.as_mut_ptr(), stride: self.outputs });
            y.set_len(x.rows * self.outputs);
        }
        y
    }

    /// The product, some rows and some outputs at a time, so that not all of it is held: `work` gets the numbers of both, and the
    /// values row-major, and gives something for each row. It comes by outputs, then by rows. The outputs are cut by the matrix's
    /// shape alone.
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
        self.precision.steps(self.inputs) * REGISTERS
    }

    /// The units of an output's weights.
    fn of_output(&self, output: usize) -> impl Iterator<Item = u32> {
        let (panel, register, lane) = (output / WIDTH, output % WIDTH / 16, output % 16);
        let lines = &self.lines[panel * self.panel_lines()..][..self.panel_lines()];
        lines.iter().skip(register).step_by(REGISTERS).map(move |line| line.0[lane])
    }

    /// Writes the product to `y`.
    ///
    /// # Safety
    /// `y` has room for `x.rows` rows of all outputs, which nobody else has.
    unsafe fn multiply(&self, x: &Factor, y: Output) {
        let (rows, panels) = (x.rows, self.outputs.div_ceil(WIDTH));
        // Groups of like size, so that none is a sliver.
        let group_rows = rows.div_ceil(rows.div_ceil(GROUP).max(1)).next_multiple_of(micro::ROWS).max(1);
        let groups = rows.div_ceil(group_rows);
        let flops = 2 * rows * self.inputs * self.outputs;
        if flops < PARALLEL_FLOPS {
            // SAFETY: as the caller says.
            return unsafe { self.block(x, 0..rows, 0..panels, y) };
        }
        let pieces = (flops / groups / TASK_FLOPS).clamp(1, panels);
        (0..groups * pieces).into_par_iter().for_each(|task| {
            let (group, piece) = (task / pieces, task % pieces);
            let rows = group * group_rows..((group + 1) * group_rows).min(rows);
            let panels = panels * piece / pieces..panels * (piece + 1) / pieces;
            // SAFETY: as the caller says, and no other task has these rows and columns.
            unsafe {
                let to = Output { first: y.at(rows.start, panels.start * WIDTH), ..y };
                self.block(x, rows, panels, to);
            }
        });
    }

    /// Writes the outputs of some panels for some rows of `x` to `y`, in its rows and columns from 0 on.
    ///
    /// # Safety
    /// `y` has room for them, which nobody else has.
    unsafe fn block(&self, x: &Factor, rows: Range<usize>, panels: Range<usize>, y: Output) {
        assert_eq!((x.inputs, x.precision), (self.inputs, self.precision));
        let (steps, x_stride) = (self.precision.steps(self.inputs), x.stride);
        let (x, rows) = (&x.units[rows.start * x_stride..], rows.len());
        for panel in panels.clone() {
            let outputs = WIDTH.min(self.outputs - panel * WIDTH);
            let lines = &self.lines[panel * self.panel_lines()..][..self.panel_lines()];
            // Without inputs the sums are written all the same.
            for from in (0..steps.max(1)).step_by(DEPTH) {
                let some = from..(from + DEPTH).min(steps);
                let w = &lines[some.start * REGISTERS..some.end * REGISTERS];
                let block = micro::Block { x: x.get(from..).unwrap_or_default(), x_stride, rows, w };
                // SAFETY: the matrix was packed where its precision is available; the caller vouches for y.
                unsafe {
                    let to = y.at(0, (panel - panels.start) * WIDTH);
                    micro::multiply(self.precision, block, from > 0, to, y.stride, outputs);
                }
            }
        }
    }
}

/// Rows as products with packed matrices read them.
#[derive(Debug)]
pub struct Factor<'x> {
    /// [`Precision::steps`] a row, and `stride` apart.
    units: Cow<'x, [u32]>,
    stride: usize,
    rows: usize,
    inputs: usize,
    precision: Precision,
}

impl<'x> Factor<'x> {
    /// Of row-major `x [rows, inputs]`.
    pub fn new(x: &'x [f32], rows: usize, inputs: usize, precision: Precision) -> Self {
        assert_eq!(x.len(), rows * inputs);
        let steps = precision.steps(inputs);
        // Rows whose units lie a multiple of 4 KiB apart would all fall into the same few lines of the first cache.
        let stride = if steps > 0 && steps.is_multiple_of(1024) { steps + 16 } else { steps };
        if precision == Precision::F32 && stride == inputs {
            // SAFETY: f32 and u32 have the same size and alignment, and any bits are a u32.
            let units = Cow::Borrowed(unsafe { std::slice::from_raw_parts(x.as_ptr().cast::<u32>(), x.len()) });
            return Self { units, stride, rows, inputs, precision };
        }
        let mut units = vec![0u32; rows * stride];
        units.par_chunks_mut(stride.max(1)).zip(x.par_chunks(inputs.max(1))).for_each(|(units, x)| match precision {
            Precision::F32 => units.iter_mut().zip(x).for_each(|(unit, x)| *unit = x.to_bits()),
            Precision::Bf16 => units.iter_mut().zip(x.chunks(2)).for_each(|(unit, pair)| *unit = rounded_pair(pair)),
        });
        Self { units: Cow::Owned(units), stride, rows, inputs, precision }
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

/// The one or two values of a unit, rounded to bf16.
fn rounded_pair(pair: &[f32]) -> u32 {
    let half = |i: usize| pair.get(i).map_or(0, |&value: &f32| vector::bf16_bits(value));
    half(0) >> 16 | half(1)
}

impl CustomOp1 for PackedMatrix {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = layout.shape().dims2()?;
        if inputs != self.inputs {
            candle_core::bail!("linear: x has {inputs} columns, the weight {}", self.inputs);
        }
        let x = super::contiguous("linear", x, layout)?;
        let y = meter::count(self.precision, [rows, inputs, self.outputs], || self.product(x, rows));
        Ok((CpuStorage::F32(y), Shape::from((rows, self.outputs))))
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

    /// The precisions that there are here.
    fn precisions() -> Vec<Precision> {
        let all = [Precision::F32, Precision::Bf16];
        let (there, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|&precision| available(precision));
        missing.iter().for_each(|precision| println!("skipped: this processor has no products in {precision:?}"));
        there
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

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
                    prop_assert_eq!(&matrix.values().0, &w);
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

    /// Prints GFLOP/s by the number of rows, and of the product that is there without these instructions, medians of some:
    /// `cargo test --release -p laser-model speed_by_rows -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn speed_by_rows() {
        let (inputs, outputs) = (576, 1536);
        let w = values(outputs * inputs, 1);
        let transposed =
            Tensor::from_vec(w.clone(), (outputs, inputs), &candle_core::Device::Cpu).unwrap().t().unwrap();
        let transposed = transposed.contiguous().unwrap();
        for rows in [1, 8, 64, 256, 1024, 4096] {
            let x = Tensor::from_vec(values(rows * inputs, 2), (rows, inputs), &candle_core::Device::Cpu).unwrap();
            let gflops = |product: &dyn Fn() -> Tensor| {
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
            let faer = gflops(&|| super::super::linear(&x, &transposed).unwrap());
            println!("{rows} rows: faer {faer:.0}");
            for precision in precisions() {
                let matrix = PackedMatrix::new(&w, outputs, inputs, precision);
                println!("{rows} rows: {precision:?} {:.0}", gflops(&|| matrix.forward(&x).unwrap()));
            }
        }
    }

    #[test]
    fn rows_far_apart_have_the_same_bits() {
        for precision in precisions() {
            let (x, w) = (values(9 * 2048, 1), values(50 * 2048, 2));
            let matrix = PackedMatrix::new(&w, 50, 2048, precision);
            let laid_out = Factor::new(&x, 9, 2048, precision);
            assert!(laid_out.stride > precision.steps(2048));
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
    fn a_product_of_nothing_is_empty_or_zero() {
        for precision in precisions() {
            assert!(PackedMatrix::new(&[1.0; 60], 20, 3, precision).product(&[], 0).is_empty());
            assert!(PackedMatrix::new(&[], 0, 3, precision).product(&[1.0; 6], 2).is_empty());
            assert_eq!(PackedMatrix::new(&[], 1, 0, precision).product(&[], 2), [0.0, 0.0]);
        }
    }
}
