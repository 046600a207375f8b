//! `laser inspect`: what a checkpoint is, and what the singular values of its matrices look like.

use crate::bar::Bar;
use crate::cli::{Global, InspectOptions};
use crate::output;
use laser::{SpectraCache, layers_of, matrices_of};
use laser_checkpoint::{Checkpoint, Precision};
use laser_edit::MatrixId;
use laser_linalg::Spectrum;
use laser_matrix::Rho;
use laser_report::aligned;
use laser_run::Progress;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A matrix that can be reduced.
struct Found {
    layer: usize,
    matrix: MatrixId,
    shape: [usize; 2],
    precision: Precision,
    spectrum: Option<Spectrum>,
}

pub fn run(options: &InspectOptions, global: &Global) -> anyhow::Result<()> {
    let progress = Bar::new(global.quiet);
    let checkpoint = options.checkpoint.source().open(&progress)?;
    let config = checkpoint.config();
    let layers = layers_of(&options.layers, config.layers)?;
    let matrices = matrices_of(&options.matrices, config)?;
    let matrices: Vec<MatrixId> = matrices.iter().flat_map(|matrix| matrix.each(config)).collect();
    let mut found = Vec::new();
    for &layer in &layers {
        for &matrix in &matrices {
            let shape = matrix.kind.shape(config);
            let precision = checkpoint.precision(layer, matrix)?;
            found.push(Found { layer, matrix, shape, precision, spectrum: None });
        }
    }
    if options.spectrum {
        compute(&checkpoint, &mut found, &progress)?;
    }
    if global.json {
        return output::print_json(&document(&checkpoint, &found, &options.rho));
    }
    output::print(&text(&checkpoint, &found, &options.rho))
}

/// Several matrices at once.
fn compute(checkpoint: &Checkpoint, found: &mut [Found], progress: &Bar) -> anyhow::Result<()> {
    let cache = SpectraCache::open();
    progress.start("spectra", found.len(), 0);
    let result = found.par_iter_mut().try_for_each(|found| {
        found.spectrum = Some(cache.spectrum(checkpoint, found.layer, found.matrix)?);
        progress.advance(1);
        anyhow::Ok(())
    });
    progress.finish();
    result
}

fn document(checkpoint: &Checkpoint, found: &[Found], rhos: &[Rho]) -> Value {
    let config = checkpoint.config();
    let matrices: Vec<Value> = found
        .iter()
        .map(|found| {
            let [rows, cols] = found.shape;
            let mut one = json!({
                "layer": found.layer, "matrix": found.matrix, "shape": found.shape,
                "precision": found.precision.name(), "parameters": rows * cols,
            });
            if let Some(spectrum) = &found.spectrum {
                one["spectrum"] = of_spectrum(spectrum, rhos);
            }
            one
        })
        .collect();
    json!({
        "model": crate::output::shown(checkpoint.path()),
        "family": checkpoint.architecture().family,
        "layers": config.layers,
        "hidden_size": config.hidden_size,
        "heads": config.heads,
        "kv_heads": config.kv_heads,
        "vocabulary": config.vocab_size,
        "context_length": config.context_length,
        "experts": config.experts.map(|experts| experts.count),
        "masked": config.masked,
        "reducible_parameters": found.iter().map(|found| found.shape[0] * found.shape[1]).sum::<usize>(),
        "matrices": matrices,
    })
}

fn of_spectrum(spectrum: &Spectrum, rhos: &[Rho]) -> Value {
    let noise = spectrum.noise_edge();
    let at: Vec<Value> = rhos
        .iter()
        .map(|&rho| {
            let size = spectrum.factored_size(rho);
            json!({"rho": rho.get(), "rank": size.rank, "energy": spectrum.energy_kept(rho), "saved": size.saved()})
        })
        .collect();
    json!({
        "largest": spectrum.singular_values().first(),
        "effective_rank": spectrum.effective_rank(),
        "stable_rank": spectrum.stable_rank(),
        "alpha": spectrum.power_law_alpha(),
        "noise_sigma": noise.sigma,
        "noise_edge": noise.edge,
        "noise_threshold": noise.threshold,
        "above_noise": noise.rank,
        "at": at,
    })
}

fn text(checkpoint: &Checkpoint, found: &[Found], rhos: &[Rho]) -> String {
    let config = checkpoint.config();
    let mut text = String::new();
    let experts = config.experts.map(|experts| format!(", {} experts", experts.count)).unwrap_or_default();
    let masked = if config.masked { ", masked" } else { "" };
    let _ = writeln!(
        text,
        "{}: {} layers{experts}{masked}, width {}, {} heads ({} key/value), vocabulary {}, context {}\n",
        checkpoint.architecture().family,
        config.layers,
        config.hidden_size,
        config.heads,
        config.kv_heads,
        config.vocab_size,
        config.context_length
    );
    let with_spectra = found.iter().any(|found| found.spectrum.is_some());
    text.push_str(&if with_spectra { spectra(found, rhos) } else { shapes(found) });
    let parameters: usize = found.iter().map(|found| found.shape[0] * found.shape[1]).sum();
    let _ = writeln!(text, "\n{} matrices, {parameters} parameters", found.len());
    if with_spectra {
        text.push_str("\nParameters that rank-r factors would save, by shape and rho:\n\n");
        text.push_str(&savings(found, rhos));
    }
    text
}

/// One line for the layers that have the same matrix in the same shape and precision.
fn shapes(found: &[Found]) -> String {
    type Key = (MatrixId, [usize; 2], Precision);
    let mut groups: Vec<(Key, Vec<usize>)> = Vec::new();
    for one in found {
        let key = (one.matrix, one.shape, one.precision);
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, layers)) => layers.push(one.layer),
            None => groups.push((key, vec![one.layer])),
        }
    }
    let mut lines = vec![["matrix", "layers", "shape", "precision", "parameters each"].map(str::to_owned).to_vec()];
    for ((matrix, [rows, cols], precision), layers) in groups {
        let shape = format!("{rows} x {cols}");
        lines.push(vec![matrix.to_string(), ranges(&layers), shape, precision.to_string(), (rows * cols).to_string()]);
    }
    aligned(&lines)
}

/// `0-3,7` for 0, 1, 2, 3 and 7.
fn ranges(layers: &[usize]) -> String {
    let runs = layers.chunk_by(|a, b| a + 1 == *b);
    let texts: Vec<String> = runs
        .map(|run| match run {
            [first, .., last] => format!("{first}-{last}"),
            one => one.iter().map(usize::to_string).collect(),
        })
        .collect();
    texts.join(",")
}

fn spectra(found: &[Found], rhos: &[Rho]) -> String {
    let header = ["matrix", "shape", "precision", "effective rank", "stable rank", "alpha", "noise edge", "above it"];
    let energy = rhos.iter().map(|rho| format!("energy {}", rho.get()));
    let mut lines: Vec<Vec<String>> = vec![header.iter().map(|&name| name.to_owned()).chain(energy).collect()];
    for one in found {
        let Some(spectrum) = &one.spectrum else { continue };
        let noise = spectrum.noise_edge();
        let mut line = vec![
            format!("{}.{}", one.layer, one.matrix),
            format!("{} x {}", one.shape[0], one.shape[1]),
            one.precision.to_string(),
            format!("{:.1}", spectrum.effective_rank()),
            format!("{:.1}", spectrum.stable_rank()),
            spectrum.power_law_alpha().map_or_else(String::new, |alpha| format!("{alpha:.2}")),
            format!("{:.4}", noise.edge),
            noise.rank.to_string(),
        ];
        line.extend(rhos.iter().map(|&rho| format!("{:.1} %", 100.0 * spectrum.energy_kept(rho))));
        lines.push(line);
    }
    aligned(&lines)
}

fn savings(found: &[Found], rhos: &[Rho]) -> String {
    let mut by_shape: BTreeMap<[usize; 2], &Spectrum> = BTreeMap::new();
    by_shape.extend(found.iter().filter_map(|found| Some((found.shape, found.spectrum.as_ref()?))));
    let header = rhos.iter().map(|rho| rho.get().to_string());
    let mut lines: Vec<Vec<String>> = vec![["shape".to_owned()].into_iter().chain(header).collect()];
    for ([rows, cols], spectrum) in by_shape {
        let saved = |rho: &Rho| format!("{:.0} %", 100.0 * spectrum.factored_size(*rho).saved());
        lines.push([format!("{rows} x {cols}")].into_iter().chain(rhos.iter().map(saved)).collect());
    }
    aligned(&lines)
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn layers_in_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 3, 7, 9, 10]), "0-3,7,9-10");
        assert_eq!(ranges(&[5]), "5");
    }
}
