//! The schemas of what `--json` prints, as the book has them. `LASER_WRITE_DOCS=1` writes them anew.

use super::{apply, doctor, dry_run, eval, front, search};
use laser_decision::EpisodesVerdict;
use laser_run::{file_schemas, schema};
use laser_testing::{SchemaPage, hold_docs};
use serde_json::Value;

const HEAD: &str = "# What `--json` prints

With `--json` every command prints one JSON document on standard output, and nothing else there. These
are the documents that other programs read most, field by field, each with its JSON Schema (2020-12).
Fractions are from 0 to 1; losses and divergences are in nats; a value that does not exist is null or
left out, as its schema says.

`laser verdict --json` prints [`verdict.json`](run-folder.md#verdictjson). Commands that are not here
print what their text says, under names that explain themselves.
";

#[test]
fn the_book_has_the_schemas_of_documents() {
    let documents = [
        ("laser eval", "eval", "A model's score on a task.", schema::<eval::Evaluated>("laser eval --json")),
        ("laser search", "search", "What a search found.", schema::<search::SearchDocument>("laser search --json")),
        (
            "laser search --dry-run",
            "dry-run",
            "What a search would take.",
            schema::<dry_run::DryRunDocument>("laser search --dry-run --json"),
        ),
        (
            "laser search --shard",
            "shard",
            "What one shard of a search did.",
            schema::<search::ShardDocument>("laser search --shard --json"),
        ),
        ("laser front", "front", "Gain against cost.", schema::<front::FrontDocument>("laser front --json")),
        ("laser apply", "apply", "What was written.", schema::<apply::ApplyDocument>("laser apply --json")),
        (
            "laser doctor",
            "doctor",
            "What this machine has, and how a model fits it.",
            schema::<doctor::DoctorDocument>("laser doctor --json"),
        ),
    ];
    let mut page = SchemaPage::new(HEAD);
    for (command, stem, about, schema) in documents {
        let path = format!("schemas/json-{stem}.schema.json");
        let schema = schema.to_value();
        hold_docs(&path, &format!("{schema:#}\n"));
        page.add(&format!("`{command}`"), about, &path, &schema);
    }
    let episodes = schema::<EpisodesVerdict>("episodes.json").to_value();
    hold_docs("schemas/episodes.schema.json", &format!("{episodes:#}\n"));
    let about = "The file of a search over [Sokoban](sokoban.md)'s levels, and `episodes` of its `--json`.";
    page.add("`episodes.json`", about, "schemas/episodes.schema.json", &episodes);
    let files: Vec<Value> = file_schemas().into_iter().map(|file| file.schema.to_value()).collect();
    hold_docs("json.md", &page.text("run-folder.md", &files.iter().collect::<Vec<_>>()));
}
