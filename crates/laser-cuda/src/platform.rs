//! What the operations stand on: memory, launches and products, on a GPU or (for tests) on this machine's processor.

use crate::Result;
use crate::sources::{Kernel, ParameterKind};
use std::fmt::Debug;

/// How elements are stored on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Kind {
    /// Single precision.
    F32 = 0,
    /// The upper half of single precision.
    Bf16 = 1,
    /// Half precision.
    F16 = 2,
}

impl Kind {
    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 | Self::F16 => 2,
        }
    }
}

/// What a kernel is given.
#[derive(Debug, Clone, Copy)]
pub enum Argument {
    /// An address, or 0 for none.
    Pointer(u64),
    /// 32 bits without sign.
    U32(u32),
    /// 64 bits without sign.
    U64(u64),
    /// 32 bits with sign.
    I32(i32),
    /// Single precision.
    F32(f32),
}

impl Argument {
    /// What a kernel's source must declare to take it.
    pub fn kind(self) -> ParameterKind {
        match self {
            Self::Pointer(_) => ParameterKind::Pointer,
            Self::U32(_) => ParameterKind::U32,
            Self::U64(_) => ParameterKind::U64,
            Self::I32(_) => ParameterKind::I32,
            Self::F32(_) => ParameterKind::F32,
        }
    }

    /// Its bits at the beginning of eight bytes, as both launchers read them.
    pub(crate) fn bits(self) -> [u8; 8] {
        let mut bits = [0; 8];
        match self {
            Self::Pointer(value) | Self::U64(value) => bits = value.to_ne_bytes(),
            Self::U32(value) => bits[..4].copy_from_slice(&value.to_ne_bytes()),
            Self::I32(value) => bits[..4].copy_from_slice(&value.to_ne_bytes()),
            Self::F32(value) => bits[..4].copy_from_slice(&value.to_ne_bytes()),
        }
        bits
    }
}

/// Bytes of device memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// That nobody uses.
    pub free: usize,
    /// All.
    pub total: usize,
}

/// Rows in device memory, as a product takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operand {
    /// Of the first element.
    pub address: u64,
    /// How elements are stored.
    pub kind: Kind,
    /// Rows.
    pub rows: usize,
    /// Elements of a row.
    pub width: usize,
    /// Elements from one row to the next.
    pub stride: usize,
}

/// `out = x weights' + bias + plus`, each but the first two where it is there.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// `[rows, inputs]`.
    pub x: Operand,
    /// `[outputs, inputs]`, stored as `x` is.
    pub weights: Operand,
    /// The address of f32 `[outputs]`.
    pub bias: Option<u64>,
    /// f32 `[rows, outputs]`; it may be `out`.
    pub plus: Option<Operand>,
    /// f32 `[rows, outputs]`.
    pub out: Operand,
}

/// A moment in the order of the device's work.
#[derive(Debug)]
pub enum Mark {
    /// On a GPU.
    Event(cudarc::driver::CudaEvent),
    /// On the processor.
    Instant(std::time::Instant),
}

/// Where kernels run. All work is done in the order in which it was asked for.
pub trait Platform: Debug + Send + Sync {
    /// The device's name and what it is.
    fn describe(&self) -> String;

    /// What decides the bits of results.
    fn kernel_path(&self) -> String;

    /// Device memory, asked of the driver.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn memory(&self) -> Result<Memory>;

    /// Uninitialised device memory, aligned to 256 bytes.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn allocate(&self, bytes: usize) -> Result<u64>;

    /// Gives memory back, after the work asked for so far.
    ///
    /// # Safety
    /// `address` came from [`Self::allocate`] with these `bytes`, and is given back once.
    unsafe fn release(&self, address: u64, bytes: usize);

    /// Fills memory with zeros.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// These `bytes` at `address` were allocated.
    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()>;

    /// Copies to the device. `from` may be used again when this returns.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// So many bytes at `to` were allocated.
    unsafe fn upload(&self, to: u64, from: &[u8]) -> Result<()>;

    /// Copies to the device, perhaps later.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// So many bytes at `to` were allocated. `from` is page-locked, and neither changes nor goes away before a mark set after
    /// this has passed.
    unsafe fn upload_later(&self, to: u64, from: &[u8]) -> Result<()>;

    /// Copies from the device, and waits for it.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// So many bytes at `from` were allocated.
    unsafe fn download(&self, to: &mut [u8], from: u64) -> Result<()>;

    /// Copies within the device.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// These `bytes` at both addresses were allocated, and do not overlap.
    unsafe fn copy(&self, to: u64, from: u64, bytes: usize) -> Result<()>;

    /// Runs a kernel in `blocks` of `threads`.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// The kernel reads and writes allocated memory only, given these arguments, whose kinds are those it declares.
    unsafe fn launch(&self, kernel: &Kernel, blocks: u32, threads: u32, arguments: &[Argument]) -> Result<()>;

    /// Runs a product.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    ///
    /// # Safety
    /// The operands were allocated; `out` overlaps none but an equal `plus`.
    unsafe fn multiply(&self, product: &Product) -> Result<()>;

    /// Page-locked memory of this machine.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn pin(&self, bytes: usize) -> Result<*mut u8>;

    /// Gives page-locked memory back.
    ///
    /// # Safety
    /// It came from [`Self::pin`] with these `bytes`, is given back once, and nothing is reading it.
    unsafe fn unpin(&self, memory: *mut u8, bytes: usize);

    /// Marks this moment in the order of the work.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn mark(&self) -> Result<Mark>;

    /// Waits until the work before a mark is done.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn wait(&self, mark: &Mark) -> Result<()>;

    /// Milliseconds of device time from one mark to a later one, which is waited for.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn milliseconds(&self, from: &Mark, to: &Mark) -> Result<f64>;

    /// Waits until all work is done.
    ///
    /// # Errors
    /// The device refuses, or its memory is full.
    fn synchronise(&self) -> Result<()>;

    /// The products' algorithms, for reports: how many were chosen, and what each is.
    fn algorithms(&self) -> Vec<String>;
}
