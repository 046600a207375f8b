//! Kernel sources to machine code by NVRTC, at first use, kept on disk under a hash of all that decides the outcome.

use crate::library::Library;
use crate::sources::Source;
use crate::{Error, Result};
use cudarc::nvrtc::sys;
use sha2::{Digest, Sha256};
use std::ffi::{CString, c_char, c_int};
use std::path::PathBuf;

/// A generation of GPUs, such as 90 for Hopper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Architecture(pub u32);

/// What a source is compiled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Machine code of this architecture.
    Machine(Architecture),
    /// Code for a virtual machine of this architecture, which the driver compiles for newer GPUs.
    Virtual(Architecture),
}

impl Target {
    /// The best that this compiler makes for a GPU of architecture `device`.
    ///
    /// # Errors
    /// If there is no compiler, or it knows nothing as old as the GPU.
    pub fn of(device: Architecture) -> Result<Self> {
        let supported = supported()?;
        if supported.contains(&device) {
            return Ok(Self::Machine(device));
        }
        match supported.into_iter().filter(|architecture| *architecture < device).max() {
            Some(older) => Ok(Self::Virtual(older)),
            None => Err(Error::Library {
                library: Library::Nvrtc.file_name().to_owned(),
                why: format!("it compiles nothing for sm_{}", device.0),
            }),
        }
    }

    /// As the compiler calls it.
    pub fn name(self) -> String {
        match self {
            Self::Machine(architecture) => format!("sm_{}", architecture.0),
            Self::Virtual(architecture) => format!("compute_{}", architecture.0),
        }
    }

    fn options(self) -> [String; 2] {
        [format!("--gpu-architecture={}", self.name()), "--std=c++17".to_owned()]
    }
}

/// The architectures that the compiler makes code for.
fn supported() -> Result<Vec<Architecture>> {
    Library::Nvrtc.open()?;
    // SAFETY: the first call says how many numbers the second writes.
    unsafe {
        let mut count: c_int = 0;
        ok(sys::nvrtcGetNumSupportedArchs(&raw mut count), "asking NVRTC what it supports")?;
        let mut numbers = vec![0 as c_int; usize::try_from(count).unwrap_or(0)];
        ok(sys::nvrtcGetSupportedArchs(numbers.as_mut_ptr()), "asking NVRTC what it supports")?;
        Ok(numbers.into_iter().filter_map(|number| u32::try_from(number).ok()).map(Architecture).collect())
    }
}

/// The compiler's version, major and minor.
pub(crate) fn version() -> Result<(i32, i32)> {
    Library::Nvrtc.open()?;
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both are written.
    ok(unsafe { sys::nvrtcVersion(&raw mut major, &raw mut minor) }, "asking NVRTC for its version")?;
    Ok((major, minor))
}

fn ok(status: sys::nvrtcResult, during: &str) -> Result<()> {
    status.result().map_err(|error| Error::Driver { during: during.to_owned(), why: format!("{:?}", error.0) })
}

/// Compiles a source.
///
/// # Errors
/// If there is no compiler, or it refuses: the error holds what it says, on one line.
pub fn compile(source: &Source, target: Target) -> Result<Vec<u8>> {
    Library::Nvrtc.open()?;
    let program = Program::new(source)?;
    let options: Vec<CString> = target.options().into_iter().filter_map(|option| CString::new(option).ok()).collect();
    let pointers: Vec<*const c_char> = options.iter().map(|option| option.as_ptr()).collect();
    // SAFETY: the program lives, and the options outlive the call.
    let status = unsafe { sys::nvrtcCompileProgram(program.0, pointers.len() as c_int, pointers.as_ptr()) };
    if status != sys::nvrtcResult::NVRTC_SUCCESS {
        let log = program.log().unwrap_or_default().replace('\n', "; ");
        return Err(Error::Compile { source_name: source.name, architecture: target.name(), log });
    }
    match target {
        Target::Machine(_) => program.read("reading machine code", sys::nvrtcGetCUBINSize, sys::nvrtcGetCUBIN),
        Target::Virtual(_) => program.read("reading PTX", sys::nvrtcGetPTXSize, sys::nvrtcGetPTX),
    }
}

struct Program(sys::nvrtcProgram);

impl Program {
    fn new(source: &Source) -> Result<Self> {
        let not_text =
            |_| Error::Compile { source_name: source.name, architecture: String::new(), log: "a zero".into() };
        let text = CString::new(source.whole()).map_err(not_text)?;
        let name = CString::new(source.name).map_err(not_text)?;
        let mut program = std::ptr::null_mut();
        // SAFETY: both texts end with a zero, and NVRTC copies them.
        let status = unsafe {
            let none = std::ptr::null();
            sys::nvrtcCreateProgram(&raw mut program, text.as_ptr(), name.as_ptr(), 0, none, none)
        };
        ok(status, "handing a source to NVRTC")?;
        Ok(Self(program))
    }

    fn log(&self) -> Result<String> {
        let log = self.read("reading NVRTC's log", sys::nvrtcGetProgramLogSize, sys::nvrtcGetProgramLog)?;
        Ok(String::from_utf8_lossy(&log).trim_end_matches(['\0', '\n']).to_owned())
    }

    /// What the pair of functions gives, the first its size.
    fn read(
        &self,
        during: &str,
        size: unsafe fn(sys::nvrtcProgram, *mut usize) -> sys::nvrtcResult,
        read: unsafe fn(sys::nvrtcProgram, *mut c_char) -> sys::nvrtcResult,
    ) -> Result<Vec<u8>> {
        let mut bytes = 0;
        // SAFETY: the program lives; there is as much room as the first call says.
        unsafe {
            ok(size(self.0, &raw mut bytes), during)?;
            let mut data = vec![0u8; bytes];
            ok(read(self.0, data.as_mut_ptr().cast()), during)?;
            Ok(data)
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: it was created and is destroyed once. There is nothing to do about an error.
        unsafe { sys::nvrtcDestroyProgram(&raw mut self.0) };
    }
}

/// Compiled kernels on disk. What cannot be read or written is compiled each time.
#[derive(Debug, Clone)]
pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// In `$XDG_CACHE_HOME/laser/kernels`, or `~/.cache/laser/kernels`.
    pub fn of_user() -> Self {
        let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
        let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
        Self { folder: base.map(|base| base.join("laser").join("kernels")) }
    }

    /// In a folder, which need not exist.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Some(folder.into()) }
    }

    /// The source's code from disk, or compiled and then kept there.
    ///
    /// # Errors
    /// As [`compile`].
    pub fn code(&self, source: &Source, target: Target) -> Result<Vec<u8>> {
        let file = self.file(source, target)?;
        if let Some(code) = file.as_ref().and_then(|file| std::fs::read(file).ok()).filter(|code| !code.is_empty()) {
            return Ok(code);
        }
        let code = compile(source, target)?;
        if let Some(file) = file {
            // Written beside it first: another process may read at the same time. A full disk costs no more than time.
            let written = file.with_extension(std::process::id().to_string());
            let write = || -> std::io::Result<()> {
                std::fs::create_dir_all(file.parent().unwrap_or(&file))?;
                std::fs::write(&written, &code)?;
                std::fs::rename(&written, &file)
            };
            if write().is_err() {
                let _ = std::fs::remove_file(&written);
            }
        }
        Ok(code)
    }

    /// Forgets a source's code, which the driver would not load.
    pub fn forget(&self, source: &Source, target: Target) {
        if let Ok(Some(file)) = self.file(source, target) {
            let _ = std::fs::remove_file(file);
        }
    }

    fn file(&self, source: &Source, target: Target) -> Result<Option<PathBuf>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        let (major, minor) = version()?;
        let mut hash = Sha256::new();
        for part in [source.whole(), target.options().join(" "), format!("nvrtc {major}.{minor}")] {
            hash.update(part);
            hash.update([0]);
        }
        let hash: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Ok(Some(folder.join(format!("{}-{}-{hash}.bin", source.name.trim_end_matches(".cu"), target.name()))))
    }
}
