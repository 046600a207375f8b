//! Progress on standard error.

use crate::{output, stopped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use laser_report::visible;
use laser_run::{Progress, Stopped};
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bar with a rate and an ETA when standard error is a terminal, nothing otherwise. Any thread may move it.
pub struct Bar {
    quiet: bool,
    bar: Mutex<ProgressBar>,
    /// What was last said to have been done before.
    done_before: Mutex<String>,
    /// The best so far, as it stands behind the bar.
    best: Mutex<String>,
}

impl Bar {
    pub fn new(quiet: bool) -> Self {
        Self { quiet, bar: Mutex::new(ProgressBar::hidden()), done_before: Mutex::default(), best: Mutex::default() }
    }
}

impl Progress for Bar {
    fn start(&self, what: &str, total: usize, done: usize) {
        if self.quiet {
            return;
        }
        // A composition goes on in many small steps.
        if done > 0 && std::mem::replace(&mut *held(&self.done_before), what.to_owned()) != what {
            self.note(&format!("{what}: {done} of {total} were done before"));
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{msg:>12} {wide_bar} {human_pos}/{human_len}{pace}{prefix}") {
            let told = move |state: &ProgressState, line: &mut dyn Write| {
                let _ = line.write_str(&pace(done as u64, state.pos(), state.len().unwrap_or(0), state.elapsed()));
            };
            bar.set_style(style.with_key("pace", told));
        }
        bar.set_message(visible(what));
        bar.set_prefix(held(&self.best).clone());
        bar.set_position(done as u64);
        *held(&self.bar) = bar;
    }

    fn advance(&self, steps: usize) {
        held(&self.bar).inc(steps as u64);
    }

    fn finish(&self) {
        held(&self.bar).finish_and_clear();
    }

    fn best(&self, text: &str) {
        *held(&self.best) = format!(", best {}", visible(text));
        held(&self.bar).set_prefix(held(&self.best).clone());
    }

    fn note(&self, text: &str) {
        if !self.quiet {
            held(&self.bar).suspend(|| output::complain(text));
        }
    }

    fn pause(&self) -> Result<(), Stopped> {
        stopped::pause()
    }
}

/// The mean rate since the start, and how long the rest takes at it: `, 12/s, 3 min left`. What was done before the start took
/// no time. Nothing as long as nothing is done.
fn pace(before: u64, done: u64, all: u64, elapsed: Duration) -> String {
    let (steps, seconds) = (done.saturating_sub(before) as f64, elapsed.as_secs_f64());
    if steps == 0.0 || seconds <= 0.0 {
        return String::new();
    }
    let rate = match steps / seconds {
        rate @ 10.0.. => format!("{rate:.0}/s"),
        rate @ 1.0.. => format!("{rate:.1}/s"),
        rate => format!("{} each", output::duration(1.0 / rate)),
    };
    let left = seconds / steps * all.saturating_sub(done) as f64;
    format!(", {rate}, {} left", output::duration(left))
}

/// What a mutex guards; a thread that panicked has left nothing half done in it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_told_in_round_figures() {
        let of = |before, done, all, seconds| pace(before, done, all, Duration::from_secs_f64(seconds));
        assert_eq!(of(0, 0, 18, 5.0), "");
        assert_eq!(of(0, 400, 2400, 10.0), ", 40/s, 50 s left");
        assert_eq!(of(0, 5, 20, 2.0), ", 2.5/s, 6 s left");
        // Measuring costs takes seconds for each candidate.
        assert_eq!(of(0, 2, 18, 25.0), ", 13 s each, 3 min left");
        // A resumed search does not count what it found done.
        assert_eq!(of(10_000, 10_000, 16_000, 0.001), "");
        assert_eq!(of(10_000, 10_100, 16_000, 10.0), ", 10/s, 10 min left");
        assert_eq!(of(0, 1, 1000, 100.0), ", 2 min each, 27.8 h left");
        assert_eq!(of(0, 20, 20, 4.0), ", 5.0/s, 0 s left");
    }
}
