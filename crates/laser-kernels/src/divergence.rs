//! How what two models predict differs.

use crate::cpu::vector;
use crate::error::{Error, Result};
use rayon::prelude::*;

/// What an edited model predicts at a position, beside what the unedited one predicts there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Divergence {
    /// Kullback and Leibler's divergence Σ p ln(p / q) of the edited model's q from the unedited
    /// model's p, over the vocabulary, nats.
    pub kl: f64,
    /// The edited model's log-probability of the token that was asked for, nats.
    pub logprob: Option<f64>,
}

/// The rows of `edited` beside those of `unedited`, logits `[rows, vocabulary]`; of row `i` the
/// log-probability of `wanted[i]`.
pub fn diverge(unedited: &[f32], edited: &[f32], wanted: &[Option<u32>]) -> Result<Vec<Divergence>> {
    let error = |why| Err(Error::Operands { op: "divergence", why });
    let vocabulary = unedited.len() / wanted.len().max(1);
    if unedited.len() != edited.len() || unedited.len() != wanted.len() * vocabulary {
        return error(format!("{} and {} logits are not {} rows", unedited.len(), edited.len(), wanted.len()));
    }
    if let Some(token) = wanted.iter().flatten().find(|&&token| token as usize >= vocabulary) {
        return error(format!("token {token} is outside the vocabulary of {vocabulary}"));
    }
    let row = |((before, after), wanted): ((&[f32], &[f32]), &Option<u32>)| {
        vector::dispatch(
            #[inline(always)]
            || of_row(before, after, *wanted),
        )
    };
    let width = vocabulary.max(1);
    Ok(unedited.par_chunks(width).zip(edited.par_chunks(width)).zip(wanted).map(row).collect())
}

/// Σ p (a - b) - ln Σ e^a + ln Σ e^b, for logits a and b.
#[inline(always)]
fn of_row(before: &[f32], after: &[f32], wanted: Option<u32>) -> Divergence {
    let (max_before, max_after) = (vector::max(before), vector::max(after));
    let (sum, difference) = vector::sum_exp_times_difference(before, after, max_before);
    let normaliser = |max: f32, sum: f64| f64::from(max) + sum.ln();
    let after_all = normaliser(max_after, vector::sum_exp(after, max_after));
    let kl = difference / sum - normaliser(max_before, sum) + after_all;
    // What is below zero is the rounding of sums.
    let kl = if kl < 0.0 { 0.0 } else { kl };
    Divergence { kl, logprob: wanted.map(|token| f64::from(after[token as usize]) - after_all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_definition() {
        let values = |seed: u32| -> Vec<f32> {
            let at = |i: u32| ((i + seed * 7_919).wrapping_mul(2_654_435_761) >> 12) as f32 % 1000.0 / 150.0;
            (0..3 * 2000).map(at).collect()
        };
        let (before, after) = (values(1), values(2));
        let wanted = [Some(7), None, Some(1999)];
        let found = diverge(&before, &after, &wanted).unwrap();
        for (row, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let logprobs = |logits: &[f32]| -> Vec<f64> {
                let row = &logits[row * 2000..(row + 1) * 2000];
                let total: f64 = row.iter().map(|v| f64::from(*v).exp()).sum();
                row.iter().map(|v| f64::from(*v) - total.ln()).collect()
            };
            let (p, q) = (logprobs(&before), logprobs(&after));
            let kl: f64 = p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum();
            assert!(kl > 0.5 && (found.kl - kl).abs() < 1e-5 * kl, "{} is not {kl}", found.kl);
            assert_eq!(found.logprob.is_some(), wanted.is_some());
            assert!(wanted.is_none_or(|token| (found.logprob.unwrap() - q[token as usize]).abs() < 1e-5));
        }
        let same = diverge(&before, &before, &wanted).unwrap();
        assert!(same.iter().all(|it| it.kl == 0.0));
    }

    #[test]
    fn operands_that_do_not_fit_are_refused() {
        assert!(diverge(&[0.0; 6], &[0.0; 6], &[Some(3), None]).is_err());
        assert!(diverge(&[0.0; 6], &[0.0; 3], &[None, None]).is_err());
        assert!(diverge(&[0.0; 5], &[0.0; 5], &[None, None]).is_err());
    }
}
