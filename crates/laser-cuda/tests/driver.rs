//! The whole path of calls to NVIDIA's libraries, without a GPU: stand-ins for them (`fake/nvidia.cpp`) run kernels by the
//! shim. Each case runs in a process of its own, in which `CUDA_HOME` is where the stand-ins are.

use laser_cuda::compile::Cache;
use laser_cuda::gpu::Gpu;
use laser_cuda::library::Library;
use laser_cuda::shim::Shim;
use laser_cuda::verify::{CHECKS, Numbers, Size};
use laser_cuda::{Device, Error, Kind, Pinned, Rows};
use std::path::Path;
use std::process::Command;

/// Whether this process is one of those that the tests start.
fn inside() -> bool {
    std::env::var_os("LASER_SHIM_LIBRARY").is_some()
}

/// Runs the test `name` of this file again, with the stand-ins.
fn run_inside(name: &str) {
    if Command::new("g++").arg("--version").output().is_err() {
        return println!("skipped: there is no g++");
    }
    if ["libcuda.so.1", "libcublasLt.so.13"].iter().any(|name| {
        // SAFETY: the library's initialisers are NVIDIA's.
        unsafe { libloading::Library::new(*name).is_ok() }
    }) {
        return println!("skipped: this machine has the real libraries");
    }
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("lib")).unwrap();
    for library in Library::ALL {
        build(library.file_name(), &home.path().join("lib"));
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("CUDA_HOME", home.path())
        .env("XDG_CACHE_HOME", home.path())
        .env("LASER_SHIM_LIBRARY", Shim::library().unwrap())
        .env_remove("LASER_NVRTC")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

fn build(name: &str, folder: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake/nvidia.cpp");
    let built = Command::new("g++")
        .args(["-std=c++17", "-O2", "-w", "-fPIC", "-shared", "-fvisibility=hidden"])
        .arg(format!("-Wl,-soname,{name}"))
        .arg("-o")
        .arg(folder.join(name))
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(built.unwrap().success());
}

#[test]
fn every_check_holds_through_the_driver() {
    if !inside() {
        return run_inside("every_check_holds_through_the_driver");
    }
    let device = Device::gpu(0).unwrap();
    assert_eq!(device.describe(), "a stand-in, 1 multiprocessors, sm_90");
    let path = device.kernel_path();
    assert!(path.starts_with("cuda sm_90, a stand-in, cuBLASLt 130000, NVRTC "), "{path}");
    for (name, check) in CHECKS {
        for check in check(&device, Size::Tiny, &mut Numbers::new(5)).unwrap_or_else(|error| panic!("{name}: {error}"))
        {
            assert!(check.holds(), "{check:?}");
        }
    }
    device.synchronise().unwrap();
}

#[test]
fn copies_are_whole_whatever_their_size() {
    if !inside() {
        return run_inside("copies_are_whole_whatever_their_size");
    }
    let device = Device::gpu(0).unwrap();
    // Less than a slot of the ring, and round it more than once; what is copied changes at once afterwards.
    for width in [1000, (40 << 20) / 4 + 3] {
        let mut values: Vec<f32> = (0..width).map(|i| i as f32).collect();
        let rows = Rows::of(&device, Kind::F32, &values, 1, width).unwrap();
        values.fill(-1.0);
        let found = rows.to_host().unwrap();
        assert!(found.iter().enumerate().all(|(i, value)| *value == i as f32));
    }
    let mut pinned = Pinned::new(&device, 8).unwrap();
    pinned.bytes_mut().unwrap().copy_from_slice(&[0, 0, 128, 63, 0, 0, 0, 64]);
    let rows = Rows::of_pinned(&device, Kind::F32, &mut pinned, 1, 2).unwrap();
    // Written to again: the copy must have been waited for.
    pinned.bytes_mut().unwrap().fill(0);
    drop(pinned);
    assert_eq!(rows.to_host().unwrap(), [1.0, 2.0]);
}

#[test]
fn products_say_where_an_algorithm_was_an_exception() {
    if !inside() {
        return run_inside("products_say_where_an_algorithm_was_an_exception");
    }
    let device = Device::gpu(0).unwrap();
    let w = Rows::of(&device, Kind::Bf16, &[1.0; 32], 4, 8).unwrap();
    for rows in [3, 5, 6, 5] {
        let x = Rows::of(&device, Kind::Bf16, &vec![2.0; rows * 8], rows, 8).unwrap();
        assert_eq!(device.linear(&x, &w, None, None).unwrap().to_host().unwrap(), vec![16.0; rows * 4]);
    }
    let lines = device.algorithms();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("5 rows alone: 4 x 8 Bf16")), "{lines:?}");
}

#[test]
fn a_gpu_that_is_not_there_is_named() {
    if !inside() {
        return run_inside("a_gpu_that_is_not_there_is_named");
    }
    assert!(matches!(Gpu::new(3, Cache::of_user()), Err(Error::NoDevice { ordinal: 3, count: 1 })));
}
