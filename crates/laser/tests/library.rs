//! The library's front, as a caller in Rust uses it, beside the program on the same files.

mod support;

use laser::engine::{Answer, Judge, Request};
use laser::example::Target;
use laser::fleet::{Fleet, Job, Take};
use laser::run::{ResultKind, RunDescription, ScorerError, Silent};
use laser::tasks::Task;
use laser::{Judging, ReadTask, SearchPlan, SpaceChoice, StrategyChoice, TaskMaker, TaskSource, TextSource};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use support::{Session, fixture};

fn rows(n: usize) -> String {
    let row = |i: usize| format!("{{\"prompt\":\"The capital {i} is\",\"answer\":\"{}\"}}\n", ["a", "e", "i"][i % 3]);
    (0..n).map(row).collect()
}

#[test]
fn a_session_gives_what_the_program_prints() {
    let scratch = Session::new();
    let task = scratch.write("task.jsonl", rows(60));
    let text = scratch.write("text.txt", "The book of the French writer, whose answer is true.");
    let model = fixture("llama");
    let program = |arguments: &str| -> Value { serde_json::from_str(&scratch.prints(arguments)).unwrap() };

    let session = laser::Session::open(model.as_path()).unwrap();
    let task = session.task(&TaskSource { seed: 3, ..task.display().to_string().into() }).unwrap();
    let edits = session.edits(&["1.fc_in:0.5", "2.mlp:band=0.2,0.6"]).unwrap();
    let edited = session.edit(&edits).unwrap();
    let numbers = task.split().unwrap().test;
    let found = serde_json::to_value(session.evaluate(&edited, &task, &numbers).unwrap()).unwrap();
    let options = "--task task.jsonl --seed 3 --split test --reduce 1.fc_in:0.5 --reduce 2.mlp:band=0.2,0.6 --json";
    let printed = program(&format!("eval {} {options} --text text.txt", model.display()));
    for key in ["task", "n", "accuracy", "log_loss", "accuracy_interval", "top_10"] {
        assert_eq!(found[key], printed[key], "{key}");
    }
    let text = session.text(&TextSource { path: text, limit: usize::MAX }).unwrap();
    let perplexity = session.perplexity(&edited, &text).unwrap();
    assert_eq!(serde_json::to_value(perplexity).unwrap(), printed["text"]);
    assert!(session.edits(&["99.fc_in:0.5"]).unwrap_err().to_string().contains("layer 99"));

    let plan = SearchPlan {
        strategy: StrategyChoice::Race,
        layers: vec!["1-2".parse().unwrap()],
        matrices: vec!["fc_in".parse().unwrap()],
        ..SearchPlan::default()
    };
    let found = session.search(&task, &plan, scratch.path("ours")).unwrap();
    let options = "--task task.jsonl --seed 3 --strategy race --layers 1-2 --matrices fc_in --out theirs --quiet";
    assert_eq!(found.text(), scratch.prints(&format!("search {} {options}", model.display())));
    for file in ["verdict.json", "best.json", "strategy.json", "journal.jsonl"] {
        assert_eq!(scratch.read(&format!("ours/{file}")), scratch.read(&format!("theirs/{file}")), "{file}");
    }
    let judged = laser::Session::judge(scratch.path("ours")).unwrap();
    assert_eq!(judged.verdict, found.verdict);
    assert_eq!(judged.text(), scratch.prints("verdict theirs"));

    // The same plan resumes; another one is refused.
    assert_eq!(session.search(&task, &plan, scratch.path("ours")).unwrap().verdict, found.verdict);
    let other = SearchPlan { space: SpaceChoice::NoiseEdge, ..plan };
    assert!(session.search(&task, &other, scratch.path("ours")).is_err());

    let records = session.apply(&edits, scratch.path("edited"), false).unwrap().interventions;
    assert_eq!(records.len(), 1 + laser::edit::MatrixKind::MLP.len());
    let again = laser::Session::open(scratch.path("edited")).unwrap();
    assert_eq!(again.config().layers, session.config().layers);
    assert!(session.apply(&edits, scratch.path("edited"), false).is_err(), "nothing is replaced unasked");
}

/// Judges as a task of choices itself does.
struct Likeliest(HashMap<String, usize>);

impl Judge for Likeliest {
    fn judge(&self, id: &str, answers: &[Answer]) -> Result<f64, ScorerError> {
        let logprob = |answer: &Answer| match answer {
            Answer::LogLikelihood(logprob, _) => *logprob,
            Answer::Rolling(_) | Answer::Text(_) => panic!("choices were asked"),
        };
        let logprobs: Vec<f64> = answers.iter().map(logprob).collect();
        let best = (0..logprobs.len()).reduce(|best, i| if logprobs[i] > logprobs[best] { i } else { best });
        Ok(f64::from(best == Some(self.0[id])))
    }
}

/// Makes the task of a file once more: what is asked are log-likelihoods, and somebody else judges them.
struct Remade;

impl TaskMaker for Remade {
    fn make(&self, spec: &str, _: Option<&str>) -> Result<ReadTask, String> {
        let task = Task::open(spec.strip_prefix("python:").unwrap()).unwrap();
        let (mut requests, mut correct) = (HashMap::new(), HashMap::new());
        for example in &task.examples {
            let Target::Choose(choice) = &example.target else { panic!() };
            let ask = |choice: &String| Request::LogLikelihood {
                context: example.prompt.clone(),
                continuation: example.continuation(choice),
            };
            requests.insert(example.id.clone(), choice.choices.iter().map(ask).collect());
            correct.insert(example.id.clone(), choice.correct);
        }
        let judging = Judging {
            kind: ResultKind::Binary,
            judge: Arc::new(Likeliest(correct)),
            requests: Arc::new(requests),
            rule: "the likeliest".to_owned(),
        };
        Ok(ReadTask { task, judging: Some(judging) })
    }
}

#[test]
fn answers_that_another_judges_alike_give_the_same_search() {
    let scratch = Session::new();
    let row = |i: usize| {
        format!(
            "{{\"prompt\":\"The capital {i} is\",\"choices\":[\"an old one\",\"i\",\"the\"],\"answer\":{}}}\n",
            i % 3
        )
    };
    let task = scratch.write("task.jsonl", (0..60).map(row).collect::<String>());
    laser::offer_tasks(Arc::new(Remade));
    let session = laser::Session::open(fixture("llama").as_path()).unwrap();
    let own = session.task(&task.display().to_string().into()).unwrap();
    let judged = session.task(&format!("python:{}", task.display()).into()).unwrap();
    let plan = SearchPlan {
        strategy: StrategyChoice::Race,
        layers: vec!["1-2".parse().unwrap()],
        matrices: vec!["mlp".parse().unwrap()],
        ..SearchPlan::default()
    };
    session.search(&own, &plan, scratch.path("own")).unwrap();
    session.search(&judged, &plan, scratch.path("judged")).unwrap();
    // Content-free prompts are the task's own: of test, all else is the same.
    let lines = |run: &str| -> Vec<Value> {
        let parsed = |line: &str| serde_json::from_str(line).unwrap();
        scratch.read(&format!("{run}/journal.jsonl")).lines().map(parsed).collect()
    };
    let (own_lines, judged_lines) = (lines("own"), lines("judged"));
    assert_eq!(own_lines.len(), judged_lines.len());
    for (mut own, judged) in own_lines.into_iter().zip(judged_lines) {
        for record in own.get_mut("records").and_then(Value::as_array_mut).into_iter().flatten() {
            record.as_object_mut().unwrap().remove("blank_logprobs");
        }
        assert_eq!(own, judged);
    }
    let edited = session.edit(&session.edits(&["1.fc_in:0.5"]).unwrap()).unwrap();
    let numbers = judged.split().unwrap().test;
    let score = |task| session.evaluate(&edited, task, &numbers).unwrap().score;
    assert_eq!(score(&own), score(&judged));
    // A guard task is scored by its own rule.
    let guard = laser::CostPlan { guards: vec![judged.source.clone()], ..laser::CostPlan::default() };
    let error = session.search(&own, &SearchPlan { costs: guard, ..plan }, scratch.path("guarded")).unwrap_err();
    assert!(error.to_string().contains("judged elsewhere"), "{error}");
}

/// Workers in this process that take turns at the jobs, the last worker first.
#[derive(Debug)]
struct Workers(Vec<laser::Worker>);

impl Fleet for Workers {
    fn opened(&self, kernels: Option<&str>) -> Result<Option<RunDescription>, ScorerError> {
        let opened: RunDescription = serde_json::from_str(self.0[0].opened())?;
        Ok(Some(opened).filter(|it| kernels.is_none_or(|kernels| it.search.kernel_path.as_deref() == Some(kernels))))
    }

    fn workers(&self) -> usize {
        self.0.len()
    }

    fn work(&self, jobs: &[Job], take: &mut Take) -> Result<(), ScorerError> {
        for (number, job) in jobs.iter().enumerate().rev() {
            take(None)?;
            take(Some((number, &self.0[number % self.0.len()].work(&job.text)?)))?;
        }
        Ok(())
    }
}

#[test]
fn workers_give_the_search_that_one_process_gives() {
    let scratch = Session::new();
    let task = scratch.write("task.jsonl", support::task(100));
    let model = fixture("llama").display().to_string();
    let session = laser::Session::open(model.as_str()).unwrap();
    let space = "--matrices mlp --rho 0.5,0.2 --strategy";
    let words = |run: &str, options: &str| -> Vec<String> {
        let (run, task) = (scratch.path(run).display().to_string(), task.display().to_string());
        let own = ["search", "--task", &task, "--out", &run];
        own.into_iter().chain(options.split_whitespace()).map(str::to_owned).collect()
    };
    for options in [
        format!("{space} exhaustive --max-kl 0.5 --cost-all"),
        format!("{space} race"),
        format!("{space} gradient --gradient-examples 9 --no-costs"),
        format!("{space} beam --width 2 --no-costs"),
        format!("{space} evolve --evaluations 900 --no-costs"),
    ] {
        let mut expected = session.command(&words("one", &options)).unwrap();
        let theirs = |run: &str| -> Vec<String> { words(run, &options).into_iter().chain([model.clone()]).collect() };
        let workers = [1, 2, 3].map(|_| laser::Worker::open(theirs("fleet")).unwrap());
        let fleet = Arc::new(Workers(workers.into()));
        let found = laser::search_on(&theirs("fleet"), fleet.clone(), Arc::new(Silent)).unwrap();
        expected["run"] = found["run"].clone();
        assert_eq!(found, expected, "{options}");
        let lines = |run: &str| {
            let journal = scratch.read(&format!("{run}/journal.jsonl"));
            let mut lines: Vec<String> = journal.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        assert_eq!(lines("fleet"), lines("one"), "{options}");
        for file in ["run.json", "best.json", "verdict.json", "strategy.json"] {
            assert_eq!(scratch.read(&format!("fleet/{file}")), scratch.read(&format!("one/{file}")), "{options}");
        }
        // Finished, it is read back, and another driver's search is not theirs.
        assert_eq!(laser::search_on(&theirs("fleet"), fleet.clone(), Arc::new(Silent)).unwrap(), found);
        let other: Vec<String> = theirs("other").into_iter().chain(["--seed=7".to_owned()]).collect();
        let error = laser::search_on(&other, fleet, Arc::new(Silent)).unwrap_err().to_string();
        assert!(error.contains("the workers have opened another search: search.seed differs"), "{error}");
        assert!(!scratch.path("other").exists());
        for run in ["one", "fleet"] {
            std::fs::remove_dir_all(scratch.path(run)).unwrap();
        }
    }
    let without = laser::Worker::open(words("none", "--strategy race nothing")).unwrap_err();
    assert!(without.to_string().contains("nothing"), "{without}");
    let (code, message) =
        scratch.fails(&format!("search {model} --task task.jsonl --out run --engine ray --workers 2"));
    assert!(code == 2 && message.contains("pip install 'laser-rank[ray]'"), "{message}");
}
