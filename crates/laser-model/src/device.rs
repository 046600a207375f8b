use crate::{Error, Result};
use std::str::FromStr;

/// Where the forward pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor, with all threads of the global thread pool.
    #[default]
    Cpu,
    /// The first CUDA device; needs the `cuda` feature.
    Cuda,
    /// The first Metal device; needs the `metal` feature.
    Metal,
}

impl DeviceKind {
    /// `cpu`, `cuda` or `metal`.
    pub fn name(self) -> &'static str {
        match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Cuda => "cuda",
            DeviceKind::Metal => "metal",
        }
    }

    /// Opens the device.
    pub fn open(self) -> Result<candle_core::Device> {
        let device = match self {
            DeviceKind::Cpu => Ok(candle_core::Device::Cpu),
            DeviceKind::Cuda => candle_core::Device::new_cuda(0),
            DeviceKind::Metal => candle_core::Device::new_metal(0),
        };
        device.map_err(|error| Error::Device {
            device: self.name(),
            why: error.to_string().lines().next().unwrap_or_default().to_owned(),
        })
    }
}

impl FromStr for DeviceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [DeviceKind::Cpu, DeviceKind::Cuda, DeviceKind::Metal]
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("`{text}` is no device: choose cpu, cuda or metal"))
    }
}
