//! Progress on standard error.

use crate::{output, stopped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use laser_report::visible;
use laser_run::{Progress, Stopped};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
            self.note(&format!("{what}: {done} of {total} evaluations were done before"));
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
        let template = "{msg:>12} {wide_bar} {human_pos}/{human_len}, {per_sec}, ETA {eta}{prefix}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(visible(what));
        bar.set_prefix(held(&self.best).clone());
        bar.set_position(done as u64);
        bar.reset_eta();
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

/// What a mutex guards; a thread that panicked has left nothing half done in it.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
