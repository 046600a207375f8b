//! A block's operations on NVIDIA GPUs.
//!
//! No toolkit is needed to build this, and no driver to start: libraries are opened when a device is asked for, and kernels
//! are compiled at first use. Activations are f32; weights, keys and values are as they are stored. A row's result depends on
//! that row's inputs alone, to the last bit.
//!
//! - [`library`], [`compile`], [`sources`]: finding NVIDIA's libraries, and kernels from source to machine code.
//! - [`platform`]: what operations stand on. [`gpu`] is a GPU; [`shim`] runs the same sources on this machine's processor.
//! - [`Device`], [`Rows`], [`RowTable`], [`Pinned`]: memory.
//! - [`operations`]: methods of [`Device`], some fifteen. [`verify`] holds them against plain formulas.

mod buffer;
pub mod compile;
mod device;
mod driver_error;
mod error;
pub mod gpu;
pub mod library;
mod matmul;
pub mod operations;
pub mod platform;
pub mod shim;
pub mod sources;
mod staging;
pub mod verify;

pub use buffer::{Indices, Pinned, RowTable, Rows, Vector, rounded};
pub use device::Device;
pub use error::{Error, Result};
pub use platform::Kind;
