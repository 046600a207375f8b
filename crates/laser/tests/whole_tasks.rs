//! Tasks as wholes: groups of tasks, the first rows, bad rows and long prompts.

mod support;

use serde_json::{Value, json};
use support::{Session, fixture, task};

fn evaluated(session: &Session, task: &str, arguments: &str) -> Value {
    let model = fixture("llama");
    let command = format!("eval {} --task {task} --threads 1 --json {arguments}", model.display());
    serde_json::from_str(&session.prints(&command)).unwrap()
}

/// A session with the tasks `a` of six rows and `b` of three, and the group of both.
fn group() -> Session {
    let session = Session::new();
    for (name, rows) in [("a", 6), ("b", 3)] {
        let row = |i| format!("{{\"q\": \"The lamp {i} of {name} is\", \"l\": {}}}\n", i % 2);
        session.write(&format!("{name}.jsonl"), (0..rows).map(row).collect::<String>());
        let text = format!(
            "task: {name}\ndataset_kwargs: {{data_files: {name}.jsonl}}\noutput_type: multiple_choice\ndoc_to_text: q\ndoc_to_choice: [red, blue]\ndoc_to_target: l\n"
        );
        session.write(&format!("{name}.yaml"), text);
    }
    let text = "group: both\ntask: [a, b]\naggregate_metric_list: [{metric: acc, weight_by_size: false}]\n";
    session.write("both.yaml", text);
    session
}

#[test]
fn a_group_is_scored_as_its_tasks_are() {
    let session = group();
    let both = evaluated(&session, "both.yaml", "--split all --examples both.jsonl");
    let (a, b) = (evaluated(&session, "a.yaml", "--split all"), evaluated(&session, "b.yaml", "--split all"));
    assert_eq!((&both["n"], &both["subtasks"][0]["n"], &both["subtasks"][1]["n"]), (&json!(9), &json!(6), &json!(3)));
    for (number, alone) in [&a, &b].into_iter().enumerate() {
        let part = &both["subtasks"][number];
        assert_eq!((&part["accuracy"], &part["log_loss"]), (&alone["accuracy"], &alone["log_loss"]));
    }
    let mean = (a["accuracy"].as_f64().unwrap() + b["accuracy"].as_f64().unwrap()) / 2.0;
    let (name, acc) = (&both["groups"][0]["group"], both["groups"][0]["metrics"]["acc,none"].as_f64().unwrap());
    assert_eq!(name, "both");
    assert!((acc - mean).abs() < 1e-12, "{acc} {mean}");
    assert!(session.read("both.jsonl").starts_with("{\"id\":\"a/0\""), "{}", session.read("both.jsonl"));
    let first = evaluated(&session, "both.yaml", "--split all --first 2");
    assert_eq!((&first["n"], &first["subtasks"][1]["n"]), (&json!(4), &json!(2)));
    let (_, line) = session.fails(&format!("eval {} --task both.yaml --data a.jsonl", fixture("llama").display()));
    assert!(line.contains("a group has the data of each of its tasks"), "{line}");
}

#[test]
fn long_prompts_are_cut_left_out_or_refused() {
    let session = Session::new();
    let long = "The small red river runs. ".repeat(30);
    session.write(
        "rows.jsonl",
        format!(
            "{{\"prompt\": \"The sky is\", \"answer\": \"blue\"}}\n{{\"prompt\": \"{long}It is\", \"answer\": \"red\"}}\n"
        ),
    );
    let counts = |found: &Value| (found["n"].clone(), found["cut_prompts"].clone(), found["skipped_rows"].clone());
    let cut = evaluated(&session, "rows.jsonl", "--split all");
    assert_eq!(counts(&cut), (json!(2), json!(1), json!(0)));
    let skipped = evaluated(&session, "rows.jsonl", "--split all --on-long skip");
    assert_eq!(counts(&skipped), (json!(1), json!(0), json!(1)));
    let (_, line) =
        session.fails(&format!("eval {} --task rows.jsonl --on-long error --quiet", fixture("llama").display()));
    assert!(line.contains("example 1: ") && line.contains("longer than the model's context of 128"), "{line}");
}

#[test]
fn more_new_tokens_than_the_context_has_are_refused_by_their_key() {
    let session = Session::new();
    session.write("rows.jsonl", "{\"q\": \"The sky is\", \"a\": \"blue\"}\n");
    session.write(
        "t.yaml",
        "dataset_kwargs: {data_files: rows.jsonl}\ndoc_to_text: q\ndoc_to_target: a\ngeneration_kwargs: {max_gen_toks: 128}\n",
    );
    let (_, line) = session.fails(&format!("eval {} --task t.yaml --split all --quiet", fixture("llama").display()));
    assert!(line.contains("128 tokens are to be generated") && line.contains("lower max_gen_toks"), "{line}");
}

#[test]
fn a_metric_that_cannot_be_computed_is_noted() {
    let session = group();
    let text = session.read("a.yaml").replace("[red, blue]", "[red, blue, green, grey]");
    session.write(
        "a.yaml",
        format!("{text}metric_list: [{{metric: acc}}, {{metric: f1}}, {{metric: acc_mutual_info}}]\n"),
    );
    session.write("a.jsonl", "{\"q\": \"The lamp is\", \"l\": 3}\n{\"q\": \"The sky is\", \"l\": 1}\n");
    let model = fixture("llama");
    for task in ["a.yaml", "both.yaml"] {
        let output =
            session.laser(&format!("eval {} --task {task} --split all --json", model.display())).output().unwrap();
        let notes = String::from_utf8(output.stderr).unwrap();
        assert!(notes.contains("metric `f1,none` is not computed: it needs two choices"), "{notes}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let metrics = if task == "a.yaml" { &found["metrics"] } else { &found["subtasks"][0]["metrics"] };
        assert!(metrics["acc_mutual_info,none"].is_number() && metrics["f1,none"].is_null(), "{found}");
    }
}

#[test]
fn bad_rows_are_left_out_if_asked() {
    let session = Session::new();
    session.write("rows.jsonl", "{\"prompt\": \"The sky is\", \"answer\": \"blue\"}\n{\"prompt\": \"The\"}\n");
    let found = evaluated(&session, "rows.jsonl", "--split all --on-bad-row skip");
    assert_eq!((&found["n"], &found["skipped_rows"]), (&json!(1), &json!(1)));
    let (_, line) = session.fails(&format!("eval {} --task rows.jsonl", fixture("llama").display()));
    assert!(line.contains("rows.jsonl:2: no `answer`"), "{line}");
}

/// Each limit says how it is raised, and then is.
#[test]
fn limits_on_input_are_raised_by_the_user() {
    let session = Session::new();
    let model = fixture("llama").display().to_string();
    let row = |text: &str| format!("{{\"prompt\": \"{text}\", \"answer\": \"e\"}}\n");
    session.write("long.jsonl", row("Berlin is").repeat(4) + &row(&"a ".repeat(17 << 20)));
    let table = std::fs::read_to_string(fixture("../../crates/laser-checkpoint/architectures/llama.toml")).unwrap();
    session.write("long.toml", format!("# {}\n{table}", "-".repeat(3 << 20)));
    let many = format!("doc_to_choice: [{}]", "[],".repeat(20_001));
    session.write("many.yaml", format!("task: many\ndataset_kwargs: {{data_files: long.jsonl}}\n{many}\n"));
    for (command, limit, times) in [
        (format!("eval {model} --task long.jsonl --first 2 --quiet"), "33554432 bytes", 2),
        (format!("inspect {model} --architecture long.toml"), "1048576 are read", 4),
        ("tasks check many.yaml".to_owned(), "20000 brackets", 2),
    ] {
        let output = session.laser(&command).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let how = format!("LASER_LIMITS={times} allows");
        assert!(said.contains(limit) && said.contains(&how), "{command}: {said}");
        let output = session.laser(&command).env("LASER_LIMITS", times.to_string()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains("LASER_LIMITS") && !said.contains(limit), "{command}: {said}");
    }
    let output = session.laser("tasks").env("LASER_LIMITS", "much").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert!(said.contains("whole number"), "{said}");
}

#[test]
fn several_tasks_count_together_and_each_has_its_verdict() {
    let session = Session::new();
    session.write("one.jsonl", task(60));
    session.write("two.jsonl", task(140));
    let model = fixture("llama").display().to_string();
    let space = "--layers 0-1 --matrices fc_in,fc_out --rho 0.5,0.1 --strategy exhaustive --no-costs --quiet";
    let text = session.prints(&format!(
        "search {model} --task one.jsonl --task two.jsonl --weights 3,1 --limit 100 {space} --out run"
    ));
    let table = text.split("Each task by itself, on its test examples:\n").nth(1).unwrap();
    assert!(table.contains("\none ") && table.contains("\ntwo ") && table.contains("\none: "), "{text}");
    let run = session.json("run/run.json");
    assert_eq!(run["task"]["examples"], 160);
    assert_eq!(run["task"]["spec"], "one + two");
    assert_eq!(run["search"]["tasks"][0], serde_json::json!({"name": "one", "spec": "one.jsonl", "weight": 3.0}));
    let verdict = session.json("run/verdict.json");
    let sizes = |task: usize| {
        let base = &verdict["tasks"][task]["base"];
        [base["validation"]["n"].as_u64().unwrap(), base["test"]["n"].as_u64().unwrap()]
    };
    assert_eq!((sizes(0), sizes(1)), ([12, 48], [20, 80]));
    assert_eq!(verdict["base"]["test"]["n"], 128);

    // The chosen candidate is the one whose weighted gains, in standard deviations of the base, are greatest.
    let journal = session.read("run/journal.jsonl");
    let lines: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let on_validation: Vec<&Value> = lines.iter().filter(|line| line["split"] == "validation").collect();
    let hits = |line: &Value, range: std::ops::Range<usize>| {
        line["correct"].as_str().unwrap()[range].bytes().filter(|&hit| hit == b'1').count() as f64
    };
    let base = on_validation.iter().find(|line| line["interventions"].as_array().unwrap().is_empty()).unwrap();
    let value = |line: &Value| -> f64 {
        let of = |range: std::ops::Range<usize>, weight: f64| {
            let n = range.len() as f64;
            let share = (hits(base, range.clone()) + 0.5) / (n + 1.0);
            weight * hits(line, range) / n / (share * (1.0 - share)).sqrt()
        };
        of(0..12, 3.0) + of(12..32, 1.0)
    };
    let best = on_validation.iter().filter(|line| line["interventions"] != base["interventions"]);
    let most = best.clone().map(|line| value(line)).fold(f64::NEG_INFINITY, f64::max);
    let chosen = best.clone().find(|line| line["interventions"] == verdict["best"]).unwrap();
    assert!((value(chosen) - most).abs() < 1e-9, "{} is not {most}", value(chosen));

    // It is judged again to the same, and its report has the table.
    let judged: Value = serde_json::from_str(&session.prints("verdict run --json")).unwrap();
    assert_eq!(judged, verdict);
    let page = session.read("run/report.html");
    assert!(page.contains("Each task by itself"), "no table");
    assert!(page.contains("--task one.jsonl --task two.jsonl --weights 3,1 --limit 100"), "no command");

    // eval tells of each, too.
    let eval: Value = serde_json::from_str(
        &session
            .prints(&format!("eval {model} --task one.jsonl --task two.jsonl --split test --limit 100 --json --quiet")),
    )
    .unwrap();
    assert_eq!((&eval["subtasks"][0]["task"], &eval["subtasks"][1]["n"]), (&"one".into(), &80.into()));

    for (options, message) in [
        ("--task one.jsonl --task one.jsonl", "--task one: two tasks have this name: leave one out"),
        ("--task one.jsonl --weights 2", "--weights has 1 numbers for 1 tasks: give one for each of several tasks"),
        ("--task one.jsonl --task two.jsonl --weights 1,0", "`0` is not a weight: write a number above 0, such as 2"),
        ("--task one.jsonl --task two.jsonl --data x", "--data is for one task: write --task TASK=FILE"),
    ] {
        let (_, found) = session.fails(&format!("search {model} {options} {space} --out other"));
        assert!(found.contains(message), "{found}");
    }
    let guard = format!("search {model} --task one.jsonl --task two.jsonl --guard one.jsonl {space} --out other");
    let (_, found) = session.fails(&guard.replace("--no-costs ", ""));
    assert!(found.contains("this is the task that is searched on"), "{found}");
}

#[test]
fn a_task_that_is_too_small_is_refused_before_anything_is_scored() {
    let session = Session::new();
    session.write("large.jsonl", task(100));
    session.write("one.jsonl", task(1));
    session.write("four.jsonl", task(4));
    let model = fixture("llama").display().to_string();
    let search = format!("search {model} --matrices mlp --rho 0.5,0.1 --quiet --no-costs --task large.jsonl");
    let (_, message) = session.fails(&format!("{search} --task one.jsonl --out one"));
    assert!(message.contains("one: ") && !session.path("one").exists(), "{message}");
    // As many of each task are for choosing as if it were alone.
    session.prints(&format!("{search} --task four.jsonl --out four"));
    session.prints("verdict four");
    let tasks = &session.json("four/verdict.json")["tasks"];
    assert_eq!((&tasks[0]["base"]["test"]["n"], &tasks[1]["base"]["test"]["n"]), (&80.into(), &2.into()));
    session.write(
        "rows.yaml",
        "task: rows\noutput_type: loglikelihood\ndoc_to_text: \"{{prompt}}\"\ndoc_to_target: \" {{answer}}\"\n",
    );
    // The data of each are in the command that asks for the shards again.
    for shard in ["1/2", "2/2"] {
        session.prints(&format!(
            "{} --task four.jsonl --out data --shard {shard}",
            search.replace("large.jsonl", "rows.yaml=large.jsonl")
        ));
    }
    session.prints("merge data --quiet");
}

#[test]
fn sokoban_from_levels_to_a_verdict() {
    let session = Session::new();
    session.prints("sokoban levels --count 12 --seed 3 --out valid.txt");
    session.prints("sokoban levels --count 10 --seed 4 --out test.txt");
    let solved: Value =
        serde_json::from_str(&session.prints("sokoban solve valid.txt test.txt --compare 5 --episodes e.jsonl --json"))
            .unwrap();
    assert_eq!((&solved["levels"], &solved["solved"], &solved["compared"]), (&json!(22), &json!(22), &json!(5)));
    assert!(solved["longer"].as_f64().unwrap() >= 0.0 && session.read("e.jsonl").lines().count() > 15);

    let model = fixture("sokoban/model");
    let eval = |arguments: &str| -> Value {
        let command = format!("sokoban eval {} --levels test.txt --json {arguments}", model.display());
        serde_json::from_str(&session.prints(&command)).unwrap()
    };
    let base = eval("--examples base.jsonl");
    assert_eq!(base["n"], 10);
    assert_eq!(base["return"], eval("--threads 1")["return"]);

    let search = format!(
        "sokoban search {} --validation valid.txt --test test.txt --matrices fc_in,q_proj --rho 0.1,0.01 --out run --json",
        model.display()
    );
    let found: Value = serde_json::from_str(&session.prints(&search)).unwrap();
    assert_eq!((&found["strategy"]["space"], &found["episodes"]["levels"]), (&json!(8), &json!(10)));
    assert_eq!(found["episodes"]["solved"][0], base["solved"]);
    assert!((found["episodes"]["returns"][0].as_f64().unwrap() - base["return"].as_f64().unwrap()).abs() < 1e-9);
    // Resumed, it reads what it has, and judging needs no model.
    assert_eq!(serde_json::from_str::<Value>(&session.prints(&search)).unwrap(), found);
    let judged: Value = serde_json::from_str(&session.prints("verdict run --json")).unwrap();
    assert_eq!(judged, found["verdict"]);
    // Nothing is answered, and no text is scored.
    assert!(judged.get("constant").is_none() && judged.get("metrics").is_none(), "{judged}");
    let text = session.prints("verdict run");
    for what in ["Always", "log-loss", "Without the answer", "Words of the answer", "answers gained"] {
        assert!(!text.contains(what), "{what} in {text}");
    }
    assert!(text.contains("results gained"), "{text}");
    let edited = eval("--recipe run");
    assert_eq!(edited["solved"], found["episodes"]["solved"][1]);
    // The report shows a level that both play, and `report` makes it again.
    assert!(session.read("run/report.html").contains("src=\"data:image/svg+xml,%3Csvg"));
    assert!(session.read("run/example.svg").starts_with("<svg"));
    session.prints("report run --out again.html");
    assert!(session.read("again.html").contains("data:image/svg+xml,"));
    let returns = search.replace("--out run", "--out returns --by return");
    let found: Value = serde_json::from_str(&session.prints(&returns)).unwrap();
    assert!(found["episodes"]["returns_p"].as_f64().unwrap() > 0.0);

    // What chose is no judge, and a level on which nothing is to be done is none.
    let seen =
        search.replace("--test test.txt --matrices", "--test valid.txt --matrices").replace("--out run", "--out no");
    let (_, line) = session.fails(&seen);
    assert_eq!(line, "error: --test: level 0 is a validation level, too: judge on levels that chose nothing\n");
    let (wall, free) = ("##########\n", "#        #\n");
    session.write("solved.txt", format!("; 0\n{wall}#@*      #\n{}{wall}", free.repeat(7)));
    let (_, line) = session.fails(&seen.replace("--test valid.txt", "--test solved.txt"));
    assert_eq!(line, "error: --test: level 0 is solved before the first move: remove it\n");
    assert!(!session.path("no").exists());
    assert_eq!(session.fails(&format!("{search} --first 0")).0, 2);

    let play = format!("sokoban play {} --levels test.txt --level 2 --reduce 0.fc_in:zero", model.display());
    let played: Value = serde_json::from_str(&session.prints(&format!("{play} --json"))).unwrap();
    assert_eq!(played.as_array().unwrap().len(), 2);
    session.prints(&format!("{play} --svg episode.svg"));
    assert!(session.read("episode.svg").contains("0.fc_in:zero"));
    assert!(session.prints("sokoban play planner --levels test.txt").contains("planner: solved in"));
    let (code, line) = session.fails("sokoban play planner --levels test.txt --level 99");
    assert!(code == 2 && line.contains("numbered from 0"), "{line}");
}

#[test]
fn a_training_is_resumed_and_what_it_gives_is_edited() {
    let session = Session::new();
    let train = "sokoban train model --generate 8 --windows 4 --hidden 16 --depth 2 --heads 2 --context 2 --channels 4 --pairs 1 --json";
    session.prints(&format!("{train} --steps 3"));
    let resumed: Value = serde_json::from_str(&session.prints(&format!("{train} --steps 3"))).unwrap();
    assert_eq!((&resumed["resumed_at"], &resumed["steps"]), (&json!(3), &json!(3)));
    let (_, line) = session.fails(&format!("{train} --steps 3 --seed 5"));
    assert!(line.contains("it holds a training with other"), "{line}");
    let inspected: Value = serde_json::from_str(&session.prints("inspect model --json")).unwrap();
    assert_eq!(inspected["family"], "decision_transformer");
    session.prints("sokoban levels --count 3 --out levels.txt");
    let evaluated = session.prints("sokoban eval model --levels levels.txt --reduce 1.fc_out:0.2");
    assert!(evaluated.starts_with("1.fc_out:0.2 on 3 levels: "), "{evaluated}");
    // It has no tokenizer, and pieces that are no blocks.
    session.prints("apply model --reduce 1.fc_out:0.2 --out edited");
    let applied = session.prints("sokoban eval edited --levels levels.txt");
    let rest = |line: &str| line.split(" on ").nth(1).unwrap().split(", ").take(3).collect::<Vec<_>>().join(", ");
    assert_eq!(rest(&applied), rest(&evaluated));
}
