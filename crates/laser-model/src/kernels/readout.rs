//! What is read off the logits of a position: the most likely token, and log-probabilities of chosen tokens.

use super::packed::{PackedMatrix, Precision};
use super::{meter, vector};
use candle_core::{D, DType, Result, Storage, Tensor};
use rayon::prelude::*;

/// What one position predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The most likely next token; of several, the one with the lowest id.
    pub argmax: u32,
    /// Natural-log probability of each token that was asked for, in the order asked.
    pub logprobs: Vec<f64>,
    /// How many tokens are more likely than each token that was asked for; equal ones count with the lower ids.
    pub ranks: Vec<usize>,
}

/// Reads each row of `logits [rows, vocabulary]`; `wanted[i]` are the tokens whose log-probability row `i` gives.
pub fn readout(logits: &Tensor, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
    let (_, vocabulary) = logits.dims2()?;
    check(wanted, vocabulary)?;
    if logits.device().is_cpu() {
        let (storage, layout) = logits.storage_and_layout();
        let Storage::Cpu(cpu) = &*storage else { candle_core::bail!("readout: the logits are not on the CPU") };
        let data = super::contiguous("readout", cpu, layout)?;
        let read = |(row, wanted): (&[f32], &&[u32])| {
            vector::dispatch(
                #[inline(always)]
                || read(row, wanted),
            )
        };
        return Ok(data.par_chunks(vocabulary).zip(wanted).map(read).collect());
    }
    let argmax = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let normaliser = logits.log_sum_exp(D::Minus1)?.to_vec1::<f32>()?;
    let mut readings = Vec::with_capacity(wanted.len());
    for (i, wanted) in wanted.iter().enumerate() {
        let (mut logprobs, mut ranks) = (Vec::with_capacity(wanted.len()), Vec::with_capacity(wanted.len()));
        for &token in *wanted {
            let logit = logits.get(i)?.get(token as usize)?.to_scalar::<f32>()?;
            logprobs.push(f64::from(logit) - f64::from(normaliser[i]));
            // Equal ones are not told apart here, but for the most likely.
            let above = logits.get(i)?.gt(logit)?.to_dtype(DType::U32)?.sum_all()?.to_scalar::<u32>()? as usize;
            ranks.push(if above == 0 { usize::from(argmax[i] != token) } else { above });
        }
        readings.push(Reading { argmax: argmax[i], logprobs, ranks });
    }
    Ok(readings)
}

/// Reads each row of the logits `x Wᵀ` of `x [rows, inputs]`, which are never there all at once.
pub fn read_packed(weights: &PackedMatrix, x: &Tensor, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
    let (rows, inputs) = x.dims2()?;
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { candle_core::bail!("readout: the rows are not on the CPU") };
    let x = super::contiguous("readout", storage, layout)?;
    let vocabulary = weights.outputs();
    check(wanted, vocabulary)?;
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
                    || Part::of(values, tokens.start, wanted[row], &logits[row]),
                )
            };
            values.chunks_exact(tokens.len()).zip(rows).map(of_row).collect()
        })
    });
    let of_row = |row: usize| Part::reading(parts.iter().map(|panel| &panel[row]), &logits[row]);
    Ok((0..rows).into_par_iter().map(of_row).collect())
}

fn check(wanted: &[&[u32]], vocabulary: usize) -> Result<()> {
    match wanted.iter().copied().flatten().find(|&&token| token as usize >= vocabulary) {
        Some(token) => candle_core::bail!("readout: token {token} is outside the vocabulary of {vocabulary}"),
        None => Ok(()),
    }
}

#[inline(always)]
fn read(logits: &[f32], wanted: &[u32]) -> Reading {
    let of_wanted: Vec<f32> = wanted.iter().map(|&token| logits[token as usize]).collect();
    Part::reading([&Part::of(logits, 0, wanted, &of_wanted)].into_iter(), &of_wanted)
}

/// What some neighbouring logits of a row say.
struct Part {
    max: f32,
    argmax: u32,
    /// Of exp(logit - max), where a log-probability is wanted.
    sum: f64,
    /// How many are more likely than each token that is asked for.
    above: Vec<usize>,
}

impl Part {
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
    fn reading<'p>(parts: impl Iterator<Item = &'p Part> + Clone, of_wanted: &[f32]) -> Reading {
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
    use candle_core::Device;

    #[test]
    fn reads_the_definition() {
        let rows = [[0.0f32, 1.0, 1.0, -2.0], [3.0, -1.0, 0.5, 2.0]];
        let logits = Tensor::new(&rows, &Device::Cpu).unwrap();
        let readings = readout(&logits, &[&[3, 0], &[]]).unwrap();
        let total: f64 = rows[0].iter().map(|v| f64::from(*v).exp()).sum();
        assert_eq!((readings[0].argmax, readings[1].argmax), (1, 0));
        assert!((readings[0].logprobs[0] - (-2.0 - total.ln())).abs() < 1e-6);
        assert!((readings[0].logprobs[1] - (0.0 - total.ln())).abs() < 1e-6);
        assert!(readings[1].logprobs.is_empty() && readings[1].ranks.is_empty());
        assert_eq!(readings[0].ranks, [3, 2]);
        assert_eq!(
            readout(&logits, &[&[1, 2], &[0, 3]]).unwrap().iter().flat_map(|r| r.ranks.clone()).collect::<Vec<_>>(),
            [0, 1, 0, 1]
        );
    }

    /// In parts the same most likely token and ranks, and log-probabilities to the rounding of sums.
    #[test]
    fn logits_in_parts_read_like_logits() {
        if !super::super::packs(Precision::F32) {
            return println!("skipped: this processor has no packed products");
        }
        let (rows, inputs, vocabulary) = (70, 300, 2500);
        let x = Tensor::randn(0f32, 1.0, (rows, inputs), &Device::Cpu).unwrap();
        let w = Tensor::randn(0f32, 0.3, (vocabulary, inputs), &Device::Cpu).unwrap();
        // Some tokens are equal.
        let w = Tensor::cat(&[&w, &w.narrow(0, 7, 40).unwrap()], 0).unwrap();
        let matrix =
            PackedMatrix::new(&w.flatten_all().unwrap().to_vec1().unwrap(), vocabulary + 40, inputs, Precision::F32);
        assert!(matrix.panel_outputs() < vocabulary);
        let tokens: Vec<[u32; 3]> = (0..rows as u32).map(|row| [row, 2500 + row % 40, 1000 + 7 * row]).collect();
        let wanted: Vec<&[u32]> = tokens.iter().enumerate().map(|(i, tokens)| &tokens[..i % 4]).collect();
        let found = read_packed(&matrix, &x, &wanted).unwrap();
        let expected = readout(&matrix.forward(&x).unwrap(), &wanted).unwrap();
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!((found.argmax, &found.ranks), (expected.argmax, &expected.ranks));
            let close = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
            assert!(found.logprobs.iter().zip(&expected.logprobs).all(close));
        }
        assert!(read_packed(&matrix, &x, &vec![&[9999u32][..]; rows]).is_err());
    }
}
