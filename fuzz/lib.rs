//! One macro for all targets of cargo-fuzz.

pub use laser_fuzz;
pub use libfuzzer_sys;

/// Panics that the program catches are no findings; all others are.
pub fn let_guarded_panics_pass() {
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !laser_guard::panics_are_caught() {
            abort(info);
        }
    }));
}

/// Gives an input of one of two mutators: libFuzzer's own by bytes, or the format's own.
pub fn mutate(target: &laser_fuzz::Target, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut choices = laser_fuzz::Choices::new(seed.into());
    if !choices.once_in(3) {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let made = (target.reshape)(&data[..size], &mut choices);
    let length = made.len().min(max_size);
    data[..length].copy_from_slice(&made[..length]);
    length
}

/// The fuzz target of this name.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        static TARGET: std::sync::LazyLock<&laser_fuzz_targets::laser_fuzz::Target> =
            std::sync::LazyLock::new(|| laser_fuzz_targets::laser_fuzz::target($name).expect("a target of this name"));
        laser_fuzz_targets::libfuzzer_sys::fuzz_target!(
            init: laser_fuzz_targets::let_guarded_panics_pass(),
            |data: &[u8]| (TARGET.body)(data)
        );
        laser_fuzz_targets::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            laser_fuzz_targets::mutate(&TARGET, data, size, max_size, seed)
        });
    };
}
