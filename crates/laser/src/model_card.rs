//! The README.md of an edited model: the hub's YAML header, what was edited and why.

use laser_checkpoint::Checkpoint;
use laser_files::is_own_file;
use laser_report::beginning;
use laser_writers::EditRecord;
use serde_json::{Value, json};
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Longer files are no card and no verdict.
const LONGEST_FILE: u64 = 1 << 28;
/// So many characters of a text of somebody else's are put into a card.
const LONGEST_TEXT: usize = 300;

/// What a model card tells of where the edits come from.
#[derive(Debug, Clone, Default)]
pub struct ModelCard {
    base: String,
    format: String,
    /// The search's verdict.json and run.json.
    search: Option<(Value, Value)>,
    /// The SHA-256 of the text that edits are calibrated on, if some are.
    calibrated_on: Option<String>,
    /// The edits, as they are typed.
    pub edits: String,
}

impl ModelCard {
    /// For edits that were found by the search in the RUN folder that holds `recipe`, if it does.
    pub fn of_recipe(recipe: &Path) -> Self {
        let folder = if recipe.is_dir() { Some(recipe) } else { recipe.parent() };
        let json = |name: &str| -> Option<Value> {
            serde_json::from_slice(&laser_guard::read_file(&folder?.join(name), LONGEST_FILE).ok()?).ok()
        };
        // A verdict on other edits says nothing of these.
        let own = recipe.file_name().filter(|_| !recipe.is_dir()).map(|name| name.to_string_lossy().into_owned());
        let found = json(own.as_deref().unwrap_or("best.json"));
        let is_of_recipe = |verdict: &Value| found.as_ref().is_some_and(|it| it["interventions"] == verdict["best"]);
        let search = json("verdict.json").filter(is_of_recipe).and_then(|verdict| Some((verdict, json("run.json")?)));
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
        // A JSON text is YAML.
        let (named, base) = (json!(base), plain(base));
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
        if let Some((verdict, run)) = &self.search {
            text.push_str(&found(verdict, run));
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
            code(&self.base),
            self.format,
            env!("CARGO_PKG_VERSION")
        );
        text
    }
}

/// What the search found, from its verdict.json and run.json.
fn found(verdict: &Value, run: &Value) -> String {
    let mut text = String::from("\n## Does it help?\n\n");
    let number = |at: &str| verdict.pointer(at).and_then(Value::as_f64).filter(|value| value.abs() <= most_of(at));
    let interval = |at: &str, factor: f64| {
        let end = |end: &str| number(&format!("{at}/{end}")).map(|value| value * factor);
        Some(format!("[{:.1}, {:.1}]", end("low")?, end("high")?))
    };
    let task = code(run.pointer("/task/spec").and_then(Value::as_str).unwrap_or("a task"));
    if let (Some(word), Some(because)) = (verdict["word"].as_str(), verdict["because"].as_str()) {
        let _ = writeln!(text, "Searched on `{task}`. The verdict is **{}**: {}\n", plain(word), plain(because));
    }
    let row = |of: &str| {
        let accuracy = number(&format!("/{of}/test/accuracy"))?;
        let loss = number(&format!("/{of}/test/log_loss"))?;
        let interval = interval(&format!("/{of}/test/accuracy_interval"), 100.0)?;
        Some(format!("| {of} | {:.1} % {interval} | {loss:.4} |\n", 100.0 * accuracy))
    };
    if let (Some(base), Some(edited)) = (row("base"), row("edited")) {
        text.push_str("| on unseen examples | accuracy, with its 95 % interval | log-loss |\n| --- | --- | --- |\n");
        text.push_str(&base);
        text.push_str(&edited);
    }
    if let (Some(gain), Some(interval)) =
        (number("/test/accuracy_gain"), interval("/test/accuracy_gain_interval", 100.0))
    {
        let _ = writeln!(text, "\nGain in accuracy: {:+.1} points, 95 % interval {interval}.", 100.0 * gain);
    }
    let perplexity = |of: &str| number(&format!("/perplexity/{of}")).filter(|&value| value > 0.0);
    if let (Some(base), Some(edited)) = (perplexity("base"), perplexity("edited")) {
        let change = 100.0 * (edited / base - 1.0);
        let _ = writeln!(
            text,
            "\nCost elsewhere: perplexity of a text {base:.2} before, {edited:.2} after ({change:+.1} %)."
        );
    }
    text
}

/// The largest value that a figure of a verdict may have: shares are at most 1.
fn most_of(at: &str) -> f64 {
    if at.contains("accuracy") { 1.0 } else { f64::MAX }
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
    fn a_verdict_of_somebody_elses_is_text_and_its_figures_are_possible_ones() {
        let because =
            "fine\n\n<script>alert(1)</script>\n# OWNED ![](x)\u{1b}]52;c;eA==\u{7}".to_owned() + &"a".repeat(1 << 20);
        let interval = json!({"low": 0.1, "high": 0.2});
        let half =
            |accuracy: f64| json!({"test": {"accuracy": accuracy, "log_loss": 1.0, "accuracy_interval": interval}});
        let verdict = json!({"word": "real", "because": because, "base": half(0.15), "edited": half(123.4),
            "test": {"accuracy_gain": 7.0, "accuracy_gain_interval": interval}, "perplexity": {"base": 2.0, "edited": -5.0}});
        let text = found(&verdict, &json!({"task": {"spec": "x`\n\n![](http://evil/)\u{1b}[31m"}}));
        let expected = "\n## Does it help?\n\nSearched on `x'  ![](http://evil/)␛[31m`. The verdict is **real**: \
            fine  \\<script\\>alert(1)\\</script\\> # OWNED !\\[\\](x)␛\\]52;c;eA==␇";
        assert!(text.starts_with(expected), "{}", &text[..400]);
        assert!(text.len() < 500 && text.ends_with("a…\n\n"), "{text}");
    }
}
