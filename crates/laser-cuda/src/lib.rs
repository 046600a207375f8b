//! A block's operations on NVIDIA GPUs.
//!
//! No toolkit is needed to build this, and no driver to start: libraries are opened when a device is asked for, and kernels
//! are compiled at first use. Activations are f32; weights, keys and values are as they are stored. A row's result depends on
//! that row's inputs alone, to the last bit.
//!
//! - [`library`], [`compile`], [`sources`]: finding NVIDIA's libraries, and kernels from source to machine code.
//! - [`platform`]: what operations stand on. [`gpu`] is a GPU; [`shim`] runs the same sources on this machine's processor.
//! - [`Device`], [`Rows`], [`RowTable`], [`Pinned`]: memory.
//! - [`Cuda`]: a device as the backend of a model.
//! - [`operations`]: methods of [`Device`], some fifteen. [`verify`] holds them against plain formulas.

mod backend_handles;
mod buffer;
pub mod compile;
mod cuda_backend;
mod driver_error;
mod error;
pub mod gpu;
mod gpu_device;
pub mod library;
mod matmul;
pub mod operations;
mod pinned;
pub mod platform;
pub mod shim;
pub mod sources;
mod upload_ring;
pub mod verify;

pub use backend_handles::{CudaHead, CudaRows, CudaTable, CudaWeight};
pub use buffer::{Indices, RowTable, Rows, Vector, rounded};
pub use cuda_backend::Cuda;
pub use error::{Error, Result};
pub use gpu_device::Device;
pub use pinned::Pinned;
pub use platform::Kind;
