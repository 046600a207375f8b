//! Which tokens can be the most likely one, from a product in bf16.
//!
//! A processor with bf16 products has them at twice the speed of those in f32. The logits that they
//! give are not exact, but how far off they can be is known: only the tokens that can be the most
//! likely one need an exact logit.
//!
//! With h' and w' the roundings of h and w, Cauchy and Schwarz bound |h w - h' w'| by
//! |h| |w - w'| + |h - h'| |w'|. The sums over k terms in f32, there and in the exact logit, add
//! k 2^-23 (|h'| |w'| + |h| |w|) at most. If numbers below 2^-126 count as 0, a term is off by at
//! most that times 1 + |h'| + |w'|; twice that is counted, for f32 itself underflows.

use super::packed::PackedMatrix;
use super::{meter, vector};
use crate::parts::Precision;
use rayon::prelude::*;
use std::ops::Range;

/// Tokens that are passed over together where none of them can be the most likely one.
const STRIP: usize = 128;

/// Products of norms from here on might overflow.
const LARGE: f32 = 1e36;

/// A head's weights in bf16.
#[derive(Debug)]
pub struct ArgmaxPrefilter {
    weights: PackedMatrix,
    inputs: usize,
    /// Of the tokens that are taken at a time.
    panels: Vec<Norms>,
}

/// The largest Euclidean norms of some vectors.
#[derive(Debug, Clone, Copy, Default)]
struct Norms {
    /// As they are.
    exact: f32,
    /// Rounded.
    rounded: f32,
    /// Of what rounding has changed.
    error: f32,
}

/// What some tokens say of a row: below which logit the most likely token cannot be, and what is
/// not below it.
struct Found {
    least: f32,
    /// Token, and the highest that its logit can be.
    tokens: Vec<(u32, f32)>,
}

impl ArgmaxPrefilter {
    /// Of row-major `weights [vocabulary, inputs]`; none where they are not all finite in bf16.
    pub fn new(weights: &[f32], inputs: usize) -> Option<Self> {
        let packed = PackedMatrix::new(weights, weights.len() / inputs.max(1), inputs, Precision::Bf16);
        let of_panel = |weights: &[f32]| weights.chunks_exact(inputs).map(norms).fold(Norms::default(), Norms::max);
        let panels: Vec<Norms> = weights.par_chunks((packed.panel_outputs() * inputs).max(1)).map(of_panel).collect();
        panels.iter().all(|norms| norms.rounded.is_finite()).then_some(Self { weights: packed, inputs, panels })
    }

    /// For each row of `x [rows, inputs]` the tokens, ascending, among which is the most likely
    /// one; none where that cannot be said.
    pub fn candidates(&self, x: &[f32]) -> Option<Vec<Vec<u32>>> {
        let of_rows: Vec<Norms> = x.par_chunks(self.inputs.max(1)).map(norms).collect();
        let (rows, vocabulary) = (of_rows.len(), self.weights.shape()[0]);
        let found = meter::count(Precision::Bf16, [rows, self.inputs, vocabulary], || {
            self.weights.by_panels(x, rows, |tokens, rows, logits| self.look(tokens, &of_rows[rows], logits))
        });
        (0..rows)
            .into_par_iter()
            .map(|row| {
                let of_row = || found.iter().map(|panel| &panel[row]);
                let least = of_row().map(|found| found.least).fold(f32::NEG_INFINITY, f32::max);
                let tokens = of_row().flat_map(|found| &found.tokens).filter(|(_, highest)| *highest >= least);
                let known = of_row().all(|found| found.least.is_finite());
                known.then(|| tokens.map(|(token, _)| *token).collect())
            })
            .collect()
    }

    /// Rounded logits `[rows, tokens]`.
    fn look(&self, tokens: Range<usize>, of_rows: &[Norms], logits: &[f32]) -> Vec<Found> {
        let weights = self.panels[tokens.start / self.weights.panel_outputs()];
        let mut maxima = vec![f32::NEG_INFINITY; tokens.len().div_ceil(STRIP)];
        let of_row = |(logits, row): (&[f32], &Norms)| {
            let spread = self.error(weights, *row);
            vector::dispatch(
                #[inline(always)]
                || logits.chunks(STRIP).zip(&mut maxima).for_each(|(strip, max)| *max = vector::max(strip)),
            );
            let max = maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let least = max - spread;
            let mut found = Found { least, tokens: Vec::new() };
            for (i, (strip, max)) in logits.chunks(STRIP).zip(&maxima).enumerate() {
                if max + spread < least {
                    continue;
                }
                let numbered = (tokens.start as u32 + (i * STRIP) as u32..).zip(strip);
                found
                    .tokens
                    .extend(numbered.map(|(i, logit)| (i, logit + spread)).filter(|(_, highest)| *highest >= least));
            }
            found
        };
        logits.chunks_exact(tokens.len()).zip(of_rows).map(of_row).collect()
    }

    /// How far a logit in bf16 can be from the exact one.
    fn error(&self, w: Norms, x: Norms) -> f32 {
        // Sums might overflow on their way.
        if x.exact * w.exact >= LARGE {
            return f32::INFINITY;
        }
        let k = self.inputs as f32;
        let error = x.exact * w.error
            + x.error * w.rounded
            + k * f32::EPSILON * (x.rounded * w.rounded + x.exact * w.exact)
            + 2.0 * k * f32::MIN_POSITIVE * (1.0 + x.rounded + w.rounded);
        // The bound itself is computed in f32.
        error * (1.0 + 16.0 * f32::EPSILON)
    }
}

impl Norms {
    fn max(self, other: Self) -> Self {
        // Unlike `f32::max` no NaN is passed over.
        let larger = |a: f32, b: f32| if a.is_nan() || a >= b { a } else { b };
        Self {
            exact: larger(self.exact, other.exact),
            rounded: larger(self.rounded, other.rounded),
            error: larger(self.error, other.error),
        }
    }
}

fn norms(values: &[f32]) -> Norms {
    let norm = |squares: f64| squares.sqrt() as f32 * (1.0 + 4.0 * f32::EPSILON);
    let mut squares = [0.0f64; 3];
    for &value in values {
        let rounded = f32::from_bits(vector::bf16_bits(value));
        for (sum, value) in squares.iter_mut().zip([value, rounded, value - rounded]) {
            *sum += f64::from(value) * f64::from(value);
        }
    }
    let [exact, rounded, error] = squares.map(norm);
    Norms { exact, rounded, error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::packed::available;

    fn skipped() -> bool {
        if !available(Precision::Bf16) {
            println!("skipped: this processor has no products in bf16");
        }
        !available(Precision::Bf16)
    }

    /// Normal values.
    fn values(n: usize, scale: f32, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..n).map(|_| scale * ((0..12).map(|_| uniform()).sum::<f32>() - 6.0)).collect()
    }

    /// The most likely token of all is among the candidates, and there are few of them.
    #[test]
    fn the_most_likely_token_is_a_candidate() {
        if skipped() {
            return;
        }
        for (rows, inputs, vocabulary) in [(1, 64, 5000), (7, 576, 4096), (140, 96, 2049), (3, 33, 17)] {
            let (x, w) = (values(rows * inputs, 3.0, 1), values(vocabulary * inputs, 0.3, 2));
            let found = ArgmaxPrefilter::new(&w, inputs).unwrap().candidates(&x).unwrap();
            let logit = |x: &[f32], w: &[f32]| x.iter().zip(w).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum::<f64>();
            let largest = |x: &[f32]| {
                let logits = w.chunks(inputs).map(|w| logit(x, w)).enumerate();
                logits.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(token, _)| token as u32).unwrap()
            };
            let largest: Vec<u32> = x.chunks(inputs).map(largest).collect();
            assert!(found.iter().zip(&largest).all(|(found, largest)| found.contains(largest)));
            assert!(found.iter().all(|found| found.is_sorted()));
            let count: usize = found.iter().map(Vec::len).sum();
            assert!(count < 20 + 20 * rows, "{count} of {vocabulary}");
        }
    }

    #[test]
    fn what_is_equal_stays() {
        if skipped() {
            return;
        }
        let w: Vec<f32> = [[1.0f32, 2.0], [3.0, 4.0], [3.0, 4.0], [-1.0, 0.0], [3.0, 3.999]].concat();
        let prefilter = ArgmaxPrefilter::new(&w, 2).unwrap();
        assert_eq!(prefilter.candidates(&[1.0, 1.0, 0.0, 0.0]).unwrap(), [vec![1, 2, 4], vec![0, 1, 2, 3, 4]]);
    }

    #[test]
    fn says_nothing_where_it_cannot() {
        if skipped() {
            return;
        }
        let prefilter = ArgmaxPrefilter::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!(prefilter.candidates(&[f32::NAN, 1.0]), None);
        assert_eq!(prefilter.candidates(&[f32::INFINITY, 1.0]), None);
        for value in [f32::MAX, f32::NAN] {
            assert!(ArgmaxPrefilter::new(&[value, 1.0, 1.0, 1.0], 2).is_none());
            assert!(ArgmaxPrefilter::new(&[1.0, 1.0, 1.0, value], 2).is_none());
        }
    }
}
