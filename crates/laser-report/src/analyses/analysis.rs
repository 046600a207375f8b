//! What an analysis says, in every form that it is asked for in.

use crate::data_table::{Cell, DataTable};
use crate::page::{page, section};
use crate::table::aligned;
use crate::visible_text::visible;
use maud::{Markup, html};
use serde_json::{Map, Value, json};
use std::path::Path;

/// The outcome of an analysis.
#[derive(Debug, Clone)]
pub struct Analysis {
    /// The name of the command.
    pub name: &'static str,
    /// What is looked at.
    pub title: String,
    /// What came out, a sentence each.
    pub findings: Vec<String>,
    /// The figure.
    pub(crate) figure: Markup,
    /// The numbers.
    pub(crate) tables: Vec<DataTable>,
}

impl Analysis {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.title);
        for finding in &self.findings {
            text.push_str(finding);
            text.push('\n');
        }
        for table in &self.tables {
            let header = table.columns.iter().map(|column| column.label.clone()).collect();
            let rows = table.rows.iter().map(|row| row.iter().map(Cell::shown).collect());
            text.push_str(&format!("\n{}\n\n", table.caption));
            text.push_str(&aligned(&[header].into_iter().chain(rows).collect::<Vec<_>>()));
        }
        text
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let tables: Map<String, Value> =
            self.tables.iter().map(|table| (table.name.to_owned(), Value::from(table.json()))).collect();
        json!({"analysis": self.name, "title": self.title, "findings": self.findings, "tables": tables})
    }

    /// As an HTML page.
    pub fn page(&self) -> String {
        let body = html! {
            header { h1 { (visible(&self.title)) } @for finding in &self.findings { p { (visible(finding)) } } }
            (section("figure", "The figure", &self.figure))
            (section("numbers", "The numbers", &html! { @for table in &self.tables { (table.html(2000)) } }))
        };
        page(&self.title, &body, &self.json())
    }

    /// Writes its tables into `folder`. Returns their names.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_csv(&self, folder: &Path) -> Result<Vec<String>, laser_run::Error> {
        let written = |table: &DataTable| table.write_csv(folder).map(|()| format!("{}.csv", table.name));
        self.tables.iter().map(written).collect()
    }
}
