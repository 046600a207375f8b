//! Finding NVIDIA's libraries without a toolkit: in the system's places, under `CUDA_HOME`, and in the folders
//! `nvidia/*/lib` of the active Python, where PyTorch's packages put them.
//!
//! cudarc opens libraries by name. One that is open already is found by its soname, wherever it lies: so what is found
//! here is opened first, for all to see, and stays open.

use crate::{Error, Result};
use libloading::os::unix::{Library as Handle, RTLD_GLOBAL, RTLD_NOW, Symbol};
use std::collections::HashSet;
use std::ffi::{OsStr, c_int};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

/// A library that the GPU path needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Library {
    /// The driver.
    Cuda,
    /// Matrix products.
    CublasLt,
    /// The compiler of kernels.
    Nvrtc,
}

/// Where a library was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// By its name, in a place that the system's loader knows.
    ByName(String),
    /// In this file.
    File(PathBuf),
}

/// The least version of the driver's interface, as it counts: 1000 * major + 10 * minor.
const DRIVER_VERSION: c_int = 13_000;

impl Library {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cuda, Self::CublasLt, Self::Nvrtc];

    /// The file's name, with the version that is needed.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Cuda => "libcuda.so.1",
            Self::CublasLt => "libcublasLt.so.13",
            Self::Nvrtc => "libnvrtc.so.13",
        }
    }

    /// What cudarc calls it.
    fn short_name(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::CublasLt => "cublasLt",
            Self::Nvrtc => "nvrtc",
        }
    }

    /// A function that older versions lack: cudarc panics where one is missing.
    fn marker(self) -> &'static [u8] {
        match self {
            Self::Cuda => b"cuDriverGetVersion\0",
            Self::CublasLt => b"cublasLtEmulationDescCreate\0",
            Self::Nvrtc => b"nvrtcGetPCHHeapSize\0",
        }
    }

    /// Finds it and keeps it open for the rest of the program.
    ///
    /// # Errors
    /// If it is nowhere, or too old.
    pub fn open(self) -> Result<Found> {
        static OPEN: [OnceLock<Found>; 3] = [const { OnceLock::new() }; 3];
        let open = &OPEN[self as usize];
        if let Some(found) = open.get() {
            return Ok(found.clone());
        }
        // One thread at a time: a library that another thread has just opened would be found by name, before what belongs to
        // it is there.
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = open.get() {
            return Ok(found.clone());
        }
        let found = self.find(&places())?;
        self.check()?;
        Ok(open.get_or_init(|| found).clone())
    }

    /// Opens it by name, or in one of `places`.
    fn find(self, places: &[PathBuf]) -> Result<Found> {
        let name = self.file_name();
        if open_for_good(name.as_ref()).is_ok() {
            return Ok(Found::ByName(name.to_owned()));
        }
        let mut broken = None;
        for file in places.iter().map(|place| place.join(name)).filter(|file| file.is_file()) {
            match open_for_good(file.as_os_str()) {
                Ok(()) => {
                    if self == Self::Nvrtc {
                        open_builtins(&file);
                    }
                    return Ok(Found::File(file));
                }
                Err(error) => broken = broken.or(Some((file, error))),
            }
        }
        if let Some((file, error)) = broken {
            return Err(Error::Library { library: file.display().to_string(), why: error.to_string() });
        }
        let searched = places.iter().map(|place| format!(", {}", place.display()));
        let searched = format!("the system's library path{}", searched.collect::<String>());
        Err(Error::LibraryNotFound { library: name.to_owned(), searched })
    }

    /// That what cudarc will open is new enough.
    fn check(self) -> Result<()> {
        let broken = |why: String| Error::Library { library: self.file_name().to_owned(), why };
        let opened = cudarc::get_lib_name_candidates(self.short_name())
            .into_iter()
            // SAFETY: the library's initialisers are NVIDIA's, and cudarc runs them as well.
            .find_map(|name| unsafe { Handle::open(Some(&name), RTLD_NOW).ok() })
            .ok_or_else(|| broken("the system's loader does not find it again by name".to_owned()))?;
        // SAFETY: only its presence is looked at, except for the driver's version, whose type is as the driver's headers
        // declare it.
        unsafe {
            let marker: Result<Symbol<unsafe extern "C" fn(*mut c_int) -> c_int>, _> = opened.get(self.marker());
            let marker = marker.map_err(|_| broken("it is older than CUDA 13".to_owned()))?;
            let mut version = DRIVER_VERSION;
            if self == Self::Cuda && marker(&raw mut version) == 0 && version < DRIVER_VERSION {
                let (major, minor) = (version / 1000, version % 1000 / 10);
                let why = format!("the driver supports CUDA {major}.{minor}; CUDA 13.0 is needed (driver 580)");
                return Err(broken(why));
            }
        }
        Ok(())
    }
}

/// Opens a library by name or path, its symbols visible to all, and never closes it.
fn open_for_good(name: &OsStr) -> Result<(), libloading::Error> {
    // SAFETY: the file bears the name of a library of NVIDIA's, whose initialisers have no conditions.
    let library = unsafe { Handle::open(Some(name), RTLD_NOW | RTLD_GLOBAL)? };
    std::mem::forget(library);
    Ok(())
}

/// The compiler opens its library of built-in functions by name: the one beside it is opened first. Where that fails, the
/// compiler says so.
fn open_builtins(compiler: &Path) {
    let beside = compiler.parent().and_then(|folder| std::fs::read_dir(folder).ok());
    for file in beside.into_iter().flatten().flatten() {
        if file.file_name().to_string_lossy().starts_with("libnvrtc-builtins.so") {
            let _ = open_for_good(file.path().as_os_str());
        }
    }
}

/// The folders that are looked through, in order.
///
/// `LASER_NVRTC` may name a folder that is looked through first, where the compiler alone is at hand: it needs no GPU.
fn places() -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = std::env::var_os("LASER_NVRTC").map(PathBuf::from).into_iter().collect();
    for home in ["CUDA_HOME", "CUDA_PATH"].into_iter().filter_map(std::env::var_os) {
        let home = PathBuf::from(home);
        places
            .extend(["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"].map(|part| home.join(part)));
    }
    places.extend(["/usr/local/cuda/lib64", "/usr/local/nvidia/lib64", "/usr/local/nvidia/lib"].map(PathBuf::from));
    places.extend(["/usr/lib/wsl/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].map(PathBuf::from));
    for packages in python_packages() {
        places.extend(nvidia_folders(&packages));
    }
    let mut seen = HashSet::new();
    places.retain(|place| seen.insert(place.clone()));
    places
}

/// `nvidia/*/lib` of a folder of Python packages, sorted; that pattern itself where there are none.
fn nvidia_folders(packages: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(packages.join("nvidia")) else { return vec![packages.join("nvidia/*/lib")] };
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path().join("lib")).collect();
    folders.sort();
    folders
}

/// The folders of packages of the active virtual environment, and what `python3` says.
fn python_packages() -> Vec<PathBuf> {
    let mut packages = Vec::new();
    if let Some(environment) = std::env::var_os("VIRTUAL_ENV") {
        let lib = PathBuf::from(environment).join("lib");
        let versions = std::fs::read_dir(lib).into_iter().flatten().flatten();
        packages.extend(versions.map(|version| version.path().join("site-packages")));
    }
    let asked = std::process::Command::new("python3")
        .args(["-c", "import sys; print('\\n'.join(sys.path))"])
        .stderr(std::process::Stdio::null())
        .output();
    if let Ok(output) = asked {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Others of its folders hold the standard library.
        packages.extend(text.lines().filter(|line| line.ends_with("-packages")).map(PathBuf::from));
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_named_with_the_places() {
        let folder = tempfile::tempdir().unwrap();
        if open_for_good(Library::CublasLt.file_name().as_ref()).is_ok() {
            return println!("skipped: this machine has {}", Library::CublasLt.file_name());
        }
        let error = Library::CublasLt.find(&[folder.path().to_owned()]).unwrap_err().to_string();
        let place = folder.path().display();
        assert_eq!(error, format!("libcublasLt.so.13 was not found: looked in the system's library path, {place}"));
    }

    #[test]
    fn a_broken_library_is_not_a_missing_one() {
        let folder = tempfile::tempdir().unwrap();
        if open_for_good(Library::CublasLt.file_name().as_ref()).is_ok() {
            return println!("skipped: this machine has {}", Library::CublasLt.file_name());
        }
        let file = folder.path().join(Library::CublasLt.file_name());
        std::fs::write(&file, "no library").unwrap();
        let error = Library::CublasLt.find(&[folder.path().to_owned()]).unwrap_err();
        assert!(matches!(error, Error::Library { library, .. } if library == file.display().to_string()));
    }

    #[test]
    fn packages_of_nvidia_have_their_libraries_in_folders_of_their_own() {
        let packages = tempfile::tempdir().unwrap();
        for part in ["cu13", "cublas"] {
            std::fs::create_dir_all(packages.path().join("nvidia").join(part).join("lib")).unwrap();
        }
        let folders = nvidia_folders(packages.path());
        let expected = ["cu13", "cublas"].map(|part| packages.path().join("nvidia").join(part).join("lib"));
        assert_eq!(folders, expected);
    }
}
