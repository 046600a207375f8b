//! Memory that cannot be had, in one line.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator. Where it has no memory, the process says so and ends; Rust's own way is an abort with a backtrace.
pub struct Reporting;

// SAFETY: every call is passed to the system's allocator with what it was given, and what that gives is passed back.
unsafe impl GlobalAlloc for Reporting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        checked(unsafe { System.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        checked(unsafe { System.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as the caller promises.
        checked(unsafe { System.realloc(memory, layout, size) }, size)
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

fn checked(memory: *mut u8, size: usize) -> *mut u8 {
    if memory.is_null() {
        out_of_memory(size);
    }
    memory
}

/// Without any allocation.
#[cold]
fn out_of_memory(size: usize) -> ! {
    let (mut digits, mut first, mut left) = ([b'0'; 20], 20, size);
    while left > 0 || first == 20 {
        first -= 1;
        digits[first] = b'0' + (left % 10) as u8;
        left /= 10;
    }
    crate::stopped::end(&[
        b"error: out of memory: ",
        &digits[first..],
        b" bytes more were needed: free some, raise the limit (ulimit -v), or lower --memory or --threads\n",
    ])
}
