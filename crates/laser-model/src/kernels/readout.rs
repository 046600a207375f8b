//! What is read off the logits of a position: the most likely token, and log-probabilities of chosen tokens.

use super::vector;
use candle_core::{CpuStorage, D, DType, Result, Storage, Tensor};
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
    if let Some(token) = wanted.iter().copied().flatten().find(|&&token| token as usize >= vocabulary) {
        candle_core::bail!("readout: token {token} is outside the vocabulary of {vocabulary}");
    }
    if logits.device().is_cpu() {
        let (storage, layout) = logits.storage_and_layout();
        let Storage::Cpu(CpuStorage::F32(_)) = &*storage else { candle_core::bail!("readout: the logits are not f32") };
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

/// The column of the largest value in each row of `logits [rows, columns]`, on the CPU; of several, the first.
pub fn argmax(logits: &Tensor) -> Result<Vec<u32>> {
    let readings = readout(logits, &vec![&[][..]; logits.dim(0)?])?;
    Ok(readings.into_iter().map(|reading| reading.argmax).collect())
}

#[inline(always)]
fn read(logits: &[f32], wanted: &[u32]) -> Reading {
    let max = vector::max(logits);
    let argmax = logits.iter().position(|&logit| logit == max).unwrap_or(0) as u32;
    let logprobs = if wanted.is_empty() {
        Vec::new()
    } else {
        let normaliser = vector::log_sum_exp(logits, max);
        wanted.iter().map(|&token| f64::from(logits[token as usize]) - normaliser).collect()
    };
    let ranks = wanted.iter().map(|&token| rank(logits, token)).collect();
    Reading { argmax, logprobs, ranks }
}

#[inline(always)]
fn rank(logits: &[f32], token: u32) -> usize {
    let (before, rest) = logits.split_at(token as usize);
    let logit = rest[0];
    let count = |row: &[f32], counts: fn(f32, f32) -> bool| {
        row.iter().map(|&other| u32::from(counts(other, logit))).sum::<u32>() as usize
    };
    count(before, |other, logit| other >= logit) + count(rest, |other, logit| other > logit)
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
}
