use crate::{Error, Result};
use laser_cuda::Cuda;
use laser_kernels::{Cpu, Reference};
use std::str::FromStr;

/// Where the forward pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceKind {
    /// The processor, with all threads of the global thread pool.
    #[default]
    Cpu,
    /// The first NVIDIA GPU. Its libraries are looked for when it is opened.
    Cuda,
    /// The first Metal device; needs the `metal` feature.
    Metal,
    /// The first NVIDIA GPU if it can be used, otherwise the processor.
    Auto,
}

impl DeviceKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cpu, Self::Cuda, Self::Metal, Self::Auto];

    /// `cpu`, `cuda`, `metal` or `auto`.
    pub fn name(self) -> &'static str {
        match self {
            DeviceKind::Cpu => "cpu",
            DeviceKind::Cuda => "cuda",
            DeviceKind::Metal => "metal",
            DeviceKind::Auto => "auto",
        }
    }

    /// Opens the device.
    ///
    /// # Errors
    /// If this build or this machine does not have it: one line that says what is missing.
    pub fn open(self) -> Result<Device> {
        let device = self.name();
        match self {
            DeviceKind::Cpu => Ok(Device::Cpu(Cpu)),
            DeviceKind::Cuda => Cuda::gpu(0).map(Device::Cuda).map_err(|error| Error::Device {
                device,
                why: error.to_string().lines().collect::<Vec<_>>().join(" "),
                advice: "choose --device cpu",
            }),
            DeviceKind::Metal => Reference::metal().map(Device::Metal).map_err(|error| Error::Device {
                device,
                why: error.to_string().lines().next().unwrap_or_default().to_owned(),
                advice: "choose --device cpu, or build with --features metal",
            }),
            DeviceKind::Auto => Ok(Cuda::gpu(0).map_or(Device::Cpu(Cpu), Device::Cuda)),
        }
    }
}

/// An open device, by the backend that computes on it.
#[derive(Debug, Clone)]
pub enum Device {
    /// The processor.
    Cpu(Cpu),
    /// An NVIDIA GPU.
    Cuda(Cuda),
    /// A Metal device.
    Metal(Reference),
}

impl Device {
    /// What was opened.
    pub fn kind(&self) -> DeviceKind {
        match self {
            Device::Cpu(_) => DeviceKind::Cpu,
            Device::Cuda(_) => DeviceKind::Cuda,
            Device::Metal(_) => DeviceKind::Metal,
        }
    }
}

impl FromStr for DeviceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = DeviceKind::ALL.into_iter().find(|kind| kind.name() == text);
        kind.ok_or_else(|| format!("`{text}` is not a device: choose cpu, cuda, metal or auto"))
    }
}
