//! Every strategy as a user runs it.

mod support;

use serde_json::Value;
use support::{Session, fixture, task};

const SPACE: &str = "--matrices mlp,out_proj --rho 0.8,0.5,0.2,0.1 --quiet";

fn search(session: &Session, options: &str) -> String {
    let model = fixture("llama").display().to_string();
    session.prints(&format!("search {model} --task task.jsonl {SPACE} {options}"))
}

fn account(session: &Session, run: &str) -> Value {
    session.json(&format!("{run}/strategy.json"))
}

#[test]
fn a_race_scores_few_examples_and_says_what_it_may_have_missed() {
    let session = Session::new();
    session.write("task.jsonl", task(400));
    let text = search(&session, "--strategy race --out run");
    assert!(text.contains("Race: 48 on 5") && text.contains(" 95 %, none "), "{text}");
    let account = account(&session, "run");
    assert_eq!((&account["space"], &account["examples"]), (&48.into(), &80.into()));
    assert!(account["evaluations"].as_u64().unwrap() < 48 * 80 / 2);
    // Run again, it is finished, and says the same.
    assert_eq!(search(&session, "--strategy race --out run"), text);
    let message = session.fails(&format!(
        "search {} --task task.jsonl {SPACE} --strategy gradient --out run",
        fixture("llama").display()
    ));
    assert!(message.1.contains("search.strategy differs"), "{}", message.1);
}

#[test]
fn a_gradient_is_compared_with_an_exhaustive_search() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    search(&session, "--strategy exhaustive --out all");
    assert!(account(&session, "all")["gradient"].is_null());
    let text = search(&session, "--strategy gradient --gradient-examples 10 --compare all --out run");
    assert!(text.contains("one backward pass over 10 examples ranked all; the first 24 raced"), "{text}");
    assert!(text.contains("of its best 10 are among them"), "{text}");
    assert_eq!(session.json("run/gradient.json").as_array().unwrap().len(), 48);
    assert_eq!(session.json("run/run.json")["search"]["gradient_examples"], 10);
}

#[test]
fn a_ranking_of_other_candidates_is_refused() {
    let session = Session::new();
    session.write("task.jsonl", task(50));
    search(&session, "--strategy gradient --gradient-examples 5 --out run");
    let mut ranking = session.json("run/gradient.json");
    ranking.as_array_mut().unwrap().pop();
    session.write("run/gradient.json", ranking.to_string());
    let again = format!(
        "search {} --task task.jsonl {SPACE} --strategy gradient --gradient-examples 5 --out run",
        fixture("llama").display()
    );
    let (_, message) = session.fails(&again);
    assert!(message.contains("gradient.json: it is not the ranking of this search's candidates: remove"), "{message}");
}

#[test]
fn compositions_tell_their_steps_and_are_applied() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    for options in ["--strategy compose --start gradient", "--strategy beam --width 2"] {
        let run = options.split(' ').nth(1).unwrap();
        let text = search(&session, &format!("{options} --out {run}"));
        let steps = account(&session, run)["steps"].as_array().unwrap().clone();
        assert!(text.contains("Step 1: ") && !steps.is_empty(), "{text}");
        assert_eq!(session.json(&format!("{run}/best.json"))["interventions"], steps.last().unwrap()["interventions"]);
        session.prints(&format!("apply {} --recipe {run} --out {run}-edited --quiet", fixture("llama").display()));
    }
}

#[test]
fn the_papers_approximation_is_an_edit_like_others() {
    let session = Session::new();
    session.write("task.jsonl", task(50));
    search(&session, "--paper-compat --layers 2 --out run");
    let best = session.json("run/best.json");
    assert!(best["interventions"][0]["randomised"].is_number(), "{best}");
    assert_eq!(session.json("run/run.json")["search"]["randomised"], true);
    let model = fixture("llama").display().to_string();
    let log_loss = |edit: &str| {
        let text = session.prints(&format!("eval {model} --task task.jsonl --json --quiet --reduce 1.fc_in:{edit}"));
        serde_json::from_str::<Value>(&text).unwrap()["log_loss"].as_f64().unwrap()
    };
    assert_ne!(log_loss("randomised=0.3"), log_loss("0.3"));
    assert_eq!(log_loss("randomised=1"), log_loss("1"));
}

#[test]
fn comparing_in_bf16_tells_what_it_changes() {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let options = "--layers 1-2 --dtype bf16 --out run";
    #[cfg(target_arch = "x86_64")]
    let has_bf16 = std::arch::is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    let has_bf16 = false;
    if !has_bf16 {
        let model = fixture("llama").display().to_string();
        let message = session.fails(&format!("search {model} --task task.jsonl {SPACE} {options}"));
        assert!(message.1.contains("products in bf16 cannot be used"), "{}", message.1);
        return;
    }
    let text = search(&session, options);
    assert!(text.contains("On validation, bf16 for f32:\nbase: "), "{text}");
    let rounding = session.json("run/rounding.json");
    let (rounded, exact) = (&rounding[1]["rounded"]["log_loss"], &rounding[1]["exact"]["log_loss"]);
    let (rounded, exact) = (rounded.as_f64().unwrap(), exact.as_f64().unwrap());
    assert!(rounded != exact && (rounded - exact).abs() < 0.05, "{rounded} for {exact}");
    assert_eq!(rounding[1]["interventions"], session.json("run/best.json")["interventions"]);
    // The test split is scored in f32: as by a search that compares in f32.
    let base = |run: &str| {
        let journal = session.read(&format!("{run}/journal.jsonl"));
        let entries = journal.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of = |split: &str| {
            let base = |entry: &Value| entry["split"] == split && entry["interventions"].as_array().unwrap().is_empty();
            entries.clone().find(base).unwrap()["score"]["log_loss"].clone()
        };
        [of("validation"), of("test")]
    };
    search(&session, "--layers 1-2 --out exact");
    let (in_bf16, in_f32) = (base("run"), base("exact"));
    assert_ne!(in_bf16[0], in_f32[0]);
    assert_eq!(in_bf16[1], in_f32[1]);
    assert_eq!(search(&session, options), text);
    // Without what bf16 changed its figures would look like those of f32.
    std::fs::remove_file(session.path("run/rounding.json")).unwrap();
    assert!(session.fails("verdict run").1.contains("rounding.json: it is missing"));
    assert_eq!(search(&session, options), text);
}

#[test]
fn options_that_a_strategy_does_not_heed_are_refused() {
    let session = Session::new();
    session.write("task.jsonl", task(50));
    let model = fixture("llama").display().to_string();
    for (options, refused) in [
        ("--strategy race --width 2", "--width means nothing to --strategy race: it is for --strategy beam"),
        (
            "--strategy exhaustive --start race",
            "--start means nothing to --strategy exhaustive: it is for --strategy compose, beam or evolve",
        ),
        ("--evaluations 9", "--evaluations means nothing to --strategy race: it is for --strategy evolve"),
        (
            "--strategy compose --gradient-examples 5",
            "--gradient-examples means nothing to --strategy compose: it is for",
        ),
        ("--strategy noise-edge --rho 0.5", "--rho means nothing to --strategy noise-edge: it is for all but it"),
        ("--strategy beam --compare run", "--compare means nothing to --strategy beam: it is for --strategy gradient"),
    ] {
        let (code, message) = session.fails(&format!("search {model} --task task.jsonl {options} --out run"));
        assert!(code == 2 && message.contains(refused), "{code} {message}");
        assert!(!session.list().iter().any(|name| name == "run"));
    }
}

#[test]
fn a_fresh_composition_does_not_claim_earlier_work() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    for strategy in ["compose", "beam"] {
        let run = |layers: &str| {
            let arguments = format!(
                "search {} --task task.jsonl {} --strategy {strategy} --layers {layers} --out {strategy}",
                fixture("llama").display(),
                SPACE.replace("--quiet", "")
            );
            let output = session.laser(&arguments).output().unwrap();
            assert!(output.status.success());
            String::from_utf8(output.stderr).unwrap()
        };
        assert!(!run("1-2").contains("were done before"));
        // Run again, all of it was.
        assert!(run("1-2").contains("were done before"));
    }
}

#[test]
fn a_finished_search_goes_on() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    search(&session, "--out run --no-costs --layers 1-2");
    let candidates = |run: &str| session.read(&format!("{run}/journal.jsonl")).lines().count();
    let raced = candidates("run");
    let text = search(&session, "--out run --no-costs --layers 1-2 --more 1");
    assert!(candidates("run") >= raced + 24 && session.read("run/run.json").contains("\"more\": 1"), "{text}");
    let further = search(&session, "--out run --no-costs --layers 1-2 --more 100");
    // At once it comes to the same end.
    assert_eq!(search(&session, "--out whole --no-costs --layers 1-2 --more 100"), further);
    let file = |run: &str, name: &str| session.read(&format!("{run}/{name}"));
    for name in ["run.json", "best.json", "verdict.json", "strategy.json"] {
        assert_eq!(file("run", name), file("whole", name), "{name}");
    }
}

#[test]
fn a_search_takes_over_what_another_has_scored() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    search(&session, "--strategy race --out race");
    let alone = search(&session, "--strategy beam --width 2 --max-kl 0.5 --out alone");
    let reusing = search(&session, "--strategy beam --width 2 --max-kl 0.5 --reuse race --out reusing");
    assert_eq!(reusing, alone);
    for file in ["best.json", "verdict.json", "strategy.json"] {
        assert_eq!(session.read(&format!("reusing/{file}")), session.read(&format!("alone/{file}")), "{file}");
    }
    // It reads the other's results: with one changed in a way that its own line allows, it comes to another end.
    let journal = session.read("race/journal.jsonl");
    let base = journal.lines().next().unwrap();
    let mut changed: Value = serde_json::from_str(base).unwrap();
    let n = changed["score"]["n"].as_u64().unwrap();
    changed["correct"] = "1".repeat(usize::try_from(n).unwrap()).into();
    changed["score"]["accuracy"] = 1.0.into();
    session.write("race/journal.jsonl", journal.replacen(base, &changed.to_string(), 1));
    search(&session, "--strategy race --reuse race --out other");
    assert_eq!(session.json("other/verdict.json")["base"]["validation"]["accuracy"], 1.0);
    // Two that do not agree are not put together.
    let model = fixture("llama").display().to_string();
    let both = format!("search {model} --task task.jsonl {SPACE} --reuse race --reuse alone --out both");
    let message = session.fails(&both).1;
    assert!(message.contains("the RUN folders that are to be put together do not agree on base"), "{message}");
    // Nothing of them was taken over.
    search(&session, "--reuse alone --out both");
    let base = |run: &str| session.json(&format!("{run}/verdict.json"))["base"].clone();
    assert_eq!(base("both"), base("alone"));

    let message = session.fails(&format!(
        "search {} --task task.jsonl {SPACE} --limit 50 --reuse race --out half",
        fixture("llama").display()
    ));
    assert!(
        message.1.contains("race: its results cannot be reused: the task, or the sample of it, differs: give a RUN of"),
        "{}",
        message.1
    );
}

#[test]
fn shards_are_merged_to_the_search_that_one_process_makes() {
    let session = Session::new();
    session.write("task.jsonl", task(100));
    let model = fixture("llama").display().to_string();
    let search = |options: &str| format!("search {model} --task task.jsonl {SPACE} {options}");
    let exhaustive = "--strategy exhaustive --max-kl 0.5 --cost-all";
    session.prints(&search(&format!("{exhaustive} --out whole")));
    let layers = session.json("whole/run.json")["search"]["layers"].as_array().unwrap().len();

    session.prints(&search(&format!("{exhaustive} --out run --shard 2/2")));
    let (_, message) = session.fails("merge run --quiet");
    assert!(message.contains("run: these shards are missing: 1/2: run them with --shard"), "{message}");
    // Killed, it resumes.
    let mut child = session.starts(&search(&format!("{exhaustive} --out run --shard 1/2")));
    std::thread::sleep(std::time::Duration::from_millis(400));
    let _ = child.kill();
    child.wait().unwrap();
    let text = session.prints(&search(&format!("{exhaustive} --out run --shard 1/2")));
    assert!(text.starts_with("Shard 1/2: 16 of 16 candidates were scored on all examples. "), "{text}");
    let merged = session.prints("merge run --quiet");
    for file in ["run.json", "journal.jsonl", "best.json", "verdict.json", "strategy.json", "examples.jsonl"] {
        assert_eq!(session.read(&format!("run/{file}")), session.read(&format!("whole/{file}")), "{file}");
    }
    // Twice it is the same, and the folder is that of a search.
    assert_eq!(session.prints("merge run --quiet --memory 3MB"), merged);
    assert_eq!(session.prints(&search(&format!("{exhaustive} --out run"))), merged);
    session.prints("verdict run");
    // The folder of another search.
    let mut other = session.json("run/run.json");
    other["search"]["seed"] = 7.into();
    session.write("run/run.json", other.to_string());
    let (_, message) = session.fails("merge run --quiet");
    assert!(message.contains("run: holds another search (") && message.contains("choose another folder"), "{message}");
    // More shards than there can be.
    std::fs::create_dir_all(session.path("many/shards/1-of-18446744073709551615")).unwrap();
    session.write("many/shards/1-of-18446744073709551615/run.json", "{}");
    let (_, message) = session.fails("merge many");
    assert!(message.contains("no search has more than 100000 shards: remove that shard"), "{message}");

    // A shard of another search, and one too many.
    session.prints(
        &search("--strategy exhaustive --no-costs --rho 0.5 --out other --shard 1/2").replace(SPACE, "--quiet"),
    );
    session.prints(
        &search("--strategy exhaustive --no-costs --rho 0.2 --out third --shard 2/2").replace(SPACE, "--quiet"),
    );
    std::fs::rename(session.path("third/shards/2-of-2"), session.path("other/shards/2-of-2")).unwrap();
    let (_, message) = session.fails("merge other --quiet");
    assert!(message.contains("other: shard 2/2 is of another search: search.rho differs: remove it"), "{message}");
    let (_, message) = session.fails(&search(&format!("--out more --shard 1/{}", 2 * layers)));
    let expected = format!("there are only {layers} layers: ask for as many shards or fewer");
    assert!(message.contains(&expected), "{message}");
    let (_, message) = session.fails("merge third --quiet");
    assert!(message.contains("third: it holds no shards: run the search with --shard first"), "{message}");
}

#[test]
fn races_of_shards_and_what_goes_on_from_them() {
    let session = Session::new();
    session.write("task.jsonl", task(200));
    let model = fixture("llama").display().to_string();
    for strategy in ["race", "gradient", "beam --width 2", "evolve --evaluations 500"] {
        let run = strategy.split(' ').next().unwrap();
        for shard in ["1/2", "2/2"] {
            session.prints(&format!(
                "search {model} --task task.jsonl {SPACE} --no-costs --strategy {strategy} --out {run} --shard {shard}"
            ));
        }
        let text = session.prints(&format!("merge {run} --quiet"));
        assert_eq!(session.prints(&format!("merge {run} --quiet")), text, "{run}");
        let trace = session.json(&format!("{run}/strategy.json"));
        assert_eq!(trace["space"], 48, "{run}");
        let shard = session.json(&format!("{run}/shards/1-of-2/strategy.json"));
        assert!(trace["evaluations"].as_u64() > shard["evaluations"].as_u64(), "{run}: {trace}");
        assert_eq!(trace["steps"].is_null(), matches!(run, "race" | "gradient"), "{run}: {trace}");
    }
}

#[test]
fn batch_files_of_schedulers() {
    let session = Session::new();
    let search = "search --shard auto/4 model --task 'a task.jsonl' --out run";
    let words = ["search", "model", "--task", "a task.jsonl", "--out", "run"];
    let fleet = |scheduler: &str| {
        let mut command = session.laser(&format!("fleet {scheduler} --shards 4"));
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let slurm = fleet("slurm");
    assert!(slurm.contains("#SBATCH --array=1-4\n") && slurm.contains(&format!("laser {search} &\n")), "{slurm}");
    assert!(slurm.contains("--wrap 'laser merge run'\n"), "{slurm}");
    let hq = fleet("hq");
    assert!(hq.contains(&format!("--array 1-4 --crash-limit 10 --wait -- laser {search}\nlaser merge run\n")), "{hq}");
    let manifests = fleet("k8s");
    let documents: Vec<&str> = manifests.split("---\n").collect();
    assert_eq!(documents.len(), 2, "{manifests}");
    assert!(documents[0].contains("completionMode: Indexed") && documents[0].contains("- auto/4\n"), "{manifests}");
    assert!(documents[0].contains("name: laser-search-run\n") && documents[1].contains("name: laser-merge-run\n"));
    assert!(
        documents[0].contains("backoffLimit: 400\n") && documents[0].contains("terminationGracePeriodSeconds: 300")
    );
    // Options have to stand before a `--`.
    let dashes = session.prints("fleet slurm --shards 4 search --task t --out run -- model");
    assert!(dashes.contains("laser search --shard auto/4 --task t --out run -- model &\n"), "{dashes}");
    for (option, why) in
        [("--engine ray", "--engine has workers of its own"), ("--dry-run", "--dry-run does not search")]
    {
        let (code, message) =
            session.fails(&format!("fleet slurm --shards 2 search model --task t --out run {option}"));
        assert!(code == 2 && message.contains(why), "{message}");
    }
    // Behind a line end a comment would be over.
    for scheduler in ["slurm", "hq", "k8s"] {
        let mut command = session.laser(&format!("fleet {scheduler} --shards 2 search model --task t --out"));
        let output = command.arg("r\ntouch X #").output().unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty() && output.status.code() == Some(2), "{scheduler}: {message}");
        assert!(message.contains(r#""r\ntouch X #" holds a control character"#), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    let variable = session.prints("fleet k8s --shards 4 search $(HOME) --task t --out run");
    assert!(variable.contains("- $$(HOME)\n"), "{variable}");
    let (code, message) = session.fails("fleet slurm --shards 2 search model --task t");
    assert!(code == 2 && message.starts_with("error: the following required"), "{message}");
    let (code, message) = session.fails("search m --task t --out r --engine ray --cpus-per-worker nan");
    assert!(code == 2 && message.contains("write a number such as 1 or 0.5"), "{message}");
    let (code, message) = session.fails("fleet slurm --shards 2 inspect model");
    assert!(code == 2 && message.contains("fleet takes a search: laser fleet slurm"), "{message}");
    let (code, message) = session.fails("fleet slurm --shards 2 search model --task t --out run --shard 1/2");
    assert!(code == 2 && message.contains("fleet adds --shard itself"), "{message}");
}

#[test]
fn what_shards_and_reuse_must_not_accept() {
    let session = Session::new();
    session.write("task.jsonl", task(60));
    let model = fixture("llama").display().to_string();
    let search = |options: &str| format!("search {model} --task task.jsonl {SPACE} --no-costs {options}");
    // A shard that was asked for with other layers.
    session.prints(&search("--out run --shard 1/2 --layers 1-2"));
    session.prints(&search("--out run --shard 2/2"));
    let (_, message) = session.fails("merge run");
    assert!(message.contains("run: its shards overlap: remove the folder `shards`"), "{message}");
    // The folder of another search, and of something else.
    session.prints(&search("--out whole --strategy exhaustive"));
    let (_, message) = session.fails(&search("--out whole --shard 1/2"));
    assert!(message.contains("search.strategy differs"), "{message}");
    std::fs::create_dir(session.path("mine")).unwrap();
    session.write("mine/notes.txt", "notes");
    let (_, message) = session.fails(&search("--out mine --shard 1/2"));
    assert!(message.contains("is a folder of something else"), "{message}");
    // Races are not put together to the race of one process, which does not go on in their folder.
    for shard in ["1/2", "2/2"] {
        session.prints(&search(&format!("--out race --shard {shard}")));
    }
    let (_, message) = session.fails("verdict race");
    assert!(message.contains("race: holds shards that are not merged: run laser merge on it"), "{message}");
    session.prints("merge race --quiet");
    let (_, message) = session.fails(&search("--out race"));
    assert!(message.contains("search.merged differs"), "{message}");
    // Parts of a race are of other examples where the seed is another one.
    session.prints(&search("--split-first --strategy race --out first"));
    let alone = session.prints(&search("--split-first --strategy race --seed 1 --out alone"));
    assert_eq!(session.prints(&search("--split-first --strategy race --seed 1 --reuse first --out second")), alone);
    session.prints(&search("--split-first --strategy race --seed 1 --out second"));
}
