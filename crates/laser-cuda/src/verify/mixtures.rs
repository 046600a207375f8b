//! Attention, and mixtures of experts.

use super::check::{Check, Size, allowed, bits_agree, furthest};
use super::random_numbers::Numbers;
use crate::operations::{Attended, AttentionShape};
use crate::{Device, Kind, Result};

pub(super) fn attentions(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    let cases = [
        (4, 2, 12, None, Kind::F32, Kind::F32),
        (3, 1, 6, Some(0.5), Kind::Bf16, Kind::F32),
        (9, 3, 64, None, Kind::Bf16, Kind::Bf16),
        (2, 2, 32, Some(2.0), Kind::F32, Kind::F16),
        (2, 1, 80, None, Kind::F16, Kind::F32),
        (4, 1, 128, None, Kind::Bf16, Kind::F32),
        (2, 2, 200, None, Kind::F32, Kind::F32),
        (2, 1, 256, Some(30.0), Kind::Bf16, Kind::F32),
    ];
    for (heads, kv_heads, head_dim, softcap, kind, out) in cases {
        let (queries, cache) = (size.of(11, 300), size.of(30, 400));
        let alibi = (heads == 9).then_some(8.0);
        let shape = AttentionShape { head_dim, scale: 1.0 / (head_dim as f32).sqrt(), softcap, alibi };
        let (q, asked) = numbers.rows(device, Kind::F32, queries, heads * head_dim, 1.5)?;
        let (k, keys) = numbers.rows(device, kind, cache, kv_heads * head_dim, 1.5)?;
        let (v, values) = numbers.rows(device, kind, cache, kv_heads * head_dim, 1.0)?;
        // Lists of every short length, none among them, and one of all rows.
        let lists: Vec<Vec<u32>> = (0..queries)
            .map(|query| match query {
                3 => (0..cache as u32).collect(),
                _ => (0..query * 2 % 23).map(|_| numbers.below(cache) as u32).collect(),
            })
            .collect();
        let expected = formula(&asked, &keys, &values, &lists, [heads, kv_heads], shape);
        let attend = |queries: std::ops::Range<usize>| {
            let lists = &lists[queries.clone()];
            let ends: Vec<u32> = lists
                .iter()
                .scan(0, |end, list| {
                    *end += list.len() as u32;
                    Some(*end)
                })
                .collect();
            let attended = Attended::of(device, &ends, &lists.concat())?;
            device.attention(&q.slice(queries)?, &k, &v, &attended, shape, out)?.to_host()
        };
        let found = attend(0..queries)?;
        let width = heads * head_dim;
        let alone = [attend(3..4)?, attend(5..8)?].concat();
        checks.push(Check {
            name: format!(
                "attention {kind:?} to {out:?}, {queries} queries, {heads}/{kv_heads} heads of {head_dim}{}{}",
                if softcap.is_some() { ", capped" } else { "" },
                if alibi.is_some() { ", falling with distance" } else { "" }
            ),
            error: furthest(&found, &expected),
            allowed: allowed(out, 1e-5),
            same_bits: bits_agree(&alone, &[&found[3 * width..4 * width], &found[5 * width..8 * width]].concat()),
        });
    }
    Ok(checks)
}

/// softmax(scores(q kᵀ)) v, row by row.
fn formula(
    q: &[f64],
    keys: &[f64],
    values: &[f64],
    lists: &[Vec<u32>],
    [heads, kv_heads]: [usize; 2],
    shape: AttentionShape,
) -> Vec<f64> {
    let head_dim = shape.head_dim;
    let mut out = vec![0.0; q.len()];
    for (query, list) in lists.iter().enumerate() {
        for head in 0..heads {
            let at = (query * heads + head) * head_dim;
            let place = |row: u32| (row as usize * kv_heads + head / (heads / kv_heads)) * head_dim;
            // Of nine heads the last has the slope of the first of sixteen.
            let slope =
                shape.alibi.map_or(0.0, |_| if head < 8 { 0.5f64.powi(head as i32 + 1) } else { 0.5f64.sqrt() });
            let scores: Vec<f64> = list
                .iter()
                .enumerate()
                .map(|(place_of_row, &row)| {
                    let pairs = q[at..][..head_dim].iter().zip(&keys[place(row)..][..head_dim]);
                    let score = pairs.map(|(q, k)| q * k).sum::<f64>() * f64::from(shape.scale);
                    let capped = shape.softcap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh());
                    capped - slope * (list.len() - 1 - place_of_row) as f64
                })
                .collect();
            let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = scores.iter().map(|score| (score - max).exp()).sum();
            for (&row, score) in list.iter().zip(&scores) {
                for (out, value) in out[at..][..head_dim].iter_mut().zip(&values[place(row)..][..head_dim]) {
                    *out += (score - max).exp() / total * value;
                }
            }
        }
    }
    out
}

pub(super) fn experts(device: &Device, size: Size, numbers: &mut Numbers) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (experts, per_token, normalised) in [(8, 2, true), (5, 3, false), (64, 8, true)] {
        let (rows, width) = (size.of(9, 700), 24);
        let mut values = numbers.normals(rows * experts, 1.0);
        // Equal logits: the first counts.
        values[..experts].fill(0.25);
        let logits = crate::Rows::of(device, Kind::F32, &values, rows, experts)?;
        let (x, stored) = numbers.rows(device, Kind::F32, rows, width, 1.0)?;
        let (w, by) = numbers.rows(device, Kind::F32, experts, width, 1.0)?;
        let routes = device.route(&logits, per_token, normalised)?;
        let (chosen, weights) = routes.to_host()?;
        let (mut expected_chosen, mut expected_weights, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (row, logits) in values.chunks(experts).enumerate() {
            let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let exp = |expert: usize| f64::from(logits[expert] - max).exp();
            let mut order: Vec<usize> = (0..experts).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
            order.truncate(per_token);
            let total: f64 = if normalised { order.iter().map(|&e| exp(e)).sum() } else { (0..experts).map(exp).sum() };
            order.sort_unstable();
            let mut out = vec![0.0; width];
            for &expert in &order {
                expected_chosen.push(expert as u32);
                expected_weights.push(exp(expert) / total);
                for (i, out) in out.iter_mut().enumerate() {
                    *out += exp(expert) / total * (stored[row * width + i] + by[expert * width + i]);
                }
            }
            expected.extend(out);
        }
        // An expert here adds its vector.
        let mix = |x: &crate::Rows, routes: &crate::operations::Routes| {
            let add = |expert: usize, x: &crate::Rows| {
                let own = vec![expert as u32; x.rows()];
                device.add(x, &device.gather(&w, &crate::Indices::of(device, &own)?, Kind::F32)?)
            };
            device.mixture(x, routes, add)?.to_host()
        };
        let found = mix(&x, &routes)?;
        let alone = mix(&x.slice(2..4)?, &device.route(&logits.slice(2..4)?, per_token, normalised)?)?;
        let wrong_choice = if chosen == expected_chosen { 0.0 } else { f64::INFINITY };
        checks.push(Check {
            name: format!("experts, {per_token} of {experts}{}, {rows} rows", if normalised { ", scaled" } else { "" }),
            error: furthest(&found, &expected).max(furthest(&weights, &expected_weights)).max(wrong_choice),
            allowed: 1e-5,
            same_bits: bits_agree(&alone, &found[2 * width..4 * width]),
        });
    }
    Ok(checks)
}
