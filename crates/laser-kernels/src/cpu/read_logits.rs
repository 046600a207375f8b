//! What is read off the logits of a position: the most likely token, and log-probabilities of
//! chosen tokens.

use super::packed::PackedMatrix;
use super::{meter, vector};
use crate::error::{Error, Result};
use crate::parts::Precision;
use crate::reading::Reading;
use rayon::prelude::*;

/// Reads each row of `logits [rows, vocabulary]`; `wanted[i]` are the tokens whose log-probability
/// row `i` gives.
pub fn read_logits(logits: &[f32], vocabulary: usize, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
    check(wanted, logits.len().checked_div(vocabulary), vocabulary)?;
    let read = |(row, wanted): (&[f32], &&[u32])| {
        vector::dispatch(
            #[inline(always)]
            || read(row, wanted),
        )
    };
    Ok(logits.par_chunks(vocabulary.max(1)).zip(wanted).map(read).collect())
}

/// Reads each row of the logits `x W'` of `x [rows, inputs]`, which are never there all at once.
pub fn read_packed(weights: &PackedMatrix, x: &[f32], wanted: &[&[u32]]) -> Result<Vec<Reading>> {
    let [vocabulary, inputs] = weights.shape();
    let rows = wanted.len();
    check(wanted, x.len().checked_div(inputs), vocabulary)?;
    let logits: Vec<Vec<f32>> = x
        .par_chunks(inputs.max(1))
        .zip(wanted)
        .map(|(x, wanted)| wanted.iter().map(|&token| weights.output(token as usize, x)).collect())
        .collect();
    let parts = meter::count(Precision::F32, [rows, inputs, vocabulary], || {
        weights.by_panels(x, rows, |tokens, rows, values| {
            let of_row = |(values, row): (&[f32], usize)| {
                vector::dispatch(
                    #[inline(always)]
                    || PartialLogSumExp::of(values, tokens.start, wanted[row], &logits[row]),
                )
            };
            values.chunks_exact(tokens.len()).zip(rows).map(of_row).collect()
        })
    });
    let of_row = |row: usize| PartialLogSumExp::reading(parts.iter().map(|panel| &panel[row]), &logits[row]);
    Ok((0..rows).into_par_iter().map(of_row).collect())
}

/// The rows are as many as are wanted, and the tokens are in the vocabulary.
fn check(wanted: &[&[u32]], rows: Option<usize>, vocabulary: usize) -> Result<()> {
    let error = |why| Err(Error::Operands { op: "readout", why });
    if rows.is_some_and(|rows| rows != wanted.len()) {
        return error(format!("{} rows are wanted of {}", wanted.len(), rows.unwrap_or(0)));
    }
    match wanted.iter().copied().flatten().find(|&&token| token as usize >= vocabulary) {
        Some(token) => error(format!("token {token} is outside the vocabulary of {vocabulary}")),
        None => Ok(()),
    }
}

#[inline(always)]
fn read(logits: &[f32], wanted: &[u32]) -> Reading {
    let of_wanted: Vec<f32> = wanted.iter().map(|&token| logits[token as usize]).collect();
    PartialLogSumExp::reading([&PartialLogSumExp::of(logits, 0, wanted, &of_wanted)].into_iter(), &of_wanted)
}

/// What some neighbouring logits of a row say.
struct PartialLogSumExp {
    max: f32,
    argmax: u32,
    /// Of exp(logit - max), where a log-probability is wanted.
    sum: f64,
    /// How many are more likely than each token that is asked for.
    above: Vec<usize>,
}

impl PartialLogSumExp {
    /// Of the logits of the tokens from `first` on; `of_wanted` are those of the tokens `wanted`.
    #[inline(always)]
    fn of(logits: &[f32], first: usize, wanted: &[u32], of_wanted: &[f32]) -> Self {
        let max = vector::max(logits);
        let argmax = first + logits.iter().position(|&logit| logit == max).unwrap_or(0);
        let sum = if wanted.is_empty() { 0.0 } else { vector::sum_exp(logits, max) };
        let above = wanted.iter().zip(of_wanted).map(|(&token, &logit)| {
            let (before, rest) = logits.split_at((token as usize).clamp(first, first + logits.len()) - first);
            let count = |part: &[f32], counts: fn(f32, f32) -> bool| {
                part.iter().map(|&other| u32::from(counts(other, logit))).sum::<u32>() as usize
            };
            count(before, |other, logit| other >= logit) + count(rest, |other, logit| other > logit)
        });
        Self { max, argmax: argmax as u32, sum, above: above.collect() }
    }

    /// The reading of a row whose logits the parts are, in order.
    #[inline(always)]
    fn reading<'p>(parts: impl Iterator<Item = &'p Self> + Clone, of_wanted: &[f32]) -> Reading {
        let max = parts.clone().map(|part| part.max).fold(f32::NEG_INFINITY, f32::max);
        let argmax = parts.clone().find(|part| part.max == max).map_or(0, |part| part.argmax);
        let total: f64 = parts.clone().map(|part| part.sum * f64::from(part.max - max).exp()).sum();
        let normaliser = f64::from(max) + total.ln();
        Reading {
            argmax,
            logprobs: of_wanted.iter().map(|&logit| f64::from(logit) - normaliser).collect(),
            ranks: (0..of_wanted.len()).map(|i| parts.clone().map(|part| part.above[i]).sum()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::packed::available;

    #[test]
    fn reads_the_definition() {
        let rows = [[0.0f32, 1.0, 1.0, -2.0], [3.0, -1.0, 0.5, 2.0]];
        let logits = rows.concat();
        let readings = read_logits(&logits, 4, &[&[3, 0], &[]]).unwrap();
        let total: f64 = rows[0].iter().map(|v| f64::from(*v).exp()).sum();
        assert_eq!((readings[0].argmax, readings[1].argmax), (1, 0));
        assert!((readings[0].logprobs[0] - (-2.0 - total.ln())).abs() < 1e-6);
        assert!((readings[0].logprobs[1] - (0.0 - total.ln())).abs() < 1e-6);
        assert!(readings[1].logprobs.is_empty() && readings[1].ranks.is_empty());
        assert_eq!(readings[0].ranks, [3, 2]);
        let ranks = read_logits(&logits, 4, &[&[1, 2], &[0, 3]]).unwrap();
        assert_eq!(ranks.iter().flat_map(|r| r.ranks.clone()).collect::<Vec<_>>(), [0, 1, 0, 1]);
        assert!(read_logits(&logits, 4, &[&[4], &[]]).is_err() && read_logits(&logits, 4, &[&[]]).is_err());
    }

    fn values(n: usize, scale: f32, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        };
        (0..n).map(|_| scale * next()).collect()
    }

    /// In parts the same most likely token and ranks, and log-probabilities to the rounding of
    /// sums.
    #[test]
    fn logits_in_parts_read_like_logits() {
        if !available(Precision::F32) {
            return println!("skipped: this processor has no packed products");
        }
        let (rows, inputs, vocabulary) = (70, 300, 2500);
        let x = values(rows * inputs, 1.7, 1);
        // Some tokens are equal.
        let mut w = values(vocabulary * inputs, 0.5, 2);
        w.extend_from_within(7 * inputs..47 * inputs);
        let matrix = PackedMatrix::new(&w, vocabulary + 40, inputs, Precision::F32);
        assert!(matrix.panel_outputs() < vocabulary);
        let tokens: Vec<[u32; 3]> = (0..rows as u32).map(|row| [row, 2500 + row % 40, 1000 + 7 * row]).collect();
        let wanted: Vec<&[u32]> = tokens.iter().enumerate().map(|(i, tokens)| &tokens[..i % 4]).collect();
        let found = read_packed(&matrix, &x, &wanted).unwrap();
        let expected = read_logits(&matrix.product(&x, rows), vocabulary + 40, &wanted).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((found.argmax, &found.ranks), (expected.argmax, &expected.ranks));
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
            assert!(found.logprobs.iter().zip(&expected.logprobs).all(close));
        }
        assert!(read_packed(&matrix, &x, &vec![&[9999u32][..]; rows]).is_err());
    }
}
