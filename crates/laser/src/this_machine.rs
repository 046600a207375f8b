//! What this machine has, and how a model fits it.

use crate::dry_run::weights_in_memory;
use crate::error::Result;
use crate::loaded_model::WEIGHTS_IN_MEMORY;
use crate::machine_memory::MachineMemory;
use crate::model_source::ModelSource;
use laser_checkpoint::Config;
use laser_cuda::library::{Found, Library};
use laser_hub::Hub;
use laser_kernels::{Backend, Cpu, Linear, Precision};
use laser_matrix::Matrix;
use laser_model::{Device, DeviceKind, layer_bytes};
use laser_run::Progress;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// How long a product is repeated to see how fast it is, in seconds.
const TRIED_SECONDS: f64 = 0.3;
/// Rows of that product.
const TRIED_ROWS: usize = 256;

/// What this machine has.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Machine {
    /// Of this program.
    pub version: &'static str,
    /// What decides the bits of results on the processor: its instruction set.
    pub kernel_path: String,
    /// Threads that are computed with.
    pub threads: usize,
    /// Bytes of memory, or what this process's container may take.
    pub memory: usize,
    /// Bytes of it that are free.
    pub free_memory: usize,
    /// The GPU that `--device cuda` would take, or why there is none.
    pub gpu: Gpu,
    /// What is fetched from the hub, and where to.
    pub hub: HubState,
}

/// A GPU.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Gpu {
    /// What decides the bits of its results; none if it cannot be used.
    pub kernel_path: Option<String>,
    /// Why it cannot.
    pub why_not: Option<String>,
    /// NVIDIA's libraries, and where each was found.
    pub libraries: Vec<(&'static str, Option<String>)>,
}

/// The Hugging Face hub, as this machine is set up for it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HubState {
    /// Its address, without the name and password that it may hold.
    pub endpoint: String,
    /// Where models and data sets are kept.
    pub cache: PathBuf,
    /// Bytes that are free there.
    pub free: Option<u64>,
    /// Whether there is a token. It is shown nowhere.
    pub has_token: bool,
    /// Whether only the cache is used.
    pub offline: bool,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        let memory = MachineMemory::look();
        let hub = Hub::from_env();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel_path: Cpu.kernel_path(),
            threads: rayon::current_num_threads(),
            memory: memory.total,
            free_memory: memory.free,
            gpu: gpu(),
            hub: HubState {
                free: free_bytes(&hub.cache),
                has_token: hub.token.is_some(),
                endpoint: without_user(&hub.endpoint),
                cache: hub.cache,
                offline: hub.offline,
            },
        }
    }
}

/// An address without what stands before an `@` in it: a name, and perhaps a password.
fn without_user(address: &str) -> String {
    let (scheme, rest) = match address.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None => (String::new(), address),
    };
    let host_ends = rest.find(['/', '\\', '?', '#']).unwrap_or(rest.len());
    let host_starts = rest[..host_ends].rfind('@').map_or(0, |place| place + 1);
    format!("{scheme}{}", &rest[host_starts..])
}

fn gpu() -> Gpu {
    let place = |library: Library| match library.open() {
        Ok(Found::ByName(name)) => Some(name),
        Ok(Found::File(path)) => Some(path.display().to_string()),
        Err(_) => None,
    };
    let libraries: Vec<_> = Library::ALL.into_iter().map(|library| (library.file_name(), place(library))).collect();
    // Where it was looked for is told by a command that needs it.
    let missing = libraries.iter().find(|(_, place)| place.is_none()).map(|(name, _)| format!("{name} was not found"));
    let (kernel_path, why_not) = match DeviceKind::Cuda.open() {
        Ok(Device::Cuda(cuda)) => (Some(cuda.kernel_path()), None),
        Ok(_) => (None, missing),
        Err(error) => (None, Some(missing.unwrap_or_else(|| error.to_string()))),
    };
    Gpu { kernel_path, why_not, libraries }
}

/// Bytes that are free where `path` is or would be.
fn free_bytes(path: &Path) -> Option<u64> {
    let there = path.ancestors().find(|path| path.exists())?;
    #[cfg(unix)]
    {
        let found = rustix::fs::statvfs(there).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
    #[cfg(not(unix))]
    {
        let _ = there;
        None
    }
}

/// How a model fits this machine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ModelFit {
    /// The family.
    pub family: String,
    /// Layers.
    pub layers: usize,
    /// Weights of all layers that a token goes through.
    pub weights: usize,
    /// Bytes that stay in memory, in f32.
    pub in_memory: usize,
    /// Whether the layers stay on disk, and are read each time they are used.
    pub on_disk: bool,
    /// What a product of the size of its largest matrix reached on the processor, in floating-point operations a second.
    pub flops: f64,
    /// Seconds that a token takes through all layers at that rate, among many others.
    pub token_seconds: f64,
}

impl ModelFit {
    /// Opens a model, without loading it, and times one product.
    ///
    /// # Errors
    /// If the model cannot be fetched, or is not one that this version reads.
    pub fn of(model: &ModelSource, progress: &dyn Progress) -> Result<Self> {
        let checkpoint = model.open(progress)?;
        let config = checkpoint.config();
        let weights = token_weights(config);
        let flops = product_speed(config)?;
        Ok(Self {
            family: checkpoint.architecture().family.clone(),
            layers: config.layers,
            weights,
            in_memory: weights_in_memory(config, WEIGHTS_IN_MEMORY),
            on_disk: layer_bytes(config).saturating_mul(config.layers) > WEIGHTS_IN_MEMORY,
            flops,
            token_seconds: 2.0 * weights as f64 / flops,
        })
    }
}

/// The weights that one token goes through; of a mixture of experts those of the experts that it is sent to.
fn token_weights(config: &Config) -> usize {
    let of_kind = |kind: &laser_edit::MatrixKind| {
        let [rows, cols] = kind.shape(config);
        rows * cols * config.experts_of(*kind).map_or(1, |experts| experts.per_token)
    };
    config.matrices.iter().map(of_kind).sum::<usize>() * config.layers
}

/// Floating-point operations a second of products with a matrix like the model's largest.
fn product_speed(config: &Config) -> Result<f64> {
    let largest = config.matrices.iter().map(|kind| kind.shape(config)).max_by_key(|[rows, cols]| rows * cols);
    let [outputs, inputs] = largest.unwrap_or([1, 1]).map(|size| size.min(4096));
    let weight = Cpu.weight(&Matrix::zeros(outputs, inputs), Precision::F32).map_err(laser_model::Error::from)?;
    let linear = Linear { weight: Arc::new(weight), bias: None };
    let x = Cpu.rows(vec![1.0; TRIED_ROWS * inputs], inputs).map_err(laser_model::Error::from)?;
    let (start, mut flops) = (Instant::now(), 0.0);
    while start.elapsed().as_secs_f64() < TRIED_SECONDS {
        Cpu.linear(&x, &linear).map_err(laser_model::Error::from)?;
        flops += 2.0 * (TRIED_ROWS * inputs * outputs) as f64;
    }
    Ok(flops / start.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (address, shown) in [
            ("https://huggingface.co", "https://huggingface.co"),
            ("http://user:hunter2@host:80/a@b", "http://host:80/a@b"),
            ("http://u:p@q@host?x@y", "http://host?x@y"),
            ("user:hunter2@host", "host"),
            ("", ""),
            ("http://@", "http://"),
        ] {
            assert_eq!(without_user(address), shown);
        }
    }
}
