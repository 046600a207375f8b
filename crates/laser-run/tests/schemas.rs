//! The schemas of a RUN folder's files, as the book has them. `LASER_WRITE_DOCS=1` writes them anew.

use laser_run::file_schemas;
use laser_testing::{SchemaPage, hold_docs};
use serde_json::Value;

const HEAD: &str = "# Files of a RUN folder

What each file of a RUN folder holds, field by field, as this version writes it. A JSON Schema (2020-12)
stands beside each. Files of older versions may lack fields, and are read all the same. Fractions are
from 0 to 1: 0.01 is one point of accuracy. Losses and divergences are in nats. A `.jsonl` file has one
JSON document per line.

Beside these there are `report.html` ([the run as a page](report.md)), `lock`, which is empty and held
by the process that writes the folder, and `shards/I-of-N`, the RUN folder of each shard. A run of
[Sokoban](sokoban.md) has `episodes.json` and `example.svg`, too.
";

#[test]
fn the_book_has_the_schema_of_every_file() {
    let mut page = SchemaPage::new(HEAD);
    for file in file_schemas() {
        let stem = file.name.split('.').next().unwrap();
        let path = format!("schemas/{stem}.schema.json");
        let schema: Value = file.schema.to_value();
        hold_docs(&path, &format!("{schema:#}\n"));
        page.add(&format!("`{}`", file.name), file.about, &path, &schema);
    }
    hold_docs("run-folder.md", &page.text("", &[]));
}

/// Schemas are told from doc comments: a field without one is described nowhere.
#[test]
fn every_field_is_described() {
    for file in file_schemas() {
        let schema = file.schema.to_value();
        let objects = schema["$defs"].as_object().into_iter().flatten().map(|(name, part)| (name.as_str(), part));
        for (name, object) in objects.chain([(file.name, &schema)]) {
            for (field, it) in object["properties"].as_object().into_iter().flatten() {
                assert!(it["description"].is_string(), "{}: {name}.{field} is not described", file.name);
            }
        }
    }
}
