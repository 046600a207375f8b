//! Read-out, and products.

use super::check::{Check, Size, bits_agree, furthest};
use super::random_numbers::Numbers;
use crate::operations::{ReadOut, Reading, Wanted};
use crate::{Device, Kind, Result, Rows};

pub(super) fn read_outs(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (kind, softcap, with_bias) in
        [(Kind::F32, None, false), (Kind::Bf16, Some(3.0), false), (Kind::F16, None, true)]
    {
        let (rows, hidden, vocabulary) = (size.of(5, 200), 16, size.of(2500, 32000));
        let x = Rows::of(device, Kind::F32, &numbers.normals(rows * hidden, 1.0), rows, hidden)?;
        // Some tokens are equal.
        let mut weights = numbers.normals(vocabulary * hidden, 0.7);
        weights.copy_within(7 * hidden..47 * hidden, (vocabulary - 60) * hidden);
        let weights = Rows::of(device, kind, &weights, vocabulary, hidden)?;
        let bias = if with_bias { Some(numbers.vector(device, vocabulary, 0.0)?.0) } else { None };
        let slice = size.of(2048, 16384);
        let head = ReadOut { weights, bias, softcap, slice, memory: usize::MAX };
        let asked: Vec<Vec<u32>> = (0..rows)
            .map(|row| {
                let twin = 7 + row as u32 % 40;
                let tokens = [twin, vocabulary as u32 - 60 + row as u32 % 40, numbers.below(vocabulary) as u32];
                tokens[..(row + 3) % 4].to_vec()
            })
            .collect();
        let read = |rows: std::ops::Range<usize>, head: &ReadOut| {
            let wanted: Vec<&[u32]> = asked[rows.clone()].iter().map(Vec::as_slice).collect();
            device.read_out(&x.slice(rows)?, head, &Wanted::of(device, &wanted)?)
        };
        let found = read(0..rows, &head)?;
        // The formula on the device's own logits, so that ties are ties.
        let mut logits = vec![Vec::with_capacity(vocabulary); rows];
        for first in (0..vocabulary).step_by(slice) {
            let tokens = first..vocabulary.min(first + slice);
            let bias = head.bias.as_ref().map(|bias| bias.slice(tokens.clone())).transpose()?;
            let part = device.linear(&x, &head.weights.slice(tokens.clone())?, bias.as_ref(), None)?.to_host()?;
            logits.iter_mut().zip(part.chunks(tokens.len())).for_each(|(row, part)| row.extend(part));
        }
        let error =
            found.iter().zip(&logits).zip(&asked).map(|((found, logits), asked)| apart(found, logits, asked, softcap));
        let error = error.fold(0.0, |max: f64, error| if error <= max { max } else { error });
        // With nothing held, and rows alone: the same to the bit.
        let made_twice = read(0..rows, &ReadOut { memory: 0, ..head.clone() })?;
        let alone = read(2..4, &head)?;
        checks.push(Check {
            name: format!(
                "read-out {kind:?}{}{}, {rows} rows, vocabulary {vocabulary}",
                if softcap.is_some() { ", capped" } else { "" },
                if with_bias { ", bias" } else { "" }
            ),
            error,
            allowed: 2e-6,
            same_bits: made_twice == found && alone == found[2..4],
        });
    }
    Ok(checks)
}

/// How far log-probabilities are from the formula; infinite where a token or a rank is wrong. A cap may make logits equal that
/// are not, or turn neighbours round: tokens as near as that may stand in any order.
fn apart(found: &Reading, logits: &[f32], asked: &[u32], softcap: Option<f32>) -> f64 {
    let near = if softcap.is_some() { 1e-5 } else { 0.0 };
    let capped = |logit: f32| softcap.map_or(f64::from(logit), |cap| f64::from(cap) * f64::from(logit / cap).tanh());
    let capped: Vec<f64> = logits.iter().copied().map(capped).collect();
    let max = capped.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let argmax = found.argmax as usize;
    let first = capped.iter().position(|&logit| logit == max) == Some(argmax);
    if !(first || near > 0.0 && capped.get(argmax).is_some_and(|&logit| logit >= max - near)) {
        return f64::INFINITY;
    }
    let total: f64 = capped.iter().map(|&logit| (logit - max).exp()).sum();
    let normaliser = max + total.ln();
    let mut error = 0.0f64;
    if found.logprobs.len() != asked.len() || found.ranks.len() != asked.len() {
        return f64::INFINITY;
    }
    for ((&token, logprob), &rank) in asked.iter().zip(&found.logprobs).zip(&found.ranks) {
        let own = capped[token as usize];
        let above = capped.iter().filter(|&&logit| logit > own + near).count();
        let level = capped.iter().enumerate().filter(|(other, logit)| {
            if near > 0.0 { (**logit - own).abs() <= near } else { **logit == own && *other < token as usize }
        });
        let level = level.count();
        if rank < above || rank > above + level || (near == 0.0 && rank != above + level) {
            return f64::INFINITY;
        }
        let expected = own - normaliser;
        let off = (logprob - expected).abs() / expected.abs().max(1.0);
        error = if off <= error { error } else { off };
    }
    error
}

pub(super) fn products(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let cases = [
        (Kind::F32, 40, 24, false, false),
        (Kind::Bf16, size.of(33, 1000), size.of(40, 576), true, false),
        (Kind::F16, 64, size.of(48, 4096), true, true),
        (Kind::Bf16, size.of(24, 4096), size.of(32, 1024), false, true),
        (Kind::F32, size.of(10, 1152), size.of(9, 2048), true, true),
        // Rows that no vector instruction likes.
        (Kind::Bf16, 7, 9, false, false),
    ];
    for (kind, outputs, inputs, with_bias, with_rows) in cases {
        let rows = size.of(6, 300);
        let (x, of_x) = numbers.rows(device, Kind::F32, rows, inputs, 1.0)?;
        let of_x: Vec<f64> = of_x.iter().map(|&x| f64::from(crate::rounded(kind, x as f32))).collect();
        let scale = 1.0 / (inputs as f32).sqrt();
        let (w, of_w) = numbers.rows(device, kind, outputs, inputs, scale)?;
        let (bias, of_bias) = numbers.vector(device, outputs, 0.0)?;
        let (plus, of_plus) = numbers.rows(device, Kind::F32, rows, outputs, 1.0)?;
        let multiply = |rows: std::ops::Range<usize>| {
            let plus = plus.slice(rows.clone())?;
            let bias = with_bias.then_some(&bias);
            device.linear(&x.slice(rows)?, &w, bias, with_rows.then_some(&plus))?.to_host()
        };
        let expected: Vec<f64> = (0..rows * outputs)
            .map(|i| {
                let (row, output) = (i / outputs, i % outputs);
                let pairs = of_x[row * inputs..][..inputs].iter().zip(&of_w[output * inputs..][..inputs]);
                let bias = if with_bias { of_bias[output] } else { 0.0 };
                pairs.map(|(x, w)| x * w).sum::<f64>() + bias + if with_rows { of_plus[i] } else { 0.0 }
            })
            .collect();
        let found = multiply(0..rows)?;
        let alone = [multiply(2..3)?, multiply(3..6)?].concat();
        checks.push(Check {
            name: format!(
                "linear {kind:?}, {rows} rows, {outputs} x {inputs}{}{}",
                if with_bias { ", bias" } else { "" },
                if with_rows { ", rows added" } else { "" }
            ),
            error: furthest(&found, &expected),
            // Tensor cores cut off what does not fit when they add.
            allowed: if kind == Kind::F32 { 3e-5 } else { 2e-4 },
            same_bits: bits_agree(&alone, &found[2 * outputs..6 * outputs]),
        });
    }
    Ok(checks)
}
