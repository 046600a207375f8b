//! Long work on a thread of its own, while Python's thread tells how far it is and hears Ctrl-C.

use laser::CommandError;
use laser::run::{Progress, Stopped};
use pyo3::prelude::*;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
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

thread_local! {
    /// What a Python function raised last that this thread's work had called.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };

    /// Whose work this thread does, and who waits for it because a Python function that it has called asked for more.
    static WORKING: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

const NESTED: &str = "a scorer cannot use the session that asks it, which waits for it: open another session";

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps what a Python function raised, as the cause of the error that comes of it, and gives it in one line.
pub fn remember(error: PyErr) -> String {
    let line = error.to_string();
    RAISED.set(Some(error));
    line
}

/// What work has to tell, until Python asks for it.
#[derive(Default)]
pub struct Told {
    events: Mutex<Vec<Event>>,
    /// Whether the call is to end whose work is being done.
    stop: Mutex<Arc<AtomicBool>>,
    /// One piece of work at a time.
    working: Mutex<()>,
}

impl Told {
    fn push(&self, event: Event) {
        let mut events = locked(&self.events);
        match (events.last_mut(), event) {
            (Some(Event::Advance(before)), Event::Advance(steps)) => *before += steps,
            (_, event) => events.push(event),
        }
    }

    /// Passes on what there is to `listener`.
    fn pass_on(&self, listener: &Bound<'_, PyAny>) -> PyResult<()> {
        let events = std::mem::take(&mut *locked(&self.events));
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

    /// Waits for the turn of the call that `stop` ends; none if it ends before.
    fn turn(&self, stop: &Arc<AtomicBool>) -> Option<MutexGuard<'_, ()>> {
        loop {
            let turn = match self.working.try_lock() {
                Ok(turn) => turn,
                Err(TryLockError::Poisoned(error)) => error.into_inner(),
                Err(TryLockError::WouldBlock) if stop.load(Ordering::SeqCst) => return None,
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(EVERY);
                    continue;
                }
            };
            *locked(&self.stop) = Arc::clone(stop);
            return Some(turn);
        }
    }

    /// Does `work` when it is its turn, and raises what it, `listener` or a signal raises. A signal ends the work at its next
    /// step.
    pub fn wait<T: Send>(
        &self,
        listener: &Bound<'_, PyAny>,
        work: impl FnOnce() -> Result<T, CommandError> + Send,
    ) -> PyResult<T> {
        let py = listener.py();
        let mut for_whom = WORKING.with_borrow(Clone::clone);
        let own = std::ptr::from_ref(self).addr();
        if for_whom.contains(&own) {
            return Err(crate::Error::new_err(NESTED));
        }
        for_whom.push(own);
        let waiting = thread::current();
        let stop = Arc::new(AtomicBool::new(false));
        thread::scope(|scope| {
            let at_work = || {
                WORKING.set(for_whom);
                let turn = self.turn(&stop);
                let done = turn.is_some().then(work);
                drop(turn);
                waiting.unpark();
                (done, RAISED.take())
            };
            let worker = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, at_work)?;
            let mut interrupted = None;
            while !worker.is_finished() {
                py.detach(|| thread::park_timeout(EVERY));
                if interrupted.is_none()
                    && let Err(error) = self.pass_on(listener).and_then(|()| py.check_signals())
                {
                    stop.store(true, Ordering::SeqCst);
                    interrupted = Some(error);
                }
            }
            let done = worker.join();
            let told = self.pass_on(listener);
            match (interrupted, done) {
                (Some(error), _) => Err(error),
                (None, Ok((Some(Ok(found)), _))) => told.map(|()| found),
                (None, Ok((Some(Err(error)), cause))) => {
                    let error = crate::raised(&error);
                    error.set_cause(py, cause);
                    Err(error)
                }
                (None, Ok((None, _)) | Err(_)) => {
                    Err(crate::Error::new_err("this is a bug of laser: what it printed says where"))
                }
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
        if locked(&self.stop).load(Ordering::SeqCst) { Err(Stopped) } else { Ok(()) }
    }
}
