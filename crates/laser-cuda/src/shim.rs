//! The platform that is this machine's processor: the same kernel sources as C++, for tests without a GPU.
//!
//! `g++` builds them when first asked for. A launch runs each thread of each block as a fiber: slow, and meant for tiny shapes.

use crate::platform::{Argument, Kind, Mark, Memory, Operand, Platform, Product};
use crate::sources::{COMMON, Kernel, SOURCES, kernels};
use crate::{Error, Result};
use half::{bf16, f16};
use libloading::Library;
use sha2::{Digest, Sha256};
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc};
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

const HEADER: &str = include_str!("../shim/shim.h");

type Launch = unsafe extern "C" fn(*const c_char, c_uint, c_uint, *mut *mut c_void) -> c_int;

/// This machine's processor as a device.
#[derive(Debug)]
pub struct Shim {
    built: &'static Built,
}

/// The kernels' library, which stays open. Its fibers are the program's: one launch at a time.
#[derive(Debug)]
struct Built {
    launch: Launch,
    _library: Library,
    one_at_a_time: Mutex<()>,
}

impl Shim {
    /// The kernels, built by `g++` if that was not done before.
    ///
    /// # Errors
    /// If there is no `g++`, or it refuses the sources.
    pub fn new() -> Result<Self> {
        static BUILT: OnceLock<Result<Built, String>> = OnceLock::new();
        match BUILT.get_or_init(|| build().map_err(|error| error.to_string())) {
            Ok(built) => Ok(Self { built }),
            Err(why) => Err(Error::Shim { why: why.clone() }),
        }
    }

    /// The file of the built kernels, whose one function `laser_shim_launch` runs a kernel by name.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn library() -> Result<PathBuf> {
        Self::new()?;
        Ok(file(&text()))
    }
}

/// Where the kernels of this text are kept when they are built.
fn file(text: &str) -> PathBuf {
    let hash: String = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    std::env::temp_dir().join(format!("laser-shim-{hash}.so"))
}

/// All sources in one, with a table of the kernels.
fn text() -> String {
    let mut text = format!("{HEADER}\n{COMMON}\n");
    for source in SOURCES {
        text += &format!("#line 1 \"{}\"\n{}\n", source.name, source.text);
    }
    let mut names: Vec<&String> = kernels().keys().collect();
    names.sort();
    text +=
        "extern \"C\" int laser_shim_launch(const char* name, unsigned blocks, unsigned threads, void** arguments) {\n";
    for name in names {
        text += &format!(
            "    if (!std::strcmp(name, \"{name}\")) return shim::run(&{name}, blocks, threads, arguments);\n"
        );
    }
    text + "    return 2;\n}\n"
}

fn build() -> Result<Built> {
    let shim = |why: String| Error::Shim { why };
    let text = text();
    let file = file(&text);
    if !file.is_file() {
        compile(&text, &file)?;
    }
    // SAFETY: it was built of our sources, whose initialisers do nothing that others could notice.
    let library = unsafe { Library::new(&file) }.map_err(|error| shim(error.to_string()))?;
    // SAFETY: the function has this type in the text above, and the library stays open as long as it is used.
    let launch = unsafe { *library.get::<Launch>(b"laser_shim_launch\0").map_err(|error| shim(error.to_string()))? };
    Ok(Built { launch, _library: library, one_at_a_time: Mutex::new(()) })
}

fn compile(text: &str, file: &Path) -> Result<()> {
    let shim = |why: String| Error::Shim { why };
    // Under other names until it is whole: other processes build the same.
    let part = |ending: &str| PathBuf::from(format!("{}.{}{ending}", file.display(), std::process::id()));
    let (source, object) = (part(".cpp"), part(".so"));
    std::fs::write(&source, text).map_err(|error| shim(format!("{}: {error}", source.display())))?;
    let output = Command::new("g++")
        .args(["-std=c++17", "-O2", "-w", "-fPIC", "-shared", "-fno-strict-aliasing", "-o"])
        .arg(&object)
        .arg(&source)
        .output();
    let _ = std::fs::remove_file(&source);
    let output = output.map_err(|error| shim(format!("g++: {error}")))?;
    if !output.status.success() {
        return Err(shim(format!("g++: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    std::fs::rename(&object, file).map_err(|error| shim(format!("{}: {error}", file.display())))
}

/// As devices align memory.
const ALIGNMENT: usize = 256;

fn layout(bytes: usize) -> Result<Layout> {
    let layout = Layout::from_size_align(bytes.max(1), ALIGNMENT);
    layout.map_err(|_| Error::OutOfMemory { wanted: bytes, free: usize::MAX / 2 })
}

impl Platform for Shim {
    fn describe(&self) -> String {
        "this machine's processor: kernels as C++".to_owned()
    }

    fn kernel_path(&self) -> String {
        "cuda shim".to_owned()
    }

    fn memory(&self) -> Result<Memory> {
        Ok(Memory { free: 1 << 30, total: 1 << 30 })
    }

    fn allocate(&self, bytes: usize) -> Result<u64> {
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc(layout(bytes)?) };
        if memory.is_null() {
            return Err(Error::OutOfMemory { wanted: bytes, free: 0 });
        }
        // What nobody writes must not pass for a result: all bits set are not a number of any kind.
        // SAFETY: it was just allocated.
        unsafe { memory.write_bytes(0xff, bytes) };
        Ok(memory as u64)
    }

    unsafe fn release(&self, address: u64, bytes: usize) {
        if let Ok(layout) = layout(bytes) {
            // SAFETY: as the caller says.
            unsafe { dealloc(address as *mut u8, layout) };
        }
    }

    unsafe fn zero(&self, address: u64, bytes: usize) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { (address as *mut u8).write_bytes(0, bytes) };
        Ok(())
    }

    unsafe fn upload(&self, to: u64, from: &[u8]) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn upload_later(&self, to: u64, from: &[u8]) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { self.upload(to, from) }
    }

    unsafe fn download(&self, to: &mut [u8], from: u64) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn copy(&self, to: u64, from: u64, bytes: usize) -> Result<()> {
        // SAFETY: as the caller says.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: &Kernel, blocks: u32, threads: u32, arguments: &[Argument]) -> Result<()> {
        let name = CString::new(kernel.name.as_str()).unwrap_or_default();
        let mut bits: Vec<[u8; 8]> = arguments.iter().map(|argument| argument.bits()).collect();
        let mut pointers: Vec<*mut c_void> = bits.iter_mut().map(|bits| bits.as_mut_ptr().cast()).collect();
        let _one = self.built.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: as the caller says; the arguments outlive the launch, which is done when this returns.
        match unsafe { (self.built.launch)(name.as_ptr(), blocks, threads, pointers.as_mut_ptr()) } {
            0 => Ok(()),
            1 => Err(Error::Shim { why: format!("{}: threads wait for others that never come", kernel.name) }),
            _ => Err(Error::Shim { why: format!("there is no {}", kernel.name) }),
        }
    }

    unsafe fn multiply(&self, product: &Product) -> Result<()> {
        let Product { x, weights, bias, plus, out } = product;
        for row in 0..x.rows {
            for output in 0..weights.rows {
                let mut sum = 0f32;
                for input in 0..x.width {
                    // SAFETY: as the caller says.
                    sum += unsafe { read(x, row, input) * read(weights, output, input) };
                }
                // SAFETY: as the caller says.
                unsafe {
                    if let Some(plus) = plus {
                        sum += read(plus, row, output);
                    }
                    if let Some(bias) = bias {
                        sum += *(*bias as *const f32).add(output);
                    }
                    *(out.address as *mut f32).add(row * out.stride + output) = sum;
                }
            }
        }
        Ok(())
    }

    fn pin(&self, bytes: usize) -> Result<*mut u8> {
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc_zeroed(layout(bytes)?) };
        if memory.is_null() { Err(Error::OutOfMemory { wanted: bytes, free: 0 }) } else { Ok(memory) }
    }

    unsafe fn unpin(&self, memory: *mut u8, bytes: usize) {
        // SAFETY: as the caller says.
        unsafe { self.release(memory as u64, bytes) };
    }

    fn mark(&self) -> Result<Mark> {
        Ok(Mark::Instant(Instant::now()))
    }

    fn wait(&self, _: &Mark) -> Result<()> {
        Ok(())
    }

    fn milliseconds(&self, from: &Mark, to: &Mark) -> Result<f64> {
        match (from, to) {
            (Mark::Instant(from), Mark::Instant(to)) => Ok(to.duration_since(*from).as_secs_f64() * 1e3),
            _ => Err(Error::Shim { why: "the mark is of a GPU".to_owned() }),
        }
    }

    fn synchronise(&self) -> Result<()> {
        Ok(())
    }

    fn algorithms(&self) -> Vec<String> {
        vec!["plain sums in order".to_owned()]
    }
}

/// An element.
///
/// # Safety
/// The operand is in memory and has it.
unsafe fn read(operand: &Operand, row: usize, column: usize) -> f32 {
    let at = row * operand.stride + column;
    // SAFETY: as the caller says.
    unsafe {
        match operand.kind {
            Kind::F32 => *(operand.address as *const f32).add(at),
            Kind::Bf16 => bf16::from_bits(*(operand.address as *const u16).add(at)).to_f32(),
            Kind::F16 => f16::from_bits(*(operand.address as *const u16).add(at)).to_f32(),
        }
    }
}
