//! A device that operations are asked of, and the memory on it.

use crate::compile::Cache;
use crate::gpu::Gpu;
use crate::platform::{Argument, Mark, Memory, Platform};
use crate::sources;
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;

/// A device. Cloning shares it.
#[derive(Debug, Clone)]
pub struct Device {
    platform: Arc<dyn Platform>,
}

/// Threads of a block, where a kernel does not say otherwise.
pub(crate) const BLOCK: u32 = 256;

impl Device {
    /// The GPU of this number, counted from 0. Kernels are kept in the user's cache.
    ///
    /// # Errors
    /// One line that says what is missing: a library, a driver new enough, or the GPU.
    pub fn gpu(ordinal: usize) -> Result<Self> {
        Ok(Self::on(Gpu::new(ordinal, Cache::of_user())?))
    }

    /// Operations on a platform.
    pub fn on(platform: impl Platform + 'static) -> Self {
        Self { platform: Arc::new(platform) }
    }

    /// The device's name, and what kernels are compiled for.
    pub fn describe(&self) -> String {
        self.platform.describe()
    }

    /// What decides the bits of results: the device, what kernels are compiled for and by, the library of products.
    pub fn kernel_path(&self) -> String {
        self.platform.kernel_path()
    }

    /// Device memory, asked of the driver.
    ///
    /// # Errors
    /// If the driver refuses.
    pub fn memory(&self) -> Result<Memory> {
        self.platform.memory()
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// If some of the work failed.
    pub fn synchronise(&self) -> Result<()> {
        self.platform.synchronise()
    }

    /// Marks this moment in the order of the work.
    ///
    /// # Errors
    /// If the driver refuses.
    pub fn mark(&self) -> Result<Mark> {
        self.platform.mark()
    }

    /// Waits until the work before a mark is done.
    ///
    /// # Errors
    /// If some of the work failed.
    pub fn wait(&self, mark: &Mark) -> Result<()> {
        self.platform.wait(mark)
    }

    /// Milliseconds of device time from one mark to a later one, which is waited for.
    ///
    /// # Errors
    /// If some of the work failed.
    pub fn milliseconds(&self, from: &Mark, to: &Mark) -> Result<f64> {
        self.platform.milliseconds(from, to)
    }

    /// The products' algorithms chosen so far, a line each.
    pub fn algorithms(&self) -> Vec<String> {
        self.platform.algorithms()
    }

    /// That operands lie on this device: another's work is done in an order of its own.
    ///
    /// # Errors
    /// If one does not.
    pub(crate) fn owns<'a>(
        &self,
        operation: &'static str,
        operands: impl IntoIterator<Item = &'a Buffer>,
    ) -> Result<()> {
        match operands.into_iter().all(|operand| Arc::ptr_eq(&operand.device.platform, &self.platform)) {
            true => Ok(()),
            false => Err(Error::shape(operation, "an operand lies on another device")),
        }
    }

    pub(crate) fn platform(&self) -> &dyn Platform {
        &*self.platform
    }

    /// Launches a kernel, by name, whose declaration is held against the arguments.
    ///
    /// # Errors
    /// If the arguments are not of the kinds that the source declares, or the driver refuses.
    ///
    /// # Safety
    /// Given these arguments, the kernel reads and writes allocated memory only.
    pub(crate) unsafe fn launch(&self, name: &str, blocks: u32, threads: u32, arguments: &[Argument]) -> Result<()> {
        let given = arguments.iter().map(|argument| argument.kind());
        let Some(kernel) = sources::kernel(name) else {
            let (expected, found) = ("nothing: there is no such kernel".to_owned(), format!("{arguments:?}"));
            return Err(Error::Arguments { kernel: name.to_owned(), expected, found });
        };
        if !given.clone().eq(kernel.parameters.iter().copied()) {
            let expected = format!("{:?}", kernel.parameters);
            let found = format!("{:?}", given.collect::<Vec<_>>());
            return Err(Error::Arguments { kernel: name.to_owned(), expected, found });
        }
        if blocks == 0 {
            return Ok(());
        }
        // SAFETY: as the caller says, and the kinds are right.
        unsafe { self.platform.launch(kernel, blocks, threads, arguments) }
    }
}

/// Blocks of [`BLOCK`] threads for so many threads.
///
/// # Errors
/// If these are more than 2³², which kernels count in.
pub(crate) fn blocks(operation: &'static str, threads: usize) -> Result<u32> {
    match u32::try_from(threads) {
        Ok(threads) => Ok(threads.div_ceil(BLOCK)),
        Err(_) => Err(Error::shape(operation, format!("{threads} threads are too many for one launch"))),
    }
}

/// A number that kernels count in 32 bits.
pub(crate) fn count(operation: &'static str, number: usize) -> Result<u32> {
    u32::try_from(number).map_err(|_| Error::shape(operation, format!("{number} is too large a number")))
}

/// Memory on a device, given back when it is dropped.
pub struct Buffer {
    device: Device,
    address: u64,
    bytes: usize,
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} bytes)", self.bytes)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // SAFETY: it was allocated so, and is given back once; the stream orders that after the work.
        unsafe { self.device.platform.release(self.address, self.bytes) };
    }
}

impl Buffer {
    /// Uninitialised memory.
    ///
    /// # Errors
    /// If there is not so much.
    pub(crate) fn new(device: &Device, bytes: usize) -> Result<Self> {
        Ok(Self { device: device.clone(), address: device.platform.allocate(bytes)?, bytes })
    }

    /// Memory of zeros.
    ///
    /// # Errors
    /// If there is not so much.
    pub(crate) fn zeros(device: &Device, bytes: usize) -> Result<Self> {
        let buffer = Self::new(device, bytes)?;
        if bytes > 0 {
            // SAFETY: it was just allocated.
            unsafe { device.platform.zero(buffer.address, bytes)? };
        }
        Ok(buffer)
    }

    /// Memory that holds `data`, through a page-locked ring; `data` may change when this returns.
    ///
    /// # Errors
    /// If there is not so much, or the driver refuses.
    pub(crate) fn of(device: &Device, data: &[u8]) -> Result<Self> {
        let buffer = Self::new(device, data.len())?;
        // SAFETY: it was just allocated with so many bytes.
        unsafe { device.platform.upload(buffer.address, data)? };
        Ok(buffer)
    }

    /// A part of its bytes, waited for.
    ///
    /// # Errors
    /// If the part is outside, or work before this failed.
    pub(crate) fn read(&self, first: usize, to: &mut [u8]) -> Result<()> {
        if first.checked_add(to.len()).is_none_or(|end| end > self.bytes) {
            return Err(Error::shape("read", format!("{} bytes from {first} of {}", to.len(), self.bytes)));
        }
        if to.is_empty() {
            return Ok(());
        }
        // SAFETY: these bytes were allocated, as was just checked.
        unsafe { self.device.platform.download(to, self.address + first as u64) }
    }

    /// Of the first byte.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Where it is.
    pub(crate) fn device(&self) -> &Device {
        &self.device
    }
}

/// Plain numbers of this machine as bytes.
pub(crate) fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: these types are plain numbers without padding, and any byte may be read.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), size_of_val(values)) }
}

/// The same to write to.
pub(crate) fn bytes_of_mut<T: Plain>(values: &mut [T]) -> &mut [u8] {
    // SAFETY: these types are plain numbers without padding, of which any bits are a value.
    unsafe { std::slice::from_raw_parts_mut(values.as_mut_ptr().cast(), size_of_val(values)) }
}

/// A number that is all bits and no padding.
pub(crate) trait Plain: Copy {}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u16 {}
impl Plain for u32 {}
