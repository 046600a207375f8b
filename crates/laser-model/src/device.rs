use crate::{Error, Result};
use laser_kernels::{Cpu, Reference};
use std::str::FromStr;

/// Where the forward pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor, with all threads of the global thread pool.
    #[default]
    Cpu,
    /// The first CUDA device; no build has this yet.
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
    ///
    /// # Errors
    /// If this build or this machine does not have it.
    pub fn open(self) -> Result<Device> {
        let device = self.name();
        match self {
            DeviceKind::Cpu => Ok(Device::Cpu(Cpu)),
            DeviceKind::Cuda => Err(Error::Device {
                device,
                why: "this build has no GPU path yet".to_owned(),
                advice: "choose --device cpu",
            }),
            DeviceKind::Metal => Reference::metal().map(Device::Metal).map_err(|error| Error::Device {
                device,
                why: error.to_string().lines().next().unwrap_or_default().to_owned(),
                advice: "choose --device cpu, or build with --features metal",
            }),
        }
    }
}

/// An open device, by the backend that computes on it.
#[derive(Debug, Clone)]
pub enum Device {
    /// The processor.
    Cpu(Cpu),
    /// A Metal device.
    Metal(Reference),
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
