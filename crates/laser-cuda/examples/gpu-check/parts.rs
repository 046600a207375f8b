//! What is not a product: attention, read-out, memory-bound kernels, launches, uploads.

use crate::block::Batch;
use crate::report::Report;
use crate::shapes::{Filler, Shapes, milliseconds};
use laser_cuda::operations::{Activation, AttentionShape, Norm, NormKind, ReadOut, Wanted};
use laser_cuda::{Device, Kind, Pinned, Result, Rows, Vector};
use std::time::Instant;

pub fn attention(device: &Device, shapes: &Shapes, filler: &mut Filler, report: &mut Report) -> Result<()> {
    let Shapes { heads, head_dim, prompts, tokens, .. } = *shapes;
    report.table(
        &format!("Attention, {heads} heads of {head_dim}"),
        &["prompts x tokens", "rows shared before", "key/value heads", "kept as", "ms", "GFLOP/s"],
    );
    let shape = AttentionShape { head_dim, scale: 1.0 / (head_dim as f32).sqrt(), softcap: None, alibi: None };
    let cases = [
        (tokens, 0, heads, Kind::Bf16),
        (tokens, 0, heads, Kind::F32),
        (tokens, 0, heads.div_ceil(4), Kind::Bf16),
        (tokens / 4, 16 * tokens, heads, Kind::Bf16),
        (tokens / 4, 16 * tokens, heads.div_ceil(4), Kind::Bf16),
        (1, tokens, heads, Kind::Bf16),
    ];
    for (tokens, shared, kv_heads, kind) in cases {
        let batch = Batch::new(device, prompts, tokens, shared, 1)?;
        let q = filler.rows(device, Kind::F32, batch.rows, heads * head_dim, 1.0)?;
        let k = filler.rows(device, kind, batch.rows + shared, kv_heads * head_dim, 1.0)?;
        let v = filler.rows(device, kind, batch.rows + shared, kv_heads * head_dim, 1.0)?;
        let attend = || device.attention(&q, &k, &v, &batch.attended, shape, Kind::Bf16).map(drop);
        let time = milliseconds(device, shapes.repeats, attend)?;
        let seen = prompts * tokens * shared + prompts * tokens * (tokens + 1) / 2;
        let operations = 4.0 * seen as f64 * (heads * head_dim) as f64;
        report.row(&[
            format!("{prompts} x {tokens}"),
            shared.to_string(),
            kv_heads.to_string(),
            format!("{kind:?}"),
            format!("{time:.3}"),
            format!("{:.0}", operations / time / 1e6),
        ]);
    }
    Ok(())
}

pub fn read_out(device: &Device, shapes: &Shapes, filler: &mut Filler, report: &mut Report) -> Result<()> {
    let rows = shapes.read_rows;
    report.table(
        &format!("Read-out of {rows} rows, one token asked of each; with its read-back"),
        &["vocabulary", "tokens of a slice", "logits held", "ms", "ms of one product alone"],
    );
    let x = filler.rows(device, Kind::Bf16, rows, shapes.hidden, 1.0)?;
    for vocabulary in shapes.vocabularies {
        let weights = filler.rows(device, Kind::Bf16, vocabulary, shapes.hidden, 0.02)?;
        let tokens: Vec<[u32; 1]> = (0..rows).map(|row| [(row * 31 % vocabulary) as u32]).collect();
        let tokens: Vec<&[u32]> = tokens.iter().map(|token| &token[..]).collect();
        let wanted = Wanted::of(device, &tokens)?;
        let product = milliseconds(device, shapes.repeats, || device.linear(&x, &weights, None, None).map(drop))?;
        for (slice, memory) in [(vocabulary, usize::MAX), (16384, usize::MAX), (16384, 0)] {
            let head = ReadOut { weights: weights.clone(), bias: None, softcap: None, slice, memory };
            let time = milliseconds(device, shapes.repeats, || device.read_out(&x, &head, &wanted).map(drop))?;
            let held = if memory > 0 { "all" } else { "a slice" };
            let cells = [vocabulary.to_string(), slice.min(vocabulary).to_string(), held.to_owned()];
            report.row(&[&cells[..], &[format!("{time:.3}"), format!("{product:.3}")]].concat());
        }
    }
    Ok(())
}

/// Kernels that move bytes: the rate counts each input read once and each output written once.
pub fn memory_bound(device: &Device, shapes: &Shapes, filler: &mut Filler, report: &mut Report) -> Result<()> {
    report.table("Kernels that move bytes", &["kernel", "ms", "GB/s"]);
    let rows = shapes.prompts * shapes.tokens;
    let wide = filler.rows(device, Kind::F32, rows, shapes.inner, 1.0)?;
    let x = filler.rows(device, Kind::F32, rows, shapes.hidden, 1.0)?;
    let (of_wide, of_x) = ((rows * shapes.inner) as f64, (rows * shapes.hidden) as f64);
    let weight = Vector::of(device, &vec![1.0; shapes.hidden])?;
    let norm = Norm { kind: NormKind::Rms, eps: 1e-5, weight, bias: None };
    let mut measure = |name: &str, bytes: f64, work: &dyn Fn() -> Result<Rows>| -> Result<()> {
        let time = milliseconds(device, shapes.repeats, || work().map(drop))?;
        report.row(&[name.to_owned(), format!("{time:.4}"), format!("{:.0}", bytes / time / 1e6)]);
        Ok(())
    };
    measure("add, f32", 12.0 * of_x, &|| device.add(&x, &x))?;
    measure("norm to bf16", 6.0 * of_x, &|| device.normalise(&x, &norm, Kind::Bf16))?;
    measure("gated silu to bf16", 10.0 * of_wide, &|| device.gated(&wide, &wide, Activation::Silu, Kind::Bf16))?;
    measure("gated gelu to bf16", 10.0 * of_wide, &|| device.gated(&wide, &wide, Activation::Gelu, Kind::Bf16))?;
    measure("f32 to bf16", 6.0 * of_wide, &|| device.convert(&wide, Kind::Bf16))?;
    Ok(())
}

pub fn launches(device: &Device, report: &mut Report) -> Result<()> {
    report.table("Launches", &["what", "microseconds each"]);
    let x = Rows::zeros(device, Kind::F32, 1, 4)?;
    let many = 1000;
    for _ in 0..2 {
        device.add(&x, &x)?;
    }
    device.synchronise()?;
    let (from, clock) = (device.mark()?, Instant::now());
    for _ in 0..many {
        device.add(&x, &x)?;
    }
    let asked = clock.elapsed().as_secs_f64();
    let done = device.milliseconds(&from, &device.mark()?)?;
    report.row(&[
        "a tiny kernel with its memory, time of the processor".into(),
        format!("{:.2}", asked * 1e6 / f64::from(many)),
    ]);
    report.row(&[
        "a tiny kernel with its memory, time of the device".into(),
        format!("{:.2}", done * 1e3 / f64::from(many)),
    ]);
    let w = Rows::zeros(device, Kind::Bf16, 16, 16)?;
    let x = Rows::zeros(device, Kind::Bf16, 16, 16)?;
    device.linear(&x, &w, None, None)?;
    device.synchronise()?;
    let clock = Instant::now();
    for _ in 0..many {
        device.linear(&x, &w, None, None)?;
    }
    let asked = clock.elapsed().as_secs_f64();
    device.synchronise()?;
    report.row(&["a tiny product, time of the processor".into(), format!("{:.2}", asked * 1e6 / f64::from(many))]);
    let clock = Instant::now();
    for _ in 0..100 {
        x.to_host()?;
    }
    report.row(&["reading 512 bytes back".into(), format!("{:.2}", clock.elapsed().as_secs_f64() * 1e4)]);
    Ok(())
}

pub fn uploads(device: &Device, shapes: &Shapes, report: &mut Report) -> Result<()> {
    report.table(&format!("Uploads of {} MB", shapes.upload_bytes >> 20), &["from", "ms", "GB/s"]);
    let bytes = shapes.upload_bytes;
    let (rows, width) = (bytes / 256, 128);
    let mut row = |name: &str, seconds: f64| {
        report.row(&[name.to_owned(), format!("{:.2}", seconds * 1e3), format!("{:.1}", bytes as f64 / seconds / 1e9)]);
    };
    let host = vec![1u8; bytes];
    let mut pinned = Pinned::new(device, bytes)?;
    pinned.bytes_mut()?.copy_from_slice(&host);
    for first in [true, false] {
        device.synchronise()?;
        let clock = Instant::now();
        Rows::of_stored(device, Kind::Bf16, &host, rows, width)?;
        device.synchronise()?;
        let ordinary = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        Rows::of_pinned(device, Kind::Bf16, &mut pinned, rows, width)?;
        let asked = clock.elapsed().as_secs_f64();
        device.synchronise()?;
        let locked = clock.elapsed().as_secs_f64();
        if !first {
            row("ordinary memory, through the ring", ordinary);
            row("page-locked memory", locked);
            row("page-locked memory, until the call returns", asked);
        }
    }
    Ok(())
}
