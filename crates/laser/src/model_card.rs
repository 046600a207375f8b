//! The README.md of an edited model: the hub's YAML header, what was edited and why.

use crate::recipe_file::JudgedEdits;
use laser_checkpoint::Checkpoint;
use laser_files::is_own_file;
use laser_report::{ResultForm, because, beginning, last_part, quoted, visible};
use laser_run::{Interval, PerplexityChange};
use laser_writers::EditRecord;
use serde_json::json;
use std::fmt::Write;
use std::fs;

/// A longer README.md is not read as a card.
const LONGEST_FILE: u64 = 1 << 28;
/// So many characters of a text of somebody else's are put into a card.
const LONGEST_TEXT: usize = 300;

/// What a model card tells of where the edits come from.
#[derive(Debug, Clone, Default)]
pub struct ModelCard {
    base: String,
    format: String,
    search: Option<JudgedEdits>,
    /// The SHA-256 of the text that edits are calibrated on, if some are.
    calibrated_on: Option<String>,
    /// The edits, as they are typed.
    pub edits: String,
}

impl ModelCard {
    /// For edits that a search has found.
    pub fn of_search(search: Option<JudgedEdits>) -> Self {
        Self { search, ..Self::default() }
    }

    pub(crate) fn of(self, base: String, format: &str) -> Self {
        Self { base, format: format.to_owned(), ..self }
    }

    /// The same, whose edits are calibrated on the text with this hash.
    pub(crate) fn calibrated_on(self, sha256: String) -> Self {
        Self { calibrated_on: Some(sha256), ..self }
    }

    /// The card of a model that these edits made of `checkpoint`.
    pub(crate) fn text(&self, checkpoint: &Checkpoint, edits: &[EditRecord]) -> String {
        let mut text = String::from("---\n");
        let base = &self.base;
        if let Some(license) = license(checkpoint) {
            let _ = writeln!(text, "license: {license}");
        }
        let task = if checkpoint.config().masked { "fill-mask" } else { "text-generation" };
        let (relation, library) =
            if self.format == "lora" { ("adapter", "peft") } else { ("finetune", "transformers") };
        // A JSON text is YAML, but for the control characters that JSON leaves as they are.
        let (named, base) = (json!(visible(base)), plain(base));
        let _ = write!(
            text,
            "base_model: {named}\nbase_model_relation: {relation}\nlibrary_name: {library}\npipeline_tag: {task}\n\
             tags:\n- laser\n- rank-reduction\n---\n\n# {base}, edited by LASER\n\n\
             Matrices of {base} were replaced by approximations of lower rank (LASER, \
             [arXiv 2312.13558](https://arxiv.org/abs/2312.13558)). Nothing was trained.\n\n\
             ## What was edited\n\n| edit | shape | rank kept | change, relative |\n| --- | --- | --- | --- |\n"
        );
        for edit in edits {
            let [rows, cols] = edit.shape;
            let rank = edit.kept_rank.map_or("-".to_owned(), |rank| format!("{rank} of {}", rows.min(cols)));
            let _ =
                writeln!(text, "| `{}` | {rows} x {cols} | {rank} | {:.3} |", edit.intervention, edit.relative_error);
        }
        if let Some(sha256) = &self.calibrated_on {
            let _ = writeln!(text, "\nThey depend on a calibration text, of SHA-256 `{sha256}` (`--calibration`).");
        }
        if let Some(judged) = &self.search {
            text.push_str(&found(judged));
        }
        if self.format == "hf-factored" {
            text.push_str(
                "\n## How to open it\n\nSome matrices are two thin ones each; `modeling_laser.py` says how.\n\n\
                 ```python\nfrom transformers import AutoModelForCausalLM\n\
                 model = AutoModelForCausalLM.from_pretrained(\"THIS FOLDER\", trust_remote_code=True)\n```\n",
            );
        }
        let reduce: String = edits.iter().map(|edit| format!(" --reduce {}", edit.intervention)).collect();
        let _ = write!(
            text,
            "\n## How to make it again\n\n```\nlaser apply {}{reduce} --format {} --out PATH\n```\n\n\
             `laser.json` has the hashes of the files that it was made from. Version of laser: {}.\n",
            code(&quoted(&self.base)),
            self.format,
            env!("CARGO_PKG_VERSION")
        );
        text
    }
}

/// What the search found.
fn found(judged: &JudgedEdits) -> String {
    let JudgedEdits { task, verdict } = judged;
    let form = ResultForm { binary: verdict.is_binary() };
    let interval = |of: Interval| format!("[{}, {}]", form.number(of.low), form.number(of.high));
    let mut text = String::from("\n## Does it help?\n\n");
    let because = plain(&because(verdict));
    let _ =
        writeln!(text, "Searched on `{}`. The verdict is **{}**: {because}\n", code(&last_part(task)), verdict.word());
    let name = form.name();
    let _ = write!(text, "| on unseen examples | {name}, with its 95 % interval | log-loss |\n| --- | --- | --- |\n");
    for (of, scores) in [("base", &verdict.base.test), ("edited", &verdict.edited.test)] {
        let (value, loss) = (form.value(scores.score.accuracy), scores.score.log_loss);
        let _ = writeln!(text, "| {of} | {value} {} | {loss:.4} |", interval(scores.accuracy_interval));
    }
    let (gain, within) = (form.change(verdict.test.accuracy_gain), interval(verdict.test.accuracy_gain_interval));
    let _ = writeln!(text, "\nGain in {name}: {gain}, 95 % interval {within}.");
    if let Some(PerplexityChange { base, edited, .. }) = &verdict.perplexity {
        let change = 100.0 * (edited / base - 1.0);
        let _ = writeln!(
            text,
            "\nCost elsewhere: perplexity of a text {base:.2} before, {edited:.2} after ({change:+.1} %)."
        );
    }
    text
}

/// The beginning of a text of somebody else's, in one line.
fn one_line(text: &str) -> String {
    let line: String = text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
    beginning(&line, LONGEST_TEXT)
}

/// The same for a place between backticks.
fn code(text: &str) -> String {
    one_line(text).replace('`', "'")
}

/// The same as Markdown that says nothing but itself.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in one_line(text).chars() {
        if "\\`*[]<>|".contains(letter) {
            plain.push('\\');
        }
        plain.push(letter);
    }
    plain
}

/// The name of the unedited model: its id on the hub if it lies in the hub's cache, otherwise that of its
/// folder or file.
pub(crate) fn base_model(checkpoint: &Checkpoint) -> String {
    let path = fs::canonicalize(checkpoint.path()).unwrap_or_else(|_| checkpoint.path().to_owned());
    let names = path.iter().filter_map(|name| name.to_str());
    let in_cache = names.filter_map(|name| name.strip_prefix("models--")).next_back();
    let id = in_cache.and_then(|name| name.split_once("--")).map(|(owner, name)| format!("{owner}/{name}"));
    id.unwrap_or_else(|| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
}

/// The licence that the unedited model's card or GGUF file names.
fn license(checkpoint: &Checkpoint) -> Option<String> {
    const KEY: &str = "general.license";
    let named = match checkpoint.metadata(&[KEY]).ok()? {
        Some(metadata) => metadata.get(KEY)?.as_str()?.to_owned(),
        None => {
            let path = checkpoint.path().join("README.md");
            is_own_file(checkpoint.path(), &path).ok().filter(|&is_own| is_own)?;
            let card = laser_guard::read_text(&path, LONGEST_FILE).ok()?;
            let header = card.strip_prefix("---")?.split("\n---").next()?.to_owned();
            let line = header.lines().find_map(|line| line.strip_prefix("license:"))?;
            line.trim().trim_matches(['"', '\'']).to_owned()
        }
    };
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-._+ ".contains(letter);
    (!named.is_empty() && named.len() < 100 && named.chars().all(is_plain)).then_some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_somebody_elses_says_nothing_but_itself() {
        let text =
            "fine\n\n<script>alert(1)</script>\n# OWNED ![](x)\u{1b}]52;c;eA==\u{7}".to_owned() + &"a".repeat(1 << 20);
        let found = plain(&text);
        let expected = "fine  \\<script\\>alert(1)\\</script\\> # OWNED !\\[\\](x)␛\\]52;c;eA==␇aaa";
        assert!(found.starts_with(expected) && found.len() < 400 && found.ends_with("a…"), "{found}");
        assert_eq!(code("x`\n\n![](http://evil/)\u{1b}[31m"), "x'  ![](http://evil/)␛[31m");
    }
}
