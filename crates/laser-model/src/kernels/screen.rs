//! Which tokens can be the most likely one, from a product in bf16.
//!
//! A processor with bf16 products has them at least twice as fast as those in f32. The logits that they give are not exact, but
//! how far off they can be is known: only the tokens that can be the most likely one need an exact logit.
//!
//! With h' and w' the roundings of h and w, Cauchy and Schwarz bound |h w - h' w'| by |h| |w - w'| + |h - h'| |w'|; the sums over
//! k terms in f32, there and in the exact logit, add k 2^-23 (|h'| |w'| + |h| |w|) at most, and the rounded result 2^-8 of itself.

use super::{meter, vector};
use gemmkit::{MatMut, MatRef, Parallelism, bf16, gemm};
use rayon::prelude::*;

/// Tokens whose logits are held at a time by a thread.
const PANEL: usize = 2048;

/// Tokens that are passed over together where none of them can be the most likely one.
const STRIP: usize = 128;

/// Products of norms from here on might overflow.
const LARGE: f32 = 1e36;

/// A head's weights in bf16.
#[derive(Debug)]
pub struct Screen {
    /// `[vocabulary, inputs]`.
    weights: Vec<bf16>,
    inputs: usize,
    panels: Vec<Norms>,
}

/// The largest Euclidean norms in a panel of weights.
#[derive(Debug, Clone, Copy)]
struct Norms {
    /// Of w.
    exact: f32,
    /// Of w'.
    rounded: f32,
    /// Of w - w'.
    error: f32,
}

/// What one panel says: below which logit the most likely token cannot be, for each row, and what is not below it.
struct Found {
    least: Vec<f32>,
    /// Row, token, and the highest that its logit can be.
    tokens: Vec<(usize, u32, f32)>,
}

impl Screen {
    /// Of row-major `weights [vocabulary, inputs]`; none where they are not all finite in bf16.
    pub fn new(weights: &[f32], inputs: usize) -> Option<Self> {
        let mut rounded = vec![bf16::ZERO; weights.len()];
        let of_panel = |(weights, rounded): (&[f32], &mut [bf16])| {
            weights.iter().zip(&mut *rounded).for_each(|(w, rounded)| *rounded = bf16::from_f32(*w));
            let rows = weights.chunks_exact(inputs).zip(rounded.chunks_exact(inputs));
            rows.map(|(row, rounded)| norms(row, rounded)).fold(
                Norms { exact: 0.0, rounded: 0.0, error: 0.0 },
                |a, b| Norms {
                    exact: a.exact.max(b.exact),
                    rounded: a.rounded.max(b.rounded),
                    error: a.error.max(b.error),
                },
            )
        };
        let size = PANEL * inputs.max(1);
        let panels = weights.par_chunks(size).zip(rounded.par_chunks_mut(size)).map(of_panel).collect();
        rounded.iter().all(|w| w.is_finite()).then_some(Self { weights: rounded, inputs, panels })
    }

    /// The tokens, ascending, among which is the most likely one of each row of `x [rows, inputs]`; none where that cannot
    /// be said.
    pub fn candidates(&self, x: &[f32]) -> Option<Vec<u32>> {
        let rounded: Vec<bf16> = x.iter().map(|&x| bf16::from_f32(x)).collect();
        let of_rows: Vec<Norms> =
            x.chunks_exact(self.inputs).zip(rounded.chunks_exact(self.inputs)).map(|(x, r)| norms(x, r)).collect();
        let vocabulary = self.weights.len() / self.inputs;
        let found: Vec<Found> = meter::count_bf16(of_rows.len(), self.inputs, vocabulary, || {
            let panels = self.weights.par_chunks(PANEL * self.inputs).zip(&self.panels).enumerate();
            panels.map(|(i, (weights, norms))| self.panel(i * PANEL, weights, *norms, &rounded, &of_rows)).collect()
        });
        let least: Vec<f32> = (0..of_rows.len())
            .map(|row| found.iter().map(|found| found.least[row]).fold(f32::NEG_INFINITY, f32::max))
            .collect();
        let all = found.iter().all(|found| found.least.iter().all(|least| least.is_finite()));
        let mut tokens: Vec<u32> = found
            .iter()
            .flat_map(|found| &found.tokens)
            .filter(|(row, _, highest)| *highest >= least[*row])
            .map(|(_, token, _)| *token)
            .collect();
        tokens.sort_unstable();
        tokens.dedup();
        all.then_some(tokens)
    }

    fn panel(&self, first: usize, weights: &[bf16], norms: Norms, x: &[bf16], of_rows: &[Norms]) -> Found {
        let (rows, tokens) = (of_rows.len(), weights.len() / self.inputs);
        let mut logits = vec![bf16::ZERO; rows * tokens];
        gemm(
            bf16::ONE,
            MatRef::from_row_major(x, rows, self.inputs),
            MatRef::from_col_major(weights, self.inputs, tokens),
            bf16::ZERO,
            MatMut::from_row_major(&mut logits, rows, tokens),
            Parallelism::Serial,
        );
        let rounding = self.inputs as f32 * f32::EPSILON;
        let mut maxima = vec![f32::NEG_INFINITY; tokens.div_ceil(STRIP)];
        let mut found = Found { least: Vec::with_capacity(rows), tokens: Vec::new() };
        for (row, (logits, x)) in logits.chunks_exact(tokens).zip(of_rows).enumerate() {
            let error = x.exact * norms.error
                + x.error * norms.rounded
                + rounding * (x.rounded * norms.rounded + x.exact * norms.exact);
            // Sums might overflow on their way.
            let error = if x.exact * norms.exact < LARGE { error } else { f32::INFINITY };
            let spread = |logit: f32| error + logit.abs() / 256.0;
            vector::dispatch(
                #[inline(always)]
                || logits.chunks(STRIP).zip(&mut maxima).for_each(|(strip, max)| *max = vector::max_bf16(strip)),
            );
            let max = maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let least = max - spread(max);
            found.least.push(least);
            for (i, (strip, max)) in logits.chunks(STRIP).zip(&maxima).enumerate() {
                if max + spread(*max) < least {
                    continue;
                }
                for (token, logit) in (first as u32 + (i * STRIP) as u32..).zip(strip) {
                    let highest = logit.to_f32() + spread(logit.to_f32());
                    if highest >= least {
                        found.tokens.push((row, token, highest));
                    }
                }
            }
        }
        found
    }
}

fn norms(values: &[f32], rounded: &[bf16]) -> Norms {
    let norm = |squares: f64| squares.sqrt() as f32 * (1.0 + 4.0 * f32::EPSILON);
    let square = |value: f32| f64::from(value) * f64::from(value);
    Norms {
        exact: norm(values.iter().map(|&value| square(value)).sum()),
        rounded: norm(rounded.iter().map(|value| square(value.to_f32())).sum()),
        error: norm(values.iter().zip(rounded).map(|(value, rounded)| square(value - rounded.to_f32())).sum()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{linear, readout};
    use candle_core::{Device, Tensor};

    /// The most likely token of all is among the candidates, and there are few of them.
    #[test]
    fn the_most_likely_token_is_a_candidate() {
        for (rows, inputs, vocabulary) in [(1, 64, 5000), (7, 576, 4096), (40, 96, 2049), (3, 33, 17)] {
            let x = Tensor::randn(0f32, 3.0, (rows, inputs), &Device::Cpu).unwrap();
            let w = Tensor::randn(0f32, 0.3, (vocabulary, inputs), &Device::Cpu).unwrap();
            let screen = Screen::new(&w.flatten_all().unwrap().to_vec1::<f32>().unwrap(), inputs).unwrap();
            let found = screen.candidates(&x.flatten_all().unwrap().to_vec1::<f32>().unwrap()).unwrap();
            let logits = linear(&x, &w.t().unwrap().contiguous().unwrap()).unwrap();
            for reading in readout(&logits, &vec![&[][..]; rows]).unwrap() {
                assert!(found.contains(&reading.argmax));
            }
            assert!(found.is_sorted() && found.len() < 20 + 20 * rows, "{} of {vocabulary}", found.len());
        }
    }

    #[test]
    fn what_is_equal_stays() {
        let w: Vec<f32> = [[1.0f32, 2.0], [3.0, 4.0], [3.0, 4.0], [-1.0, 0.0], [3.0, 3.999]].concat();
        let screen = Screen::new(&w, 2).unwrap();
        assert_eq!(screen.candidates(&[1.0, 1.0]).unwrap(), [1, 2, 4]);
        assert_eq!(screen.candidates(&[0.0, 0.0]).unwrap(), [0, 1, 2, 3, 4]);
    }

    #[test]
    fn says_nothing_where_it_cannot() {
        let screen = Screen::new(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        assert_eq!(screen.candidates(&[f32::NAN, 1.0]), None);
        assert_eq!(screen.candidates(&[f32::INFINITY, 1.0]), None);
        assert!(Screen::new(&[1.0, f32::MAX], 2).is_none());
    }
}
