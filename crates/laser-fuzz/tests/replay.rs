//! Every target on its seeds, and on inputs made from them. A few seconds a target, or as many as
//! the environment variable `LASER_FUZZ_SECONDS` says; with `LASER_FRESH_SEEDS` on other inputs.
//! An input that fails is written to the folder that `LASER_FUZZ_FOUND` names.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    panic::catch_unwind,
    sync::LazyLock,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use laser_fuzz::{Choices, TARGETS, Target, mutated, seeds, target};

/// No input may take longer.
const LONGEST: Duration = Duration::from_secs(1);
/// Nor more bytes at once.
const MOST: isize = 1 << 30;

/// What is no longer than this, or than a seed, has not grown long.
const SHORT: usize = 1 << 12;

/// Counts what a thread holds.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: all is passed on to the system's own allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as asked of this one.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as asked of this one.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: as asked of this one.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as asked of this one.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The time that this thread has had of a processor, where the system tells; else the time.
fn now() -> Duration {
    #[cfg(target_os = "linux")]
    {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: it writes to nothing but `time`.
        if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } == 0 {
            return Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        }
    }
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// Runs a body; says what is wrong with what it did.
fn flaw(target: &Target, input: &[u8]) -> Option<String> {
    PEAK.set(HELD.get());
    let (before, start) = (HELD.get(), now());
    let panicked = catch_unwind(|| (target.body)(input)).is_err();
    let (mut time, bytes) = (now().saturating_sub(start), PEAK.get() - before);
    // What shares the processor's core slows even the thread's own time: the least of some tries counts.
    for _ in 0..4 {
        if panicked || time <= LONGEST {
            break;
        }
        let start = now();
        (target.body)(input);
        time = time.min(now().saturating_sub(start));
    }
    match () {
        () if panicked => Some("it panicked".to_owned()),
        () if bytes > MOST => Some(format!("it took {bytes} bytes")),
        () if time > LONGEST => Some(format!("it took {time:?}")),
        () => None,
    }
}

fn check(target: &Target, input: &[u8], origin: &str) {
    // Of a process that ends here this is what is left.
    let place = std::env::var("LASER_FUZZ_FOUND").map(|folder| std::path::Path::new(&folder).join(target.name));
    place.iter().for_each(|path| std::fs::write(path, input).unwrap());
    let Some(flaw) = flaw(target, input) else { return };
    let place = place.map_or_else(|_| String::new(), |path| format!(", written to {}", path.display()));
    let start = String::from_utf8_lossy(&input[..input.len().min(400)]).into_owned();
    panic!("{}, {origin}: {flaw}{place}: {start:?}", target.name);
}

fn run(name: &str) {
    let target = target(name).unwrap();
    let inputs = seeds(name);
    assert!(!inputs.is_empty(), "{name} has no seeds");
    for (number, input) in inputs.iter().enumerate() {
        check(target, input, &format!("seed {number}"));
    }
    let fresh = std::env::var_os("LASER_FRESH_SEEDS").map(|_| SystemTime::now().duration_since(UNIX_EPOCH).unwrap());
    let first = fresh.map_or(2312, |time| time.as_nanos() as u64);
    let seconds = std::env::var("LASER_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let (most, until) = match seconds {
        // The same inputs on every machine, as far as a slow one comes.
        None => (2_000, Instant::now() + Duration::from_secs(4)),
        Some(seconds) => (u64::MAX, Instant::now() + Duration::from_secs(seconds)),
    };
    let mut done = 0;
    let longest_seed = inputs.iter().map(Vec::len).max().unwrap_or_default();
    let (mut last, mut generation) = (inputs[0].clone(), 0);
    while done < most && Instant::now() < until {
        let seed = first.wrapping_add(done);
        let mut choices = Choices::new(seed);
        let other = choices.pick(&inputs).clone();
        // Some steps away from a seed, then from another one; few from what has grown long.
        let grown = last.len() > longest_seed.max(SHORT) && !choices.once_in(8);
        generation = if generation == 8 || grown { 0 } else { generation + 1 };
        let from = if generation == 0 { choices.pick(&inputs).clone() } else { last };
        last = mutated(target, &from, &other, &mut choices);
        check(target, &last, &format!("number {seed}"));
        done += 1;
    }
    println!("{name}: {done} inputs");
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            run(stringify!($name));
        })*

        #[test]
        fn every_target_has_its_test() {
            let tested = [$(stringify!($name)),*];
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), tested);
        }
    };
}

targets! {
    safetensors gguf pickle config table tokenizer sentencepiece chat template pattern task data parquet corpus run_folder edit
}
