//! Page-locked memory, to fill device memory from.

use crate::Result;
use crate::gpu_device::{Buffer, Device};
use crate::platform::Mark;

/// Page-locked memory of this machine, from which copies to the device are fast and need not be waited for.
#[derive(Debug)]
pub struct Pinned {
    device: Device,
    memory: *mut u8,
    bytes: usize,
    /// Set after the last copy.
    busy: Option<Mark>,
}

// SAFETY: the memory is this value's own, and page-locked for all threads.
unsafe impl Send for Pinned {}

impl Pinned {
    /// So many bytes, of zeros.
    ///
    /// # Errors
    /// If the system does not lock so many.
    pub fn new(device: &Device, bytes: usize) -> Result<Self> {
        let memory = device.platform().pin(bytes)?;
        // SAFETY: it was just allocated with so many bytes.
        unsafe { memory.write_bytes(0, bytes) };
        Ok(Self { device: device.clone(), memory, bytes, busy: None })
    }

    /// The bytes, once the last copy from them is done.
    ///
    /// # Errors
    /// If work before this failed.
    pub fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        self.wait()?;
        // SAFETY: so many were allocated and zeroed; nothing reads them now, and they are borrowed as this value is.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.memory, self.bytes) })
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Copies to a buffer, which may go on after this returns.
    pub(crate) fn upload(&mut self, to: &Buffer) -> Result<()> {
        // SAFETY: the bytes stay until the mark below has passed: writing to them and dropping them waits for it.
        unsafe {
            let from = std::slice::from_raw_parts(self.memory, self.bytes.min(to.bytes()));
            self.device.platform().upload_later(to.address(), from)?;
        }
        self.busy = match self.device.mark() {
            Ok(mark) => Some(mark),
            Err(error) => {
                // Without a mark all work is waited for.
                self.device.synchronise()?;
                return Err(error);
            }
        };
        Ok(())
    }

    fn wait(&mut self) -> Result<()> {
        match self.busy.take() {
            Some(mark) => self.device.wait(&mark),
            None => Ok(()),
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        if self.wait().is_ok() {
            // SAFETY: it was allocated so, is given back once, and the last copy is done.
            unsafe { self.device.platform().unpin(self.memory, self.bytes) };
        }
    }
}
