//! Proves and measures the GPU path on the machine that it runs on.
//!
//!     gpu-check [--reference | --small] [--out FILE] [--seconds N]
//!
//! With `--small` shapes are small, to see quickly whether all runs. With `--reference` small shapes run on this machine's processor, which needs `g++`: so the program can be tried without
//! a GPU. It ends by itself after N seconds (200), whatever happens; what was measured by then is in FILE.

mod block;
mod parts;
mod products;
mod report;
mod shapes;

use laser_cuda::compile::Cache;
use laser_cuda::gpu::Gpu;
use laser_cuda::library::Library;
use laser_cuda::shim::Shim;
use laser_cuda::verify::{CHECKS, Numbers, Size};
use laser_cuda::{Device, Error, Result};
use report::Report;
use shapes::{Filler, SEVEN_B, SMALL, Shapes};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

struct Arguments {
    reference: bool,
    small: bool,
    out: Option<PathBuf>,
    seconds: u64,
}

fn arguments() -> std::result::Result<Arguments, String> {
    let mut found = Arguments { reference: false, small: false, out: None, seconds: 200 };
    let mut given = std::env::args_os().skip(1);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or("a value is missing");
        match argument.to_str() {
            Some("--reference") => found.reference = true,
            Some("--small") => found.small = true,
            Some("--out") => found.out = Some(value()?.into()),
            Some("--seconds") => {
                let seconds = value()?.into_string().ok().and_then(|seconds| seconds.parse().ok());
                found.seconds = seconds.ok_or("--seconds takes a number")?;
            }
            _ => return Err(format!("what is {}?", argument.display())),
        }
    }
    Ok(found)
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let seconds = arguments.seconds;
    // Nothing that hangs keeps the machine: the report is whole after each line.
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(seconds));
        eprintln!("stopped after {seconds} seconds");
        std::process::exit(3);
    });
    let mut report = match Report::new(arguments.out.as_deref()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: the report: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = if arguments.reference { on_processor(&mut report) } else { on_gpu(arguments.small, &mut report) };
    if let Err(error) = outcome {
        report.failure(&error.to_string());
    }
    let (failures, seconds) = (report.failures(), started.elapsed().as_secs_f64());
    report.line(&format!("\n{failures} failures, {seconds:.0} seconds"));
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn on_processor(report: &mut Report) -> Result<()> {
    report.line("# Kernels on this machine's processor: times mean nothing");
    let device = Device::on(Shim::new()?);
    let others = vec![(64, Device::on(Shim::new()?))];
    all(&device, &others, &SMALL, Size::Tiny, report);
    Ok(())
}

fn on_gpu(small: bool, report: &mut Report) -> Result<()> {
    report.line("# Kernels on a GPU");
    report.table("Libraries", &["library", "found"]);
    let mut missing = None;
    for library in Library::ALL {
        let found = library.open();
        let cell = match &found {
            Ok(found) => format!("{found:?}"),
            Err(error) => error.to_string(),
        };
        report.row(&[library.file_name().to_owned(), cell]);
        missing = missing.or(found.err());
    }
    if let Some(error) = missing {
        return Err(error);
    }
    let clock = Instant::now();
    let folder = std::env::temp_dir().join(format!("laser-gpu-check-{}", std::process::id()));
    let cache = || Cache::at(&folder);
    let device = Device::on(Gpu::new(0, cache())?);
    let memory = device.memory()?;
    report.line(&format!(
        "\n{}; {} of {} MB free; started in {:.2} s",
        device.describe(),
        memory.free >> 20,
        memory.total >> 20,
        clock.elapsed().as_secs_f64()
    ));
    let others: Result<Vec<(usize, Device)>> = [16, 256, 1024, 16384]
        .into_iter()
        .map(|rows| Ok((rows, Device::on(Gpu::with_products_for(rows, 0, cache())?))))
        .collect();
    let (shapes, size) = if small { (SMALL, Size::Tiny) } else { (SEVEN_B, Size::Full) };
    all(&device, &others?, &shapes, size, report);
    let clock = Instant::now();
    let again = Device::on(Gpu::new(0, cache())?);
    let check = CHECKS[0].1(&again, Size::Tiny, &mut Numbers::new(1))?;
    let holds = check.iter().all(|check| check.holds());
    let seconds = clock.elapsed().as_secs_f64();
    report
        .line(&format!("\nAnother device with kernels from disk: {seconds:.2} s to the first result, right: {holds}"));
    let _ = std::fs::remove_dir_all(folder);
    Ok(())
}

fn all(device: &Device, others: &[(usize, Device)], shapes: &Shapes, size: Size, report: &mut Report) {
    kernels(device, size, report);
    let mut filler = Filler::new();
    let mut peak = f64::NAN;
    let section = |name: &str, report: &mut Report, outcome: Result<()>| {
        if let Err(error) = outcome {
            report.failure(&format!("{name}: {error}"));
        }
    };
    let outcome = products::speed(device, shapes, &mut filler, report).map(|made| peak = made);
    section("products", report, outcome);
    let outcome = block::speed(device, shapes, &mut filler, peak, report);
    section("block", report, outcome);
    let outcome = products::bits(device, others, shapes, &mut filler, report);
    section("bits", report, outcome);
    let outcome = products::factors(device, shapes, &mut filler, report);
    section("factors", report, outcome);
    let outcome = parts::attention(device, shapes, &mut filler, report);
    section("attention", report, outcome);
    let outcome = parts::read_out(device, shapes, &mut filler, report);
    section("read-out", report, outcome);
    let outcome = parts::memory_bound(device, shapes, &mut filler, report);
    section("memory", report, outcome);
    let outcome = parts::launches(device, report);
    section("launches", report, outcome);
    let outcome = parts::uploads(device, shapes, report);
    section("uploads", report, outcome);
}

/// Every kernel against its formula: all in the file, on the terminal what is wrong.
fn kernels(device: &Device, size: Size, report: &mut Report) {
    let clock = Instant::now();
    report.detail("\n## Kernels against plain formulas\n\n| what | error | allowed | same bits alone |");
    report.detail("| --- | --- | --- | --- |");
    let (mut held, mut worst) = (0, 0.0f64);
    for (name, check) in CHECKS {
        let outcome: std::result::Result<_, Error> = check(device, size, &mut Numbers::new(3));
        match outcome {
            Ok(checks) => {
                for check in checks {
                    let same = if check.same_bits { "yes" } else { "NO" };
                    report
                        .detail(&format!("| {} | {:.1e} | {:.1e} | {same} |", check.name, check.error, check.allowed));
                    if check.holds() {
                        held += 1;
                        worst = worst.max(check.error / check.allowed.max(f64::MIN_POSITIVE));
                    } else {
                        let (error, allowed) = (check.error, check.allowed);
                        report
                            .failure(&format!("{}: error {error:.1e} of {allowed:.1e}, same bits: {same}", check.name));
                    }
                }
            }
            Err(error) => report.failure(&format!("{name}: {error}")),
        }
    }
    let seconds = clock.elapsed().as_secs_f64();
    report.line(&format!(
        "\nKernels: {held} checks hold, the worst at {worst:.2} of what is allowed; {seconds:.1} s with compiling"
    ));
}
