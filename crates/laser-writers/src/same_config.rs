//! Whether what was written says of the model what the source says.

use std::{fmt::Debug, path::Path};

use laser_checkpoint::{Checkpoint, CheckpointError, Config};

use crate::error::{Result, WriteError};

/// Reads what lies at `written` and refuses it, by `refusal` of why, if it is another model than
/// `checkpoint`.
pub(crate) fn check(checkpoint: &Checkpoint, written: &Path, refusal: &dyn Fn(&str) -> WriteError) -> Result<()> {
    let unread = |error: CheckpointError| refusal(&format!("what was written could not be read: {error}"));
    let written = Checkpoint::open(written).map_err(unread)?;
    match differences(checkpoint.config(), written.config()).first() {
        None => Ok(()),
        Some((what, own, read)) => {
            Err(refusal(&format!("its {what} would be read as {read}, and the model has {own}")))
        }
    }
}

/// What decides a forward pass and differs, beyond the rounding of f32.
fn differences(a: &Config, b: &Config) -> Vec<(&'static str, String, String)> {
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs().max(b.abs());
    let same_if = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => same(a, b),
        _ => a.is_none() && b.is_none(),
    };
    // A window as long as the context is none.
    let windows = |config: &Config| -> Vec<Option<usize>> {
        config.windows.iter().map(|window| window.filter(|&window| window < config.context_length)).collect()
    };
    let heads = |config: &Config| [config.heads, config.kv_heads, config.head_dim];
    let mut found = Vec::new();
    let mut differ = |what, same: bool, a: &dyn Debug, b: &dyn Debug| {
        if !same {
            found.push((what, format!("{a:?}"), format!("{b:?}")));
        }
    };
    differ("heads", heads(a) == heads(b), &heads(a), &heads(b));
    differ("windows", windows(a) == windows(b), &a.windows, &b.windows);
    differ("rotary positions", same_rotation(a, b), &a.rotary, &b.rotary);
    differ("activation", a.activation == b.activation, &a.activation, &b.activation);
    differ("residual layout", a.residual == b.residual, &a.residual, &b.residual);
    differ("layers with rotary positions", a.rotated == b.rotated, &a.rotated, &b.rotated);
    differ("experts", a.experts == b.experts, &a.experts, &b.experts);
    for (what, a, b) in [
        ("distance bias", a.alibi, b.alibi),
        ("embedding scale", a.embedding_scale, b.embedding_scale),
        ("residual scale", a.residual_scale, b.residual_scale),
        ("logit scale", a.logit_scale, b.logit_scale),
        ("norm epsilon", Some(a.norm_eps), Some(b.norm_eps)),
        ("attention scale", Some(a.attention_scale), Some(b.attention_scale)),
        ("attention soft cap", a.attention_softcap, b.attention_softcap),
        ("final soft cap", a.final_softcap, b.final_softcap),
    ] {
        differ(what, same_if(a, b), &a, &b);
    }
    found
}

/// Whether queries and keys turn alike, and are stretched alike.
fn same_rotation(a: &Config, b: &Config) -> bool {
    let numbers = |config: &Config| -> Vec<f32> {
        let rotary = config.rotary.iter().chain(&config.local_rotary);
        rotary.flat_map(|rotary| [vec![rotary.amplitude()], rotary.inverse_frequencies()].concat()).collect()
    };
    let (a, b) = (numbers(a), numbers(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-4 * a.abs())
}
