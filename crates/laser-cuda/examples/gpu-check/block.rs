//! A whole llama block over packed prompts, as a pass of the sweep runs it, and how long each of its parts takes.

use crate::report::Report;
use crate::shapes::{Filler, Shapes, milliseconds, rate};
use laser_cuda::operations::{Activation, Attended, AttentionShape, Norm, NormKind, RotaryStyle, Rotation};
use laser_cuda::platform::Mark;
use laser_cuda::{Device, Indices, Kind, Result, RowTable, Rows, Vector};

/// A block's weights, bf16.
struct Block {
    attention_norm: Norm,
    mlp_norm: Norm,
    q: Rows,
    k: Rows,
    v: Rows,
    out: Rows,
    gate: Rows,
    up: Rows,
    down: Rows,
}

/// Rows of prompts, and where they stand.
pub struct Batch {
    rotation: Rotation,
    places: Indices,
    pub attended: Attended,
    pub rows: usize,
}

impl Batch {
    /// So many prompts of `tokens` rows, each of which sees those before it and `shared` rows before all.
    pub fn new(device: &Device, prompts: usize, tokens: usize, shared: usize, pairs: usize) -> Result<Self> {
        let rows = prompts * tokens;
        let (mut cos, mut sin, mut ends, mut seen) = (Vec::new(), Vec::new(), Vec::new(), Vec::<u32>::new());
        for prompt in 0..prompts {
            for token in 0..tokens {
                for pair in 0..pairs {
                    let speed = 10_000f32.powf(-(pair as f32) / pairs as f32);
                    let (s, c) = ((shared + token) as f32 * speed).sin_cos();
                    cos.push(c);
                    sin.push(s);
                }
                let first = shared + prompt * tokens;
                seen.extend((0..shared).chain(first..=first + token).map(|row| row as u32));
                ends.push(seen.len() as u32);
            }
        }
        let places: Vec<u32> = (shared..shared + rows).map(|row| row as u32).collect();
        Ok(Self {
            rotation: Rotation::of(device, RotaryStyle::Half, &cos, &sin, rows)?,
            places: Indices::of(device, &places)?,
            attended: Attended::of(device, &ends, &seen)?,
            rows,
        })
    }
}

impl Block {
    fn new(device: &Device, shapes: &Shapes, filler: &mut Filler) -> Result<Self> {
        let Shapes { hidden, inner, .. } = *shapes;
        let norm = || {
            let weight = Vector::of(device, &vec![1.0; hidden])?;
            Ok(Norm { kind: NormKind::Rms, eps: 1e-5, weight, bias: None })
        };
        let mut weights = |outputs, inputs| filler.rows(device, Kind::Bf16, outputs, inputs, 0.02);
        Ok(Self {
            attention_norm: norm()?,
            mlp_norm: norm()?,
            q: weights(hidden, hidden)?,
            k: weights(hidden, hidden)?,
            v: weights(hidden, hidden)?,
            out: weights(hidden, hidden)?,
            gate: weights(inner, hidden)?,
            up: weights(inner, hidden)?,
            down: weights(hidden, inner)?,
        })
    }

    /// The block's output; `part` is told when a part was asked for.
    fn forward(
        &self,
        device: &Device,
        shapes: &Shapes,
        x: &Rows,
        batch: &Batch,
        [keys, values]: [&mut RowTable; 2],
        mut part: impl FnMut(&'static str) -> Result<()>,
    ) -> Result<Rows> {
        let head_dim = shapes.head_dim;
        let scale = AttentionShape { head_dim, scale: 1.0 / (head_dim as f32).sqrt(), softcap: None, alibi: None };
        let normed = device.normalise(x, &self.attention_norm, Kind::Bf16)?;
        part("norm")?;
        let [q, k, v] = [&self.q, &self.k, &self.v].map(|weights| device.linear(&normed, weights, None, None));
        let (q, k, v) = (q?, k?, v?);
        part("q, k, v")?;
        let q = device.rope(&q, &batch.rotation, head_dim, Kind::F32)?;
        device.write_rope(keys, &batch.places, &k, &batch.rotation, head_dim)?;
        device.write(values, &batch.places, &v)?;
        part("rope and writes")?;
        let mixed = device.attention(&q, keys.rows(), values.rows(), &batch.attended, scale, Kind::Bf16)?;
        part("attention")?;
        let x = device.linear(&mixed, &self.out, None, Some(x))?;
        part("out + residual")?;
        let normed = device.normalise(&x, &self.mlp_norm, Kind::Bf16)?;
        part("norm")?;
        let (gate, up) =
            (device.linear(&normed, &self.gate, None, None)?, device.linear(&normed, &self.up, None, None)?);
        part("gate, up")?;
        let inner = device.gated(&gate, &up, Activation::Silu, Kind::Bf16)?;
        part("gated")?;
        let x = device.linear(&inner, &self.down, None, Some(&x))?;
        part("down + residual")?;
        Ok(x)
    }
}

/// Measures blocks of some numbers of rows, against the plain product's rate `peak`.
pub fn speed(device: &Device, shapes: &Shapes, filler: &mut Filler, peak: f64, report: &mut Report) -> Result<()> {
    report.table(
        "A llama block of 7B, bf16 weights, prompts packed",
        &["prompts x tokens", "ms", "rows a second", "TFLOP/s of its products", "share of the plain product"],
    );
    let block = Block::new(device, shapes, filler)?;
    let Shapes { hidden, inner, tokens, prompts, .. } = *shapes;
    let mut parts = Vec::new();
    let sizes = shapes.rows.map(|rows| rows / tokens).into_iter().chain([prompts]).filter(|prompts| *prompts > 0);
    for prompts in sizes {
        let batch = Batch::new(device, prompts, tokens, 0, shapes.head_dim / 2)?;
        let x = filler.rows(device, Kind::F32, batch.rows, hidden, 1.0)?;
        let table = || RowTable::new(device, Kind::Bf16, batch.rows, hidden);
        let (mut keys, mut values) = (table()?, table()?);
        let time = milliseconds(device, shapes.repeats, || {
            block.forward(device, shapes, &x, &batch, [&mut keys, &mut values], |_| Ok(())).map(drop)
        })?;
        let operations = 2.0 * batch.rows as f64 * hidden as f64 * (4 * hidden + 3 * inner) as f64;
        let made = rate(operations, time);
        report.row(&[
            format!("{prompts} x {tokens}"),
            format!("{time:.3}"),
            format!("{:.0}", batch.rows as f64 / time * 1e3),
            format!("{made:.1}"),
            format!("{:.2}", made / peak),
        ]);
        let mut marks: Vec<(&str, Mark)> = vec![("", device.mark()?)];
        block.forward(device, shapes, &x, &batch, [&mut keys, &mut values], |name| {
            marks.push((name, device.mark()?));
            Ok(())
        })?;
        let times: Result<Vec<String>> = marks
            .windows(2)
            .map(|pair| Ok(format!("{} {:.3}", pair[1].0, device.milliseconds(&pair[0].1, &pair[1].1)?)))
            .collect();
        parts.push(format!("{prompts} x {tokens}: {} ms", times?.join(", ")));
        if let Some(value) = block_is_wrong(device, shapes, &block, &x, &batch, [&mut keys, &mut values])? {
            report.failure(&format!("a block's rows have other bits in a smaller batch: {value}"));
        }
    }
    report.line("\nParts, one run each:\n");
    for line in parts {
        report.line(&format!("- {line}"));
    }
    Ok(())
}

/// The first prompts alone must give the bits that they have among all.
fn block_is_wrong(
    device: &Device,
    shapes: &Shapes,
    block: &Block,
    x: &Rows,
    batch: &Batch,
    [keys, values]: [&mut RowTable; 2],
) -> Result<Option<String>> {
    let all = block.forward(device, shapes, x, batch, [keys, values], |_| Ok(()))?;
    let one = Batch::new(device, 1, shapes.tokens, 0, shapes.head_dim / 2)?;
    let alone = block.forward(device, shapes, &x.slice(0..one.rows)?, &one, [keys, values], |_| Ok(()))?;
    let (all, alone) = (all.slice(0..one.rows)?.to_host()?, alone.to_host()?);
    let differing = all.iter().zip(&alone).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    let wrong = alone.iter().any(|value| !value.is_finite());
    Ok((differing > 0 || wrong).then(|| format!("{differing} of {} numbers, all finite: {}", alone.len(), !wrong)))
}
