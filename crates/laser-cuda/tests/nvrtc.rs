//! Every kernel compiles for the GPUs that matter. NVRTC needs no GPU: `LASER_NVRTC` names the folder of `libnvrtc.so.13`
//! (on PyPI: `nvidia-cuda-nvrtc`), where the system has none.

use laser_cuda::Error;
use laser_cuda::compile::{Architecture, Cache, Target, compile};
use laser_cuda::library::Library;
use laser_cuda::sources::{SOURCES, Source, kernels};

/// Whether there is a compiler. If there is none and it was not asked for, the test says so and passes.
fn compiler() -> bool {
    match Library::Nvrtc.open() {
        Ok(_) => true,
        Err(error) => {
            assert!(std::env::var_os("LASER_NVRTC").is_none(), "LASER_NVRTC is set, but {error}");
            println!("skipped: {error}");
            false
        }
    }
}

#[test]
fn every_kernel_compiles() {
    if !compiler() {
        return;
    }
    for architecture in [80, 90] {
        for (number, source) in SOURCES.iter().enumerate() {
            let code = compile(source, Target::Machine(Architecture(architecture))).unwrap();
            assert!(code.starts_with(b"\x7fELF"), "{} for sm_{architecture}", source.name);
            for kernel in kernels().values().filter(|kernel| kernel.source == number) {
                let name = kernel.name.as_bytes();
                assert!(code.windows(name.len()).any(|part| part == name), "{} has no {}", source.name, kernel.name);
            }
        }
    }
}

#[test]
fn newer_gpus_get_code_that_the_driver_compiles() {
    if !compiler() {
        return;
    }
    assert_eq!(Target::of(Architecture(90)).unwrap(), Target::Machine(Architecture(90)));
    let Target::Virtual(older) = Target::of(Architecture(999)).unwrap() else { panic!("there is no sm_999") };
    let code = compile(&SOURCES[1], Target::Virtual(older)).unwrap();
    assert!(String::from_utf8(code).unwrap().contains(&format!(".target sm_{}", older.0)));
    assert!(Target::of(Architecture(20)).is_err());
}

#[test]
fn code_is_kept_by_all_that_decides_it() {
    if !compiler() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path().join("kernels"));
    let files = || {
        let mut files: Vec<_> =
            std::fs::read_dir(folder.path().join("kernels")).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    };
    let target = Target::Machine(Architecture(90));
    let source = Source { name: "test.cu", text: "extern \"C\" __global__ void one(u32* x) { *x = 1; }" };
    let code = cache.code(&source, target).unwrap();
    assert_eq!(cache.code(&source, target).unwrap(), code);
    assert_eq!(files().len(), 1);
    // What is on disk is what is given, until it is forgotten.
    std::fs::write(&files()[0], "broken").unwrap();
    assert_eq!(cache.code(&source, target).unwrap(), b"broken");
    cache.forget(&source, target);
    assert_eq!(cache.code(&source, target).unwrap(), code);
    let other = Source { text: "extern \"C\" __global__ void one(u32* x) { *x = 2; }", ..source };
    cache.code(&other, target).unwrap();
    cache.code(&source, Target::Machine(Architecture(80))).unwrap();
    assert_eq!(files().len(), 3);
}

#[test]
fn what_the_compiler_refuses_is_told_on_one_line() {
    if !compiler() {
        return;
    }
    let source = Source { name: "wrong.cu", text: "extern \"C\" __global__ void wrong() { nothing(); }" };
    let error = compile(&source, Target::Machine(Architecture(90))).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Compile { .. }) && text.contains("nothing") && !text.contains('\n'), "{text}");
}
