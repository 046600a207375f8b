//! Rows that cannot be used, and what becomes of them.

use std::cell::RefCell;

use crate::TaskError;

/// What becomes of a row that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnBadRow {
    /// It is an error.
    Error,
    /// It is left out.
    Skip,
}

/// The rows of a task that were left out because they cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedRows {
    /// How many.
    pub count: usize,
    /// What is wrong with the first.
    pub first: String,
}

/// The rows that have been left out so far.
pub(crate) struct BadRows {
    skip: bool,
    found: RefCell<(usize, Option<TaskError>)>,
}

impl BadRows {
    pub fn new(on_bad_row: OnBadRow) -> Self {
        Self { skip: on_bad_row == OnBadRow::Skip, found: RefCell::new((0, None)) }
    }

    /// Whether such rows are left out, and are no errors.
    pub fn are_left_out(&self) -> bool {
        self.skip
    }

    /// What a row gave; nothing where it is left out.
    pub fn met<T>(&self, row: Result<T, TaskError>) -> Result<Option<T>, TaskError> {
        match row {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.skip => {
                let (count, first) = &mut *self.found.borrow_mut();
                *count += 1;
                first.get_or_insert(error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// What is left of some rows. Where that is nothing, the first one's problem is the task's.
    pub fn left<T>(&self, rows: Vec<Option<T>>) -> Result<Vec<T>, TaskError> {
        let all = rows.len();
        let rows: Vec<T> = rows.into_iter().flatten().collect();
        if rows.is_empty()
            && all > 0
            && let Some(error) = self.first()
        {
            return Err(error);
        }
        Ok(rows)
    }

    /// How many have been left out.
    pub fn count(&self) -> usize {
        self.found.borrow().0
    }

    /// What is wrong with the first.
    pub fn first(&self) -> Option<TaskError> {
        self.found.borrow_mut().1.take()
    }

    /// What has been left out.
    pub fn skipped(&self) -> Option<SkippedRows> {
        let (count, first) = &*self.found.borrow();
        first.as_ref().map(|error| SkippedRows { count: *count, first: error.to_string() })
    }
}

impl SkippedRows {
    /// Those of several tasks.
    pub(crate) fn together(all: impl IntoIterator<Item = Self>) -> Option<Self> {
        all.into_iter().reduce(|sum, more| Self { count: sum.count + more.count, first: sum.first })
    }
}
