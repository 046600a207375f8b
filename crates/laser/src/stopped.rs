//! Ends that come from outside: signals, and memory that is gone.

use crate::cli::{AnalysisChoice, Command, SokobanCommand};
use laser_run::Stopped;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a signal is just ending the process.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Whether the work is to end where it can rest.
static RESTING: AtomicBool = AtomicBool::new(false);
/// Whether it has been told so.
static RESTED: AtomicBool = AtomicBool::new(false);

/// Whether work goes on, asked where nothing is lost by ending.
pub fn pause() -> Result<(), Stopped> {
    if RESTING.load(Ordering::SeqCst) {
        RESTED.store(true, Ordering::SeqCst);
        return Err(Stopped);
    }
    Ok(())
}

/// The exit code of a command that a signal has ended in a pause: what failed then, failed by that. Says so.
pub fn rested(command: &Command) -> Option<u8> {
    RESTED.load(Ordering::SeqCst).then(|| {
        crate::output::complain(&format!("error: stopped by SIGTERM: {}", advice(command)));
        TRY_AGAIN
    })
}

/// Waits for the end if a signal is ending the process: whatever failed by that is not an error of its own.
pub fn give_way() {
    while STOPPING.load(Ordering::SeqCst) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Writes `pieces` as they are and ends the process at once: nothing is allocated, locked or run on the way out.
pub fn end(pieces: &[&[u8]]) -> ! {
    #[cfg(unix)]
    {
        for piece in pieces {
            // SAFETY: the piece's bytes are there; if standard error is closed, the call fails.
            let _ = unsafe { libc::write(2, piece.as_ptr().cast(), piece.len()) };
        }
        signal_hook::low_level::exit(1)
    }
    #[cfg(not(unix))]
    {
        use std::io::Write;
        let _ = pieces.iter().try_for_each(|piece| std::io::stderr().write_all(piece));
        std::process::exit(1)
    }
}

/// What is left of a command that was stopped, and how it goes on.
fn advice(command: &Command) -> &'static str {
    match command {
        // It keeps what it tries in a temporary folder.
        Command::Search(options) if options.dry_run => "nothing was written: run the same command again",
        Command::Search(_) | Command::Merge(_) | Command::Demo(_) => {
            "what has been scored is kept: run the same command again to resume"
        }
        Command::Analyze(options) if matches!(options.analysis, AnalysisChoice::Table(_)) => {
            "what has been scored is kept: run the same command again to resume"
        }
        Command::Sokoban(options)
            if matches!(options.command, SokobanCommand::Train(_) | SokobanCommand::Search(_)) =>
        {
            "what has been reached is kept: run the same command again to resume"
        }
        Command::Apply(_) => "nothing was written: run the same command again",
        Command::Report(_) | Command::Analyze(_) => "no file is half written: run the same command again",
        _ => "run the same command again",
    }
}

/// The same of an `apply` that had written all before the signal came.
#[cfg(unix)]
const PLACED: &str = "what was to be written is there, whole";

/// What a scheduler takes as: run it again (EX_TEMPFAIL of sysexits.h).
const TRY_AGAIN: u8 = 75;

/// Whether a signal ends a command in its next pause: a shard that a scheduler stops is to be run again.
#[cfg(unix)]
fn rests(command: &Command, signal: i32) -> bool {
    let is_shard = matches!(command, Command::Search(search) if search.shard.is_some());
    is_shard && signal == signal_hook::consts::SIGTERM
}

/// The exit code where a signal ends a command.
#[cfg(unix)]
fn code(command: &Command, signal: i32) -> i32 {
    if rests(command, signal) { TRY_AGAIN.into() } else { 128 + signal }
}

/// From now on SIGHUP, SIGINT and SIGTERM end the process with one line and exit code 129, 130 or 143, and leave no temporary file.
/// A shard finishes what it has in hand after SIGTERM, and ends with 75. A second one ends it without any ado. A signal that the
/// process was started to ignore stays ignored. A file that was cut while it is mapped (SIGBUS) is an error in one line, too.
#[cfg(unix)]
pub fn watch(command: &Command) -> anyhow::Result<()> {
    use anyhow::Context;
    use signal_hook::consts::{SIGBUS, SIGHUP, SIGINT, SIGTERM};
    use signal_hook::{flag, iterator::Signals, low_level};
    use std::sync::Arc;

    let failed = "signals cannot be waited for: raise the limits of this process";
    let (advice, is_apply) = (advice(command), matches!(command, Command::Apply(_)));
    let again = Arc::new(AtomicBool::new(false));
    let heeded: Vec<i32> = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|&signal| !is_ignored(signal)).collect();
    for &signal in &heeded {
        // In this order: the first one only arms it.
        flag::register_conditional_shutdown(signal, code(command, signal), again.clone()).context(failed)?;
        flag::register(signal, again.clone()).context(failed)?;
    }
    let term_rests = rests(command, SIGTERM);
    let mut signals = Signals::new(&heeded).context(failed)?;
    let wait = move || {
        if let Some(signal) = signals.forever().next() {
            if signal == SIGTERM && term_rests {
                RESTING.store(true, Ordering::SeqCst);
                return;
            }
            STOPPING.store(true, Ordering::SeqCst);
            laser_files::abandon_all();
            let advice = if is_apply && laser_files::has_placed() { PLACED } else { advice };
            let name = match signal {
                SIGHUP => "SIGHUP",
                SIGINT => "SIGINT",
                _ => "SIGTERM",
            };
            stop(&format!("error: stopped by {name}: {advice}"), 128 + signal);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).stack_size(1 << 17).spawn(wait).context(failed)?;
    // SAFETY: the action may run inside of any code, and does nothing but write to standard error and end the process, both
    // of which POSIX allows there. It never returns to the access that failed.
    let registered = unsafe { low_level::register(SIGBUS, || end(&[CUT])) };
    registered.map(drop).context(failed)
}

/// Whether whoever started the process has it ignore a signal, as a script's `&` and `trap ''` do.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let mut found = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with no new action it only writes the present one to `found`, for which any bytes will do.
    unsafe {
        libc::sigaction(signal, std::ptr::null(), found.as_mut_ptr()) == 0
            && found.assume_init().sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(unix)]
const CUT: &[u8] =
    b"error: a model file was cut while it was read (SIGBUS): put the whole file back, leave it alone, and run \
the same command again\n";

#[cfg(not(unix))]
pub fn watch(command: &Command) -> anyhow::Result<()> {
    let _ = advice(command);
    Ok(())
}

/// Says why and ends. A progress bar that is being drawn is wiped.
#[cfg(unix)]
fn stop(line: &str, code: i32) -> ! {
    use std::io::IsTerminal;
    let stderr = std::io::stderr();
    if stderr.is_terminal() {
        // Back to the beginning of the line, which is erased; the cursor is shown.
        let wipe = "\r\x1b[2K\x1b[?25h";
        let _ = std::io::Write::write_all(&mut stderr.lock(), wipe.as_bytes());
    }
    crate::output::complain(line);
    std::process::exit(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    #[test]
    fn what_keeps_nothing_does_not_say_that_it_does() {
        let search = ["laser", "search", "m", "--task", "t", "--out", "r"];
        let advice = |words: &[&str]| advice(&Cli::try_parse_from(words).unwrap().command);
        assert!(advice(&search).contains("what has been scored is kept"));
        let dry_run = [&search[..], &["--dry-run"]].concat();
        assert_eq!(advice(&dry_run), "nothing was written: run the same command again");
    }
}
