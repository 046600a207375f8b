//! `laser fleet`: the batch file of a search in shards.

use crate::cli::{Cli, Command, FleetOptions, Global, Scheduler, SearchOptions};
use crate::output::{self, Usage};
use clap::{CommandFactory, Parser};
use laser_report::quoted;
use serde_json::json;

pub fn run(options: &FleetOptions, global: &Global) -> anyhow::Result<()> {
    let search = search_of(options)?;
    refuse_control_characters(options)?;
    let words = sharded(options);
    let command = words.iter().map(|word| quoted(word)).collect::<Vec<String>>().join(" ");
    let run = quoted(&search.out.display().to_string());
    let text = match options.scheduler {
        Scheduler::Slurm => slurm(options.shards, &command, &run),
        Scheduler::Hq => hyperqueue(options.shards, &command, &run),
        Scheduler::K8s => kubernetes(options, &words, &search)?,
    };
    if global.json {
        return output::print_json(&json!({"shards": options.shards, "run": output::shown(&search.out), "file": text}));
    }
    output::print(&text)
}

/// The search, which is to be one.
fn search_of(options: &FleetOptions) -> anyhow::Result<Box<SearchOptions>> {
    let words = ["laser".to_owned()].into_iter().chain(options.search.iter().cloned());
    // Its help is that of what was typed first.
    let typed = [std::ffi::OsString::from("fleet")];
    let usage = |error| Usage(output::usage_line(&error, &Cli::command(), &typed).into());
    let cli = Cli::try_parse_from(words).map_err(usage)?;
    match cli.command {
        Command::Search(search) if search.shard.is_some() => {
            Err(Usage("fleet adds --shard itself: leave it out of the search".into()).into())
        }
        Command::Search(search) if search.engine.size().is_some() => {
            Err(Usage("--engine has workers of its own: leave it out of a search in shards".into()).into())
        }
        Command::Search(search) if search.dry_run => {
            Err(Usage("--dry-run does not search: leave it out of the search".into()).into())
        }
        Command::Search(search) => Ok(search),
        _ => Err(Usage("fleet takes a search: laser fleet slurm --shards 4 search MODEL --task TASK --out RUN".into())
            .into()),
    }
}

/// A line end in a path would end the comment of a script in which it stands, and what comes after it would be run.
fn refuse_control_characters(options: &FleetOptions) -> Result<(), Usage> {
    let mut words = options.search.iter().chain([&options.image, &options.claim]);
    match words.find(|word| word.contains(char::is_control)) {
        Some(word) => {
            let why = "holds a control character, which cannot stand in a batch file: give it another name";
            Err(Usage(format!("{word:?} {why}").into()))
        }
        None => Ok(()),
    }
}

/// The words of the search that each task does. Options have to stand before a `--`.
fn sharded(options: &FleetOptions) -> Vec<String> {
    let mut words = options.search.clone();
    let place = words.iter().position(|word| word == "search").map_or(0, |place| place + 1);
    words.splice(place..place, ["--shard".to_owned(), format!("auto/{}", options.shards)]);
    words
}

fn slurm(shards: u32, command: &str, run: &str) -> String {
    format!(
        "#!/bin/bash
# sbatch FILE (add --cpus-per-task, --mem and --time for your machines), then, in the same folder:
#   sbatch --dependency=afterok:JOB --wrap {merge}
# Shards that failed are started again by their numbers: sbatch --array=3,7 FILE
#SBATCH --job-name=laser
#SBATCH --array=1-{shards}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
# A minute before its time is over a shard is stopped, keeps what it has scored, and is queued again.
laser {command} &
out_of_time=
trap 'out_of_time=1; kill -TERM $!' USR1
wait $!
code=$?
# The signal ends the wait before the search.
if [ $code -gt 128 ]; then wait $!; code=$?; fi
if [ -n \"$out_of_time\" ] && [ $code -eq 75 ]; then scontrol requeue \"${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}\"; fi
exit $code
",
        merge = quoted(&format!("laser merge {run}")),
    )
}

fn hyperqueue(shards: u32, command: &str, run: &str) -> String {
    format!(
        "#!/bin/bash
# Needs a server (hq server start) and workers (hq worker start).
set -e
# A shard whose worker is lost is run again, and resumes.
hq submit --name laser --array 1-{shards} --crash-limit 10 --wait -- laser {command}
laser merge {run}
"
    )
}

/// A job with an index per shard, and one that merges them, which waits for it.
fn kubernetes(options: &FleetOptions, words: &[String], search: &SearchOptions) -> anyhow::Result<String> {
    let FleetOptions { shards, image, claim, .. } = options;
    let name = |what: &str| kubernetes_name(&format!("laser-{what}-{}", search.out.display()));
    let merge = ["merge".to_owned(), search.out.display().to_string()];
    let job = |name: &str, arguments: &[String], spec: serde_json::Value| {
        // Kubernetes takes `$(NAME)` for a variable.
        let arguments: Vec<String> = arguments.iter().map(|word| word.replace("$(", "$$(")).collect();
        let container = json!({
            "name": "laser",
            "image": image,
            "command": ["laser"],
            "args": arguments,
            "workingDir": "/work",
            "volumeMounts": [{"name": "work", "mountPath": "/work"}],
            "resources": {"requests": {"cpu": "4", "memory": "16Gi"}},
        });
        let mut document = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name},
            "spec": {
                "template": {"spec": {
                    "restartPolicy": "OnFailure",
                    "terminationGracePeriodSeconds": GRACE,
                    "containers": [container],
                    "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": claim}}],
                }},
            },
        });
        if let (Some(own), Some(more)) = (document["spec"].as_object_mut(), spec.as_object()) {
            own.extend(more.clone());
        }
        serde_yaml_ng::to_string(&document)
    };
    // A pod that is stopped or lost is started again, and resumes.
    let failures = shards.saturating_mul(100).min(i32::MAX as u32);
    let indexed =
        json!({"completionMode": "Indexed", "completions": shards, "parallelism": shards, "backoffLimit": failures});
    Ok(format!(
        "# kubectl apply -f FILE; the second job waits for the shards: it fails and is started again until all are there.\n\
         {}---\n{}",
        job(&name("search"), words, indexed)?,
        job(&name("merge"), &merge, json!({"backoffLimit": 1000}))?
    ))
}

/// Seconds that a pod which is to end has for the job in hand.
const GRACE: u32 = 300;
/// Kubernetes adds an index and a hash to a job's name, and allows 63 letters.
const LONGEST_NAME: usize = 45;

/// A name as Kubernetes allows it: small letters, digits and dashes.
fn kubernetes_name(text: &str) -> String {
    let small = text.to_lowercase();
    let parts = small.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let name: String = parts.collect::<Vec<_>>().join("-").chars().take(LONGEST_NAME).collect();
    name.trim_end_matches('-').to_owned()
}
