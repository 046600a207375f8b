//! Copies from ordinary memory to the device that the caller need not wait for: through a ring of page-locked slots.

use crate::driver_error::driver;
use crate::{Error, Result};
use cudarc::driver::{CudaEvent, CudaStream, result, sys};
use std::sync::Arc;

/// Bytes of a slot.
const SLOT: usize = 8 << 20;
/// Slots: while one is filled, the others travel.
const SLOTS: usize = 4;

/// The ring.
pub(crate) struct Staging {
    memory: *mut u8,
    /// What has passed when the slot's last copy is done.
    last: Vec<CudaEvent>,
    next: usize,
    stream: Arc<CudaStream>,
}

// SAFETY: the memory is the ring's own, and page-locked for all contexts and threads.
unsafe impl Send for Staging {}

impl Staging {
    /// A ring for copies on this stream, whose context is current.
    pub(crate) fn new(stream: &Arc<CudaStream>) -> Result<Self> {
        let starting = |error| driver("page-locking memory", error);
        let context = stream.context();
        let last: Result<Vec<CudaEvent>, _> = (0..SLOTS).map(|_| context.new_event(None)).collect();
        let last = last.map_err(starting)?;
        // SAFETY: the context is current.
        let memory = unsafe { result::malloc_host(SLOT * SLOTS, sys::CU_MEMHOSTALLOC_PORTABLE) }.map_err(starting)?;
        Ok(Self { memory: memory.cast(), last, next: 0, stream: stream.clone() })
    }

    /// Copies `from`, which may change as soon as this returns.
    ///
    /// # Safety
    /// So many bytes at `to` were allocated, and the context is current.
    pub(crate) unsafe fn upload(&mut self, to: u64, from: &[u8]) -> Result<(), Error> {
        let copying = |error| driver("copying to the device", error);
        for (number, part) in from.chunks(SLOT).enumerate() {
            let slot = self.next;
            self.next = (slot + 1) % SLOTS;
            // Nothing recorded counts as passed.
            self.last[slot].synchronize().map_err(copying)?;
            // SAFETY: the slot lies in the ring, has room for the part, and nothing reads it since its event passed.
            let staged = unsafe {
                let staged = self.memory.add(slot * SLOT);
                std::ptr::copy_nonoverlapping(part.as_ptr(), staged, part.len());
                std::slice::from_raw_parts(staged, part.len())
            };
            let to = to + (number * SLOT) as u64;
            // SAFETY: as the caller says; the slot is left alone until its event has passed.
            unsafe { result::memcpy_htod_async(to, staged, self.stream.cu_stream()) }.map_err(copying)?;
            self.last[slot].record(&self.stream).map_err(copying)?;
        }
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let copies_done = self.last.iter().all(|event| event.synchronize().is_ok());
        if copies_done {
            // SAFETY: it was allocated so, and no copy reads it. There is nothing to do about an error.
            let _ = unsafe { result::free_host(self.memory.cast()) };
        }
    }
}
