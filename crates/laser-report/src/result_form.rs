//! How results are written: those that are right or wrong in percent and points, others as they
//! are.

use crate::data_table::Cell;

/// The form of a task's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultForm {
    /// Whether they are right or wrong, so that their mean is an accuracy.
    pub binary: bool,
}

impl ResultForm {
    /// What their mean is called.
    pub fn name(self) -> &'static str {
        if self.binary { "accuracy" } else { "mean result" }
    }

    /// The same as a heading, with its unit.
    pub fn heading(self) -> &'static str {
        if self.binary { "accuracy, %" } else { "mean result" }
    }

    /// `", points"` where a change is in points.
    pub fn points(self) -> &'static str {
        if self.binary { ", points" } else { "" }
    }

    /// `18.5 %` or `0.185`.
    pub fn value(self, value: f64) -> String {
        self.number(value) + if self.binary { " %" } else { "" }
    }

    /// `18.5` or `0.185`.
    pub fn number(self, value: f64) -> String {
        if self.binary { format!("{:.1}", 100.0 * value) } else { format!("{value:.3}") }
    }

    /// A change with its sign: `+1.2` or `+0.012`.
    pub fn signed(self, change: f64) -> String {
        if self.binary { format!("{:+.1}", 100.0 * change) } else { format!("{change:+.3}") }
    }

    /// A change with its sign and unit: `+1.2 points` or `+0.012`.
    pub fn change(self, change: f64) -> String {
        self.signed(change) + if self.binary { " points" } else { "" }
    }

    /// A change as it stands in a sentence, with a sign only below zero: `1.2 points` or `0.012`.
    pub fn size(self, change: f64) -> String {
        self.number(change) + if self.binary { " points" } else { "" }
    }

    /// A mean in a table.
    pub fn cell(self, value: f64) -> Cell {
        if self.binary { Cell::Percent(value) } else { Cell::Number(value, 3) }
    }

    /// A change in a table.
    pub fn change_cell(self, change: f64) -> Cell {
        if self.binary { Cell::Points(change) } else { Cell::Change(change, 3) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_are_percent_and_other_means_are_as_they_are() {
        let (right, other) = (ResultForm { binary: true }, ResultForm { binary: false });
        assert_eq!((right.value(0.185), right.change(-0.012)), ("18.5 %".into(), "-1.2 points".into()));
        assert_eq!((other.value(0.185), other.change(2.5)), ("0.185".into(), "+2.500".into()));
        assert_eq!((right.size(0.0525), other.size(-0.5)), ("5.2 points".into(), "-0.500".into()));
        assert_eq!(other.change_cell(2.5).shown(), "+2.500");
    }
}
