//! Long work on a thread of its own, while Python's thread tells how far it is and hears Ctrl-C.

use laser::CommandError;
use laser::run::{Progress, Stopped};
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often Python hears of progress, and whether a signal came.
const EVERY: Duration = Duration::from_millis(50);

/// Edits are made by recursion no deeper than the program's own, on a stack as large as its.
const STACK: usize = 1 << 23;

enum Event {
    Start(String, usize, usize),
    Advance(usize),
    Finish,
    Best(String),
    Note(String),
}

/// What a Python function raised last that work had called.
static RAISED: Mutex<Option<PyErr>> = Mutex::new(None);

/// Keeps what a Python function raised, as the cause of the error that comes of it, and gives it in one line.
pub fn remember(error: PyErr) -> String {
    let line = error.to_string();
    *RAISED.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    line
}

/// What work has to tell, until Python asks for it.
#[derive(Default)]
pub struct Told {
    events: Mutex<Vec<Event>>,
    /// Whether the work is to end.
    stop: AtomicBool,
    /// One piece of work at a time.
    working: Mutex<()>,
}

impl Told {
    fn push(&self, event: Event) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        match (events.last_mut(), event) {
            (Some(Event::Advance(before)), Event::Advance(steps)) => *before += steps,
            (_, event) => events.push(event),
        }
    }

    /// Passes on what there is to `listener`.
    fn pass_on(&self, listener: &Bound<'_, PyAny>) -> PyResult<()> {
        let events = std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner));
        for event in events {
            match event {
                Event::Start(what, total, done) => listener.call_method1("start", (what, total, done))?,
                Event::Advance(steps) => listener.call_method1("advance", (steps,))?,
                Event::Finish => listener.call_method0("finish")?,
                Event::Best(text) => listener.call_method1("best", (text,))?,
                Event::Note(text) => listener.call_method1("note", (text,))?,
            };
        }
        Ok(())
    }

    /// Does `work`, and raises what it, `listener` or a signal raises. A signal ends the work at its next step.
    pub fn wait<T: Send>(
        &self,
        listener: &Bound<'_, PyAny>,
        work: impl FnOnce() -> Result<T, CommandError> + Send,
    ) -> PyResult<T> {
        let py = listener.py();
        let waiting = thread::current();
        thread::scope(|scope| {
            let at_work = || {
                let _turn = self.working.lock().unwrap_or_else(PoisonError::into_inner);
                let done = work();
                waiting.unpark();
                done
            };
            let worker = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, at_work)?;
            let mut interrupted = None;
            while !worker.is_finished() {
                py.detach(|| thread::park_timeout(EVERY));
                if interrupted.is_none()
                    && let Err(error) = self.pass_on(listener).and_then(|()| py.check_signals())
                {
                    self.stop.store(true, Ordering::SeqCst);
                    interrupted = Some(error);
                }
            }
            let done = worker.join();
            self.stop.store(false, Ordering::SeqCst);
            let cause = RAISED.lock().unwrap_or_else(PoisonError::into_inner).take();
            let told = self.pass_on(listener);
            match (interrupted, done) {
                (Some(error), _) => Err(error),
                (None, Ok(Ok(found))) => told.map(|()| found),
                (None, Ok(Err(error))) => {
                    let error = crate::raised(&error);
                    error.set_cause(py, cause);
                    Err(error)
                }
                (None, Err(_)) => Err(crate::Error::new_err("this is a bug of laser: what it printed says where")),
            }
        })
    }
}

impl Progress for Told {
    fn start(&self, what: &str, total: usize, done: usize) {
        self.push(Event::Start(what.to_owned(), total, done));
    }

    fn advance(&self, steps: usize) {
        self.push(Event::Advance(steps));
    }

    fn finish(&self) {
        self.push(Event::Finish);
    }

    fn best(&self, text: &str) {
        self.push(Event::Best(text.to_owned()));
    }

    fn note(&self, text: &str) {
        self.push(Event::Note(text.to_owned()));
    }

    fn go_on(&self) -> Result<(), Stopped> {
        if self.stop.load(Ordering::SeqCst) { Err(Stopped) } else { Ok(()) }
    }
}
