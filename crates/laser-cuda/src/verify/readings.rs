//! Read-out, and products.

use super::check::{Check, Size, bits_agree, furthest};
use super::numbers::Numbers;
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
        let head = ReadOut { weights, bias, softcap, memory: usize::MAX / 8 };
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
        let logits = device.linear(&x, &head.weights, head.bias.as_ref(), None)?.to_host()?;
        let expected = logits.chunks(vocabulary).zip(&asked).map(|(logits, asked)| formula(logits, asked, softcap));
        let error = found.iter().zip(expected).map(|(found, expected)| apart(found, &expected));
        let error = error.fold(0.0, |max: f64, error| if error <= max { max } else { error });
        // In slices, and rows alone: the same to the bit.
        let sliced = read(0..rows, &ReadOut { memory: rows * 4 * 1024, ..head.clone() })?;
        let alone = read(2..4, &head)?;
        checks.push(Check {
            name: format!(
                "read-out {kind:?}{}{}, {rows} rows, vocabulary {vocabulary}",
                if softcap.is_some() { ", capped" } else { "" },
                if with_bias { ", bias" } else { "" }
            ),
            error,
            allowed: 2e-6,
            same_bits: sliced == found && alone == found[2..4],
        });
    }
    Ok(checks)
}

fn formula(logits: &[f32], asked: &[u32], softcap: Option<f32>) -> Reading {
    let capped = |logit: f32| softcap.map_or(f64::from(logit), |cap| f64::from(cap) * f64::from(logit / cap).tanh());
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let argmax = logits.iter().position(|&logit| logit == max).unwrap_or(0);
    let total: f64 = logits.iter().map(|&logit| (capped(logit) - capped(max)).exp()).sum();
    let normaliser = capped(max) + total.ln();
    let rank = |&token: &u32| {
        let own = logits[token as usize];
        let above = |(other, &logit): (usize, &f32)| logit > own || (logit == own && other < token as usize);
        logits.iter().enumerate().filter(|pair| above(*pair)).count()
    };
    Reading {
        argmax: argmax as u32,
        logprobs: asked.iter().map(|&token| capped(logits[token as usize]) - normaliser).collect(),
        ranks: asked.iter().map(rank).collect(),
    }
}

/// How far log-probabilities are apart; infinite where tokens differ, or ranks by more than those that a cap may make equal.
fn apart(found: &Reading, expected: &Reading) -> f64 {
    if found.argmax != expected.argmax || found.ranks != expected.ranks {
        return f64::INFINITY;
    }
    let pairs = found.logprobs.iter().zip(&expected.logprobs);
    pairs.map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, |max, error| if error <= max { max } else { error })
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
            allowed: 1e-5,
            same_bits: bits_agree(&alone, &found[2 * outputs..6 * outputs]),
        });
    }
    Ok(checks)
}
