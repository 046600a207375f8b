//! Tables as data: what stands under a figure is what a CSV file holds.

use maud::{Markup, html};
use serde_json::Value;
use std::path::Path;

/// Longer texts may wrap.
const SHORT: usize = 16;

/// A named table.
#[derive(Debug, Clone, PartialEq)]
pub struct DataTable {
    /// The name of its CSV file, without the ending.
    pub name: &'static str,
    /// What it shows.
    pub caption: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// Its rows, as long as the columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name in CSV.
    pub key: String,
    /// Its heading on the page.
    pub label: String,
}

/// A value of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing is known.
    Empty,
    /// A text.
    Text(String),
    /// A number of things.
    Count(usize),
    /// A number, and with how many places it is shown.
    Number(f64, usize),
    /// A fraction, shown in percent.
    Percent(f64),
    /// A change of a fraction, shown in points with its sign.
    Points(f64),
    /// A change, shown with its sign and so many places.
    Change(f64, usize),
}

impl Cell {
    /// As it is shown.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => crate::visible_text::visible(text),
            Self::Count(count) => count.to_string(),
            Self::Number(value, places) => format!("{value:.places$}"),
            Self::Percent(value) => format!("{:.1}", 100.0 * value),
            Self::Points(value) => format!("{:+.1}", 100.0 * value),
            Self::Change(value, places) => format!("{value:+.places$}"),
        }
    }

    /// In full, for a program.
    fn stored(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Number(value, _) | Self::Percent(value) | Self::Points(value) | Self::Change(value, _) => {
                value.to_string()
            }
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// A fraction, if it is known.
    pub fn percent(value: Option<f64>) -> Self {
        value.map_or(Self::Empty, Self::Percent)
    }

    /// A number with three places, if it is known.
    pub fn number(value: Option<f64>) -> Self {
        value.map_or(Self::Empty, |value| Self::Number(value, 3))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl DataTable {
    /// A table of these columns, by CSV name and heading, without rows.
    pub fn new(name: &'static str, caption: impl Into<String>, columns: &[(&str, &str)]) -> Self {
        let column = |(key, label): &(&str, &str)| Column { key: (*key).to_owned(), label: (*label).to_owned() };
        Self { name, caption: caption.into(), columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Whether a column's cells are texts, which stand at its left.
    fn is_of_text(&self, column: usize) -> bool {
        self.rows.iter().filter_map(|row| row.get(column)).any(Cell::is_text)
    }

    /// As HTML, at most `longest` rows; what is left out is counted.
    pub fn html(&self, longest: usize) -> Markup {
        let left_out = self.rows.len().saturating_sub(longest);
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table {
                    caption { (self.caption) }
                    thead {
                        tr {
                            @for (number, column) in self.columns.iter().enumerate() {
                                th.words[self.is_of_text(number)] scope="col" { (column.label) }
                            }
                        }
                    }
                    tbody {
                        @for row in self.rows.iter().take(longest) {
                            tr {
                                @for (number, cell) in row.iter().enumerate() {
                                    @if number == 0 { th scope="row" { (cell.shown()) } }
                                    @else if cell.is_text() {
                                        td.words.text[cell.shown().chars().count() > SHORT] { (cell.shown()) }
                                    }
                                    @else { td { (cell.shown()) } }
                                }
                            }
                        }
                    }
                }
            }
            @if left_out > 0 {
                p.note { (left_out) " more rows: " code { "--csv DIR" } " writes them all." }
            }
        }
    }

    /// As JSON, an object a row by the columns' CSV names.
    pub fn json(&self) -> Vec<Value> {
        let cell = |cell: &Cell| match cell {
            Cell::Empty => Value::Null,
            Cell::Text(text) => text.as_str().into(),
            Cell::Count(count) => (*count).into(),
            Cell::Number(value, _) | Cell::Percent(value) | Cell::Points(value) | Cell::Change(value, _) => {
                (*value).into()
            }
        };
        let row = |row: &Vec<Cell>| {
            self.columns.iter().zip(row).map(|(column, it)| (column.key.clone(), cell(it))).collect::<Value>()
        };
        self.rows.iter().map(row).collect()
    }

    /// As CSV, with numbers in full.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_csv(&self, folder: &Path) -> Result<(), laser_run::Error> {
        let path = folder.join(format!("{}.csv", self.name));
        let mut writer = csv::Writer::from_writer(Vec::new());
        let written = writer
            .write_record(self.columns.iter().map(|column| &column.key))
            .and_then(|()| self.rows.iter().try_for_each(|row| writer.write_record(row.iter().map(Cell::stored))));
        let bytes = written
            .map_err(std::io::Error::from)
            .and_then(|()| writer.into_inner().map_err(|error| std::io::Error::other(error.to_string())));
        let bytes = bytes.map_err(|source| laser_run::Error::Io { path: path.clone(), source })?;
        laser_run::write_whole(&path, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_shown_rounded_and_stored_in_full() {
        let mut table = DataTable::new("scores", "Scores", &[("edits", "edits"), ("accuracy", "accuracy, %")]);
        table.rows.push(vec!["a \"b\", <c>".into(), Cell::Percent(1.0 / 3.0)]);
        table.rows.push(vec!["d".into(), Cell::Empty]);
        let html = table.html(1).into_string();
        assert!(
            html.contains("a &quot;b&quot;, &lt;c&gt;</th><td>33.3</td>") && html.contains("1 more rows"),
            "{html}"
        );
        let folder = tempfile::tempdir().unwrap();
        table.write_csv(folder.path()).unwrap();
        let text = std::fs::read_to_string(folder.path().join("scores.csv")).unwrap();
        assert_eq!(text, "edits,accuracy\n\"a \"\"b\"\", <c>\",0.3333333333333333\nd,\n");
    }
}
