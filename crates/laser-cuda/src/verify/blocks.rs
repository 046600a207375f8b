//! Embedding, norms, rotary positions, element by element, and rows from place to place.

use super::check::{Check, Size, allowed, bits_agree, furthest};
use super::random_numbers::Numbers;
use crate::operations::{Activation, Norm, NormKind, RotaryStyle, Rotation};
use crate::{Device, Indices, Kind, Result, RowTable, Rows};

const KINDS: [Kind; 3] = [Kind::F32, Kind::Bf16, Kind::F16];

type Formula = fn(f64) -> f64;

pub(super) fn embed(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (kind, width) in [(Kind::F32, 37), (Kind::Bf16, 64), (Kind::F16, size.of(20, 4096))] {
        let (vocabulary, rows) = (50, size.of(7, 300));
        let (table, stored) = numbers.rows(device, kind, vocabulary, width, 1.0)?;
        let (positions, places) = numbers.rows(device, Kind::F32, 30, width, 1.0)?;
        let tokens: Vec<u32> = (0..rows).map(|_| numbers.below(vocabulary) as u32).collect();
        let at: Vec<u32> = (0..rows).map(|_| numbers.below(30) as u32).collect();
        let of = |tokens: &[u32], at: &[u32], placed: bool| {
            let at = Indices::of(device, at)?;
            device.embed(&table, &Indices::of(device, tokens)?, 1.5, placed.then_some((&positions, &at)))?.to_host()
        };
        for placed in [false, true] {
            let expected: Vec<f64> = tokens
                .iter()
                .zip(&at)
                .flat_map(|(&token, &at)| {
                    let position = places[at as usize * width..][..width].iter();
                    let token = stored[token as usize * width..][..width].iter();
                    token.zip(position).map(|(token, position)| 1.5 * token + if placed { *position } else { 0.0 })
                })
                .collect();
            let found = of(&tokens, &at, placed)?;
            let alone = of(&tokens[2..3], &at[2..3], placed)?;
            checks.push(Check {
                name: format!("embed {kind:?}, {rows} x {width}{}", if placed { ", positions" } else { "" }),
                error: furthest(&found, &expected),
                allowed: 1e-6,
                same_bits: bits_agree(&alone, &found[2 * width..3 * width]),
            });
        }
    }
    Ok(checks)
}

pub(super) fn norms(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let cases =
        [(12, 3, Kind::F32), (83, 1, Kind::F32), (576, 1, Kind::Bf16), (2050, 1, Kind::F32), (4096, 1, Kind::F16)];
    for (width, pieces, kind) in cases {
        for norm_kind in [NormKind::Rms, NormKind::Layer] {
            let rows = size.of(3, 200);
            let values: Vec<f32> =
                numbers.normals(rows * width * pieces, 3.0).iter().map(|value| value + 0.5).collect();
            let x = Rows::of(device, Kind::F32, &values, rows, width * pieces)?;
            let (weight, by) = numbers.vector(device, width, 1.0)?;
            let (bias, plus) = numbers.vector(device, width, 0.0)?;
            let with_bias = norm_kind == NormKind::Layer;
            let norm = Norm { kind: norm_kind, eps: 1e-5, weight, bias: with_bias.then_some(bias) };
            let expected: Vec<f64> = values
                .chunks(width)
                .flat_map(|row| {
                    let n = width as f64;
                    let sum: f64 = row.iter().map(|x| f64::from(*x)).sum();
                    let mean = if norm_kind == NormKind::Layer { sum / n } else { 0.0 };
                    let variance = row.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
                    let scale = 1.0 / (variance + 1e-5).sqrt();
                    let weights = by.iter().zip(&plus);
                    row.iter()
                        .zip(weights)
                        .map(|(x, (by, plus))| {
                            (f64::from(*x) - mean) * scale * by + if with_bias { *plus } else { 0.0 }
                        })
                        .collect::<Vec<_>>()
                })
                .collect();
            let found = device.normalise(&x, &norm, kind)?.to_host()?;
            let alone = device.normalise(&x.slice(1..2)?, &norm, kind)?.to_host()?;
            checks.push(Check {
                name: format!("norm {norm_kind:?} to {kind:?}, {rows} x {pieces} x {width}"),
                error: furthest(&found, &expected),
                allowed: allowed(kind, 1e-5),
                same_bits: bits_agree(&alone, &found[width * pieces..2 * width * pieces]),
            });
        }
    }
    Ok(checks)
}

pub(super) fn ropes(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (heads, head_dim, pairs, kind) in [(3, 12, 4, Kind::F32), (2, 64, 32, Kind::Bf16), (2, 9, 3, Kind::F32)] {
        for style in [RotaryStyle::Half, RotaryStyle::Interleaved] {
            let (rows, width) = (size.of(5, 500), heads * head_dim);
            let (x, values) = numbers.rows(device, Kind::F32, rows, width, 1.0)?;
            let angles = numbers.normals(rows * pairs, 2.0);
            let (sin, cos): (Vec<f32>, Vec<f32>) = angles.iter().map(|angle| angle.sin_cos()).unzip();
            let rotation = Rotation::of(device, style, &cos, &sin, rows)?;
            let mut expected = values;
            for (number, head) in expected.chunks_mut(head_dim).enumerate() {
                for pair in 0..pairs {
                    let (c, s) = (cos[number / heads * pairs + pair], sin[number / heads * pairs + pair]);
                    let (i, j) = match style {
                        RotaryStyle::Half => (pair, pair + pairs),
                        RotaryStyle::Interleaved => (2 * pair, 2 * pair + 1),
                    };
                    let (a, b, c, s) = (head[i], head[j], f64::from(c), f64::from(s));
                    (head[i], head[j]) = (a * c - b * s, a * s + b * c);
                }
            }
            let found = device.rope(&x, &rotation, head_dim, kind)?.to_host()?;
            // Into a table, in reverse order.
            let mut table = RowTable::new(device, kind, rows, width)?;
            let reversed = Indices::of(device, &(0..rows as u32).rev().collect::<Vec<_>>())?;
            device.write_rope(&mut table, &reversed, &x, &rotation, head_dim)?;
            let written = device.gather(table.rows(), &reversed, Kind::F32)?.to_host()?;
            let one = Indices::of(device, &[1])?;
            let alone = device.rope(&x.slice(1..2)?, &rotation.select(device, &one)?, head_dim, kind)?.to_host()?;
            checks.push(Check {
                name: format!("rope {style:?} to {kind:?}, {rows} x {heads} x {head_dim}, {pairs} pairs"),
                error: furthest(&found, &expected),
                allowed: allowed(kind, 2e-6),
                same_bits: bits_agree(&written, &found) && bits_agree(&alone, &found[width..2 * width]),
            });
        }
    }
    Ok(checks)
}

pub(super) fn elementwise(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let (rows, width) = (size.of(3, 300), 131);
    let (a, of_a) = numbers.rows(device, Kind::F32, rows, width, 3.0)?;
    let (b, of_b) = numbers.rows(device, Kind::F32, rows, width, 3.0)?;
    let pairs = || of_a.iter().zip(&of_b);
    let row = |x: &[f32]| x[width..2 * width].to_vec();
    let (a1, b1) = (a.slice(1..2)?, b.slice(1..2)?);
    let found = device.add(&a, &b)?.to_host()?;
    let mut checks = vec![Check {
        name: format!("add, {rows} x {width}"),
        error: furthest(&found, &pairs().map(|(a, b)| a + b).collect::<Vec<_>>()),
        allowed: 1e-6,
        same_bits: bits_agree(&device.add(&a1, &b1)?.to_host()?, &row(&found)),
    }];
    let found = device.add_scaled(&a, &b, 0.25)?.to_host()?;
    checks.push(Check {
        name: format!("add_scaled, {rows} x {width}"),
        error: furthest(&found, &pairs().map(|(a, b)| a + b * 0.25).collect::<Vec<_>>()),
        allowed: 1e-6,
        same_bits: bits_agree(&device.add_scaled(&a1, &b1, 0.25)?.to_host()?, &row(&found)),
    });
    let (gates, of_gates) = numbers.rows(device, Kind::F32, rows, 1, 3.0)?;
    let found = device.gate_rows(&a, &gates)?.to_host()?;
    let gated = of_a.chunks(width).zip(&of_gates);
    let expected: Vec<f64> = gated.flat_map(|(row, gate)| row.iter().map(move |x| x / (1.0 + (-gate).exp()))).collect();
    checks.push(Check {
        name: format!("gate_rows, {rows} x {width}"),
        error: furthest(&found, &expected),
        allowed: 2e-6,
        same_bits: bits_agree(&device.gate_rows(&a1, &gates.slice(1..2)?)?.to_host()?, &row(&found)),
    });
    let activations: [(Activation, Formula); 5] = [
        (Activation::Silu, |x| x / (1.0 + (-x).exp())),
        (Activation::Gelu, |x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))),
        (Activation::GeluTanh, |x| {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }),
        (Activation::Relu, |x| x.max(0.0)),
        (Activation::ReluSquared, |x| x.max(0.0).powi(2)),
    ];
    for (activation, formula) in activations {
        for kind in KINDS {
            let found = device.activate(&a, activation, kind)?.to_host()?;
            checks.push(Check {
                name: format!("{activation:?} to {kind:?}, {rows} x {width}"),
                error: furthest(&found, &of_a.iter().map(|&a| formula(a)).collect::<Vec<_>>()),
                allowed: allowed(kind, 2e-6),
                same_bits: bits_agree(&device.activate(&a1, activation, kind)?.to_host()?, &row(&found)),
            });
            let found = device.gated(&a, &b, activation, kind)?.to_host()?;
            checks.push(Check {
                name: format!("gated {activation:?} to {kind:?}, {rows} x {width}"),
                error: furthest(&found, &pairs().map(|(&a, b)| formula(a) * b).collect::<Vec<_>>()),
                allowed: allowed(kind, 1e-5),
                same_bits: bits_agree(&device.gated(&a1, &b1, activation, kind)?.to_host()?, &row(&found)),
            });
        }
    }
    Ok(checks)
}

/// The error function: Taylor's series near 0, the continued fraction of its complement further out. To about 1e-14.
fn erf(x: f64) -> f64 {
    let size = x.abs();
    let value = if size < 3.0 {
        let (mut term, mut sum) = (size, size);
        for n in 1..120 {
            let n = f64::from(n);
            term *= -size * size / n;
            sum += term / (2.0 * n + 1.0);
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    } else {
        let fraction = (1..60).rev().fold(0.0, |below, n| f64::from(n) / 2.0 / (size + below));
        1.0 - (-size * size).exp() / std::f64::consts::PI.sqrt() / (size + fraction)
    };
    value.copysign(x)
}

/// Copies are exact: any difference is a mistake.
pub(super) fn rows(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (from, to, width) in [(Kind::F32, Kind::Bf16, 37), (Kind::Bf16, Kind::F32, 64), (Kind::F16, Kind::F16, 130)] {
        let rows = size.of(9, 1000);
        let (x, stored) = numbers.rows(device, from, rows, width + 3, 1.0)?;
        let part = x.columns(3..width + 3)?;
        let row = |row: usize| stored[row * (width + 3) + 3..][..width].iter().map(|&x| rounded(to, x));
        let chosen: Vec<u32> = (0..rows * 2).map(|_| numbers.below(rows) as u32).collect();
        let expected: Vec<f64> = chosen.iter().flat_map(|&number| row(number as usize)).collect();
        let found = device.gather(&part, &Indices::of(device, &chosen)?, to)?;
        // Scattered into a table that has grown, and taken out again.
        let mut table = RowTable::new(device, to, 2, width)?;
        let first = Indices::of(device, &[1, 0])?;
        device.write(&mut table, &first, &found.slice(0..2)?)?;
        table.reserve(rows * 2)?;
        let rest: Vec<u32> = (2..rows as u32 * 2).rev().collect();
        device.write(&mut table, &Indices::of(device, &rest)?, &found.slice(2..rows * 2)?)?;
        let order: Vec<u32> = [1, 0].into_iter().chain(rest).collect();
        let back = device.gather(table.rows(), &Indices::of(device, &order)?, to)?;
        let halves = device.concat(&[back.slice(0..rows)?, back.slice(rows..rows * 2)?])?.to_host()?;
        let dense: Vec<f64> = (0..rows).flat_map(row).collect();
        checks.push(Check {
            name: format!("rows {from:?} to {to:?}, {rows} x {width}"),
            error: furthest(&found.to_host()?, &expected).max(furthest(&device.convert(&part, to)?.to_host()?, &dense)),
            allowed: 0.0,
            same_bits: bits_agree(&halves, &found.to_host()?),
        });
    }
    Ok(checks)
}

fn rounded(kind: Kind, value: f64) -> f64 {
    f64::from(crate::rounded(kind, value as f32))
}
