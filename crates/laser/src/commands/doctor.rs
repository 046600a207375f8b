//! `laser doctor`: what this machine has, and how a model fits it.

use super::dry_run::gigabytes;
use crate::bar::Bar;
use crate::cli::{DoctorOptions, Global};
use crate::output;
use laser::{Machine, ModelFit, ModelSource};
use laser_report::quoted;
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::Write;

/// What a machine has, as the program prints it.
#[derive(Serialize, JsonSchema)]
pub struct DoctorDocument {
    /// This machine.
    machine: Machine,
    /// How the model fits it, if one was named.
    model: Option<ModelFit>,
}

pub fn run(options: &DoctorOptions, global: &Global) -> anyhow::Result<()> {
    let fit = match &options.model {
        Some(model) => Some(ModelFit::of(&ModelSource::from(model.as_path()), &Bar::new(global.quiet))?),
        None => None,
    };
    let machine = Machine::look();
    if global.json {
        return output::print_json(&DoctorDocument { machine, model: fit });
    }
    let model = options.model.as_ref().map(|model| model.display().to_string());
    output::print(&text(&machine, fit.as_ref().zip(model.as_deref())))
}

/// With fewer megabytes for activations a search is slow.
const LEAST_MEMORY: usize = 100;

fn text(machine: &Machine, fit: Option<(&ModelFit, &str)>) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: String| {
        let _ = writeln!(text, "{name:<12}{what}");
    };
    line("laser", machine.version.to_owned());
    line("processor", format!("{} threads, kernels {}", machine.threads, machine.kernel_path));
    line("memory", format!("{}, {} free", gigabytes(machine.memory), gigabytes(machine.free_memory)));
    let gpu = &machine.gpu;
    match (&gpu.kernel_path, &gpu.why_not) {
        (Some(path), _) => line("gpu", path.clone()),
        (None, why) => line("gpu", format!("none: {}", why.as_deref().unwrap_or("it cannot be opened"))),
    }
    for (library, place) in &gpu.libraries {
        line("", format!("{library}: {}", place.as_deref().unwrap_or("not found")));
    }
    let hub = &machine.hub;
    let free = hub.free.map_or_else(String::new, |bytes| format!(", {} free", gigabytes(bytes as usize)));
    let token = if hub.has_token { "with a token" } else { "no token" };
    let offline = if hub.offline { ", offline: only what is there is used" } else { "" };
    line("hub", format!("{}, {token}{offline}", hub.endpoint));
    line("cache", format!("{}{free}", hub.cache.display()));
    if let Some((fit, model)) = fit {
        of_model(&mut line, fit, machine, model);
    }
    text
}

fn of_model(line: &mut impl FnMut(&str, String), fit: &ModelFit, machine: &Machine, model: &str) {
    line("", String::new());
    line("model", format!("{}, {} layers", fit.family, fit.layers));
    let memory = match fit.on_disk {
        true => {
            format!("{} in memory; its layers stay on disk, and are read as they are used", gigabytes(fit.in_memory))
        }
        false => format!("{} in memory, in f32", gigabytes(fit.in_memory)),
    };
    line("weights", memory);
    let rate = format!("{:.0} GFLOP/s in a product like its largest", fit.flops / 1e9);
    let reading = if fit.on_disk { ", and what reading them takes" } else { "" };
    line("speed", format!("{rate}: {:.2} ms a token through all layers{reading}", 1000.0 * fit.token_seconds));
    let kept = machine.memory / 4;
    if fit.in_memory + kept > machine.free_memory {
        let left = machine.free_memory.saturating_sub(fit.in_memory) / 2 / 1_000_000;
        line(
            "advice",
            match left {
                0..LEAST_MEMORY => "its weights hardly fit what is free: close other programs first".to_owned(),
                _ => format!("little memory is free: add --memory {left}MB to a search"),
            },
        );
    }
    line("next", format!("laser search {} --task TASK --out RUN --dry-run", quoted(model)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser::{Gpu, HubState};

    #[test]
    fn a_machine_and_a_model_are_told_in_lines() {
        let machine = Machine {
            version: "1.2.3",
            kernel_path: "cpu avx512".to_owned(),
            threads: 8,
            memory: 16_000_000_000,
            free_memory: 4_000_000_000,
            gpu: Gpu {
                kernel_path: None,
                why_not: Some("libcuda.so.1 was not found".to_owned()),
                libraries: vec![("libcuda.so.1", None), ("libnvrtc.so.13", Some("/x/libnvrtc.so.13".to_owned()))],
            },
            hub: HubState {
                endpoint: "https://huggingface.co".to_owned(),
                cache: "/home/me/.cache/huggingface/hub".into(),
                free: Some(34_000_000_000),
                has_token: true,
                offline: false,
            },
        };
        let fit = ModelFit {
            family: "llama".to_owned(),
            layers: 30,
            weights: 106_000_000,
            in_memory: 650_000_000,
            on_disk: false,
            flops: 4.4e11,
            token_seconds: 0.000_48,
        };
        let expected = "\
laser       1.2.3
processor   8 threads, kernels cpu avx512
memory      16.0 GB, 4.0 GB free
gpu         none: libcuda.so.1 was not found
            libcuda.so.1: not found
            libnvrtc.so.13: /x/libnvrtc.so.13
hub         https://huggingface.co, with a token
cache       /home/me/.cache/huggingface/hub, 34.0 GB free

model       llama, 30 layers
weights     0.7 GB in memory, in f32
speed       440 GFLOP/s in a product like its largest: 0.48 ms a token through all layers
advice      little memory is free: add --memory 1675MB to a search
next        laser search m.gguf --task TASK --out RUN --dry-run
";
        let found = text(&machine, Some((&fit, "m.gguf")));
        let found: Vec<&str> = found.lines().map(str::trim_end).collect();
        assert_eq!(found, expected.lines().collect::<Vec<_>>());
        let odd = text(&machine, Some((&fit, "it's $(mine)")));
        assert!(odd.contains(r"laser search 'it'\''s $(mine)' --task TASK"), "{odd}");
    }
}
