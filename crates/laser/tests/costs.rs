//! What edits cost elsewhere, and the limits on it.

mod support;

use serde_json::Value;
use support::{Session, fixture, task};

const SPACE: &str = "--layers 1-2 --matrices fc_in,out_proj --rho 0.8,0.3,0.1 --quiet";

fn search(session: &Session, options: &str) -> String {
    session.prints(&format!("search {} --task task.jsonl {SPACE} {options}", fixture("llama").display()))
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn session() -> Session {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    session
}

fn front(session: &Session, options: &str) -> Vec<Value> {
    json(&session.prints(&format!("front run --json {options}")))["front"].as_array().unwrap().clone()
}

#[test]
fn every_search_says_what_its_edits_cost() {
    let session = session();
    let text = search(&session, "--out run");
    assert!(text.contains("Gain against cost on validation") && text.contains("KL divergence from the"), "{text}");
    let verdict = session.json("run/verdict.json");
    assert!(verdict["cost"]["kl"].as_f64().unwrap() > 0.0, "{verdict}");
    let all = front(&session, "--all");
    // All twelve candidates were among the sixteen best, and the unedited model is the first.
    assert_eq!(all.len(), 13);
    assert_eq!(all[0]["interventions"], serde_json::json!([]));
    assert!(all.is_sorted_by_key(|it| (it["kl"].as_f64().unwrap() * 1e9) as u64));
    let mut on_front = front(&session, "");
    assert!(on_front.iter().any(|row| row["chosen"] == true));
    on_front.retain(|row| row["on_front"] == true);
    let accuracy = |it: &Value| it["validation"]["accuracy"].as_f64().unwrap();
    assert!(on_front.windows(2).all(|two| accuracy(&two[0]) < accuracy(&two[1])));
    // Halves differ: what is told of the chosen edits was not measured on what chose them.
    let best = all.iter().find(|it| it["interventions"] == verdict["best"]).unwrap();
    assert_ne!(best["kl"], verdict["cost"]["kl"]);

    let before = ["run/costs.jsonl", "run/journal.jsonl", "run/verdict.json"].map(|file| session.read(file));
    assert_eq!(search(&session, "--out run"), text);
    assert_eq!(before, ["run/costs.jsonl", "run/journal.jsonl", "run/verdict.json"].map(|file| session.read(file)));
}

#[test]
fn limits_are_kept_and_no_candidate_may_be_within_them() {
    let session = session();
    search(&session, "--out run --strategy exhaustive --cost-all");
    let all = front(&session, "--all");
    let kl = |it: &Value| it["kl"].as_f64().unwrap();
    let limit = kl(&all[all.len() / 2]);
    search(&session, &format!("--out limited --strategy exhaustive --max-kl {limit}"));
    let best = session.json("limited/verdict.json")["best"].clone();
    // The best of those that are within the limit, by accuracy and then by log-loss.
    let within = all[1..].iter().filter(|it| kl(it) <= limit);
    let of = |it: &Value, name: &str| it["validation"][name].as_f64().unwrap();
    let expected = within.max_by(|a, b| {
        of(a, "accuracy").total_cmp(&of(b, "accuracy")).then(of(b, "log_loss").total_cmp(&of(a, "log_loss")))
    });
    assert_eq!(best, expected.unwrap()["interventions"]);

    let text = search(&session, "--out none --strategy exhaustive --max-kl 0.0000001");
    assert!(
        text.contains(
            "No candidate that was scored on all examples is within the limits, so nothing is chosen. The nearest is "
        ),
        "{text}"
    );
    assert_eq!(session.json("none/best.json")["interventions"], serde_json::json!([]));
    let verdict = session.json("none/verdict.json");
    assert_eq!(verdict["word"], "noise");
    assert_eq!(verdict["because"], "no candidate is within the limits, so nothing is chosen");
    let verdict = session.prints("verdict none");
    assert!(verdict.starts_with("noise: no candidate is within the limits"), "{verdict}");
    // There is nothing to compare with the base, and nothing to apply.
    assert_eq!(verdict.matches("\nbase ").count(), 1, "{verdict}");
    assert!(!verdict.contains("On test"), "{verdict}");
    let model = fixture("llama").display().to_string();
    let (_, line) = session.fails(&format!("apply {model} --recipe none --out edited"));
    assert!(line.starts_with("error: none: the search chose no edit") && line.contains("laser front none"), "{line}");
    assert!(!session.path("edited").exists());
    // Another limit is another search.
    let other = format!("search {model} --task task.jsonl {SPACE} --out limited --strategy exhaustive --max-kl 0.9");
    assert!(session.fails(&other).1.contains("search.limits.kl"));
}

#[test]
fn a_row_of_the_front_is_applied() {
    let session = session();
    search(&session, "--out run --cost-all");
    let rows = front(&session, "");
    let last = rows.len() - 1;
    let model = fixture("llama").display().to_string();
    let edits = rows[last]["interventions"].clone();
    session.prints(&format!("apply {model} --recipe run --pick {last} --out edited --quiet"));
    let record = session.json("edited/laser.json");
    assert_eq!(record["interventions"].as_array().unwrap().len(), edits.as_array().unwrap().len());
    let (code, line) = session.fails(&format!("apply {model} --recipe run --pick 99 --out other"));
    assert!(code == 2 && line.contains(&format!("the front has the rows 0 to {last}")), "{line}");
    search(&session, "--out bare --no-costs");
    assert!(session.json("bare/verdict.json")["cost"].is_null());
    let (_, line) = session.fails("front bare");
    assert!(line.contains("no costs were measured"), "{line}");
    assert!(session.fails(&format!("apply {model} --recipe bare --pick 0 --out other")).1.contains("no costs"));
}

#[test]
fn guard_tasks_are_told_of_and_limit() {
    let session = session();
    session.write("guard.jsonl", task(40));
    let model = fixture("llama").display().to_string();
    let text = search(&session, "--out run --guard guard.jsonl --max-guard-loss 0pt");
    assert!(text.contains("Guard guard.jsonl: accuracy") && text.contains("guard 1, points"), "{text}");
    // Without the limit another may be chosen; with it none that loses on the guard's validation split.
    let chosen = session.json("run/verdict.json")["best"].clone();
    let rows = front(&session, "--all");
    let row = rows.iter().find(|it| it["interventions"] == chosen);
    assert!(row.is_none_or(|row| row["guards"][0].as_f64().unwrap() >= 0.0), "{row:?}");
    assert!(rows.iter().any(|row| row["guards"][0].as_f64().unwrap() < 0.0), "some lose on the guard");
    let guard = &session.json("run/verdict.json")["cost"]["guards"][0];
    assert_eq!(guard["task"], "guard.jsonl");
    assert_eq!(guard["base"]["n"], 32);
    for (options, refused) in [
        ("--guard task.jsonl", "--guard task.jsonl: this is the task that is searched on"),
        ("--max-guard-loss 1pt", "there is no guard task: add --guard TASK"),
        ("--no-costs --max-kl 1", "cannot be used with"),
        ("--max-perplexity 10", "write it with its sign, such as 10%"),
    ] {
        let (_, line) = session.fails(&format!("search {model} --task task.jsonl {SPACE} --out other {options}"));
        assert!(line.contains(refused), "{line}");
    }
}

#[test]
fn edits_that_are_calibrated_come_back_with_their_text_alone() {
    let session = session();
    search(&session, "--out run --edit whitened=0.3 --edit kfac=0.3 --strategy exhaustive --cost-all --layers 2");
    let scored = session.read("run/journal.jsonl");
    assert!(scored.contains(r#""whitened":0.3"#) && scored.contains(r#""kfac":0.3"#), "{scored}");
    let text = "The rain had stopped before noon. \u{201c}Is it far?\u{201d} she asked, and nobody knew. ".repeat(60);
    session.write("other.txt", text);
    let eval = |options: &str| {
        let model = fixture("llama");
        session.prints(&format!("eval {} --task task.jsonl --json --quiet {options}", model.display()))
    };
    let edit = "--reduce 2.fc_in:whitened=0.3 --reduce 1.out_proj:kfac=0.5";
    let (own, other) = (eval(edit), eval(&format!("{edit} --calibration other.txt")));
    assert_ne!(own, other);
    for (calibration, expected) in [("", own), ("--calibration other.txt", other)] {
        session
            .prints(&format!("apply {} {edit} {calibration} --out edited --force --quiet", fixture("llama").display()));
        let found = json(&session.prints("eval edited --task task.jsonl --json --quiet"));
        let (found, expected) = (found["log_loss"].as_f64().unwrap(), json(&expected)["log_loss"].as_f64().unwrap());
        assert!((found / expected - 1.0).abs() < 1e-5, "{calibration}: {found} {expected}");
    }
    assert!(session.read("edited/README.md").contains("depend on a calibration text, of SHA-256"));
    assert_eq!(session.json("edited/laser.json")["calibration"]["sha256"].as_str().unwrap().len(), 64);
    // In every form; of a patch no text is needed to put it back.
    let model = fixture("llama").display().to_string();
    let both = format!("{edit} --reduce 0.fc_up:stacked=3,0.4");
    for form in ["hf", "hf-factored", "gguf", "patch"] {
        session.prints(&format!("apply {model} {both} --format {form} --out as.{form} --quiet"));
    }
    session.prints(&format!("apply {model} --patch as.patch --out back --quiet"));
    let expected = json(&eval(&both))["log_loss"].as_f64().unwrap();
    for form in ["as.hf", "as.hf-factored", "as.gguf", "back"] {
        let found = json(&session.prints(&format!("eval {form} --task task.jsonl --json --quiet")));
        let found = found["log_loss"].as_f64().unwrap();
        assert!((found / expected - 1.0).abs() < 1e-4, "{form}: {found} {expected}");
    }
    let (_, error) = session.fails(&format!("apply {model} {edit} --format lora --out as.lora --quiet"));
    assert!(error.contains("takes away no sum of singular components"), "{error}");
    let (_, error) = session.fails(&format!("apply {model} --reduce 0.fc_in:1 --format lora --out nothing --quiet"));
    assert!(error.contains("take nothing away"), "{error}");
    // A plain edit's patch can be an adapter all the same.
    session.prints(&format!("apply {model} --reduce 1.fc_in:0.97 --format patch --out plain --quiet"));
    session.prints(&format!("apply {model} --patch plain --format lora --out adapter --quiet"));
    assert!(session.read("adapter/README.md").contains("base_model_relation: adapter\nlibrary_name: peft"));

    // A recipe says which text its edits were found with.
    let mut recipe = session.json("run/best.json");
    recipe["interventions"] = json(r#"[{"layer":2,"matrix":"fc_in","whitened":0.3}]"#);
    recipe["calibration"] = session.json("run/run.json")["search"]["calibration"]["sha256"].clone();
    session.write("run/best.json", recipe.to_string());
    let apply = format!("apply {} --recipe run --out again --quiet", fixture("llama").display());
    session.prints(&apply);
    let (code, error) = session.fails(&format!("{apply} --force --calibration other.txt"));
    assert!(code == 1 && error.contains("its edits are calibrated on another text, of SHA-256"), "{error}");
}
