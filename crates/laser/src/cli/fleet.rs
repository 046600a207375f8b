//! Searches in parts, on several machines.

use super::typed_values::Bytes;
use crate::output::Usage;
use clap::{Args, ValueEnum};
use laser::FleetSize;
use laser_run::Shard;
use std::path::PathBuf;
use std::str::FromStr;

/// Which shard: a number, or that of the scheduler's task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShardChoice {
    One(Shard),
    /// This process's own of so many, or of as many as the scheduler says.
    Auto(Option<usize>),
}

impl FromStr for ShardChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a shard: write 2/4 for the second of four, auto, or auto/4");
        match text.strip_prefix("auto") {
            Some("") => Ok(Self::Auto(None)),
            Some(of) => {
                let of = of.strip_prefix('/').and_then(|of| of.parse().ok()).filter(|&of: &usize| of > 0);
                Ok(Self::Auto(Some(of.ok_or_else(wrong)?)))
            }
            None => Ok(Self::One(text.parse().map_err(|_| wrong())?)),
        }
    }
}

impl ShardChoice {
    /// The shard; `variable` reads the environment.
    pub fn shard(self, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, Usage> {
        let asked = match self {
            Self::One(shard) => return Ok(shard),
            Self::Auto(asked) => asked,
        };
        let number = |name: &str| variable(name).and_then(|text| text.trim().parse::<usize>().ok());
        // A worker of HyperQueue may itself run in an array of Slurm.
        let (place, of) = if let Some(task) = number("HQ_TASK_ID") {
            (task.checked_sub(1), None)
        } else if let Some(index) = number("JOB_COMPLETION_INDEX") {
            (Some(index), None)
        } else if let Some(task) = number("SLURM_ARRAY_TASK_ID") {
            let told = |name, other| number(name).filter(|_| asked.is_none()).unwrap_or(other);
            // Where it is said how many there are, the array may be a part of them, started again:
            // tasks are numbered from 1 then.
            let (least, step) = (told("SLURM_ARRAY_TASK_MIN", 1), told("SLURM_ARRAY_TASK_STEP", 1));
            let place = task.checked_sub(least).map(|beyond| beyond / step.max(1));
            (place, number("SLURM_ARRAY_TASK_COUNT"))
        } else {
            let why = "--shard auto finds no task number: run it in an array of Slurm, HyperQueue or Kubernetes, or \
                       write --shard 2/4";
            return Err(Usage(why.into()));
        };
        let Some(of) = asked.or(of) else {
            let why = "--shard auto does not know how many shards there are: write --shard auto/N";
            return Err(Usage(why.into()));
        };
        place.and_then(|place| Shard::new(place + 1, of)).ok_or_else(|| {
            Usage(format!("--shard auto: this task's number is not among {of} shards: ask for as many tasks").into())
        })
    }
}

#[derive(Debug, Args)]
pub struct EngineOptions {
    /// What scores candidates, if it is not this process: ray for workers on the nodes of a Ray
    /// cluster (Python package laser-rank[ray])
    #[arg(long, value_name = "ENGINE", value_enum, conflicts_with = "shard")]
    engine: Option<Engine>,
    /// Workers of the engine, each with the model in memory [default: as many as there is room for]
    #[arg(long, value_name = "N", requires = "engine", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    workers: Option<u32>,
    /// Processor cores of each worker
    #[arg(long, value_name = "N", default_value_t = 1.0, requires = "engine", value_parser = parse_amount)]
    cpus_per_worker: f64,
    /// GPUs of each worker, such as 1 or 0.5; needs --device cuda
    #[arg(long, value_name = "N", default_value_t = 0.0, requires = "engine", value_parser = parse_amount)]
    gpus_per_worker: f64,
}

/// Cores or GPUs of a worker.
fn parse_amount(text: &str) -> Result<f64, String> {
    let amount = text.parse::<f64>().ok().filter(|amount| amount.is_finite() && *amount >= 0.0);
    amount.ok_or_else(|| "write a number such as 1 or 0.5".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// Ray
    Ray,
}

impl EngineOptions {
    /// The fleet that is asked for, if one is.
    pub fn size(&self) -> Option<FleetSize> {
        let workers = self.workers.map(|workers| workers as usize);
        self.engine.map(|Engine::Ray| FleetSize { workers, cpus: self.cpus_per_worker, gpus: self.gpus_per_worker })
    }
}

#[derive(Debug, Args)]
pub struct MergeOptions {
    /// The RUN folder whose shards are finished
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Memory for kept activations [default: a quarter of the machine's, on a GPU half of what is free]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    pub memory: Option<Bytes>,
}

#[derive(Debug, Args)]
pub struct FleetOptions {
    /// What starts the shards
    #[arg(value_enum)]
    pub scheduler: Scheduler,
    /// In how many shards the search is cut
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub shards: u32,
    /// The container image that has laser (k8s)
    #[arg(long, value_name = "IMAGE", default_value = "laser")]
    pub image: String,
    /// The claim on a volume that all pods mount as /work: models, data and RUN are there (k8s)
    #[arg(long, value_name = "CLAIM", default_value = "laser-work")]
    pub claim: String,
    /// The search: search MODEL --task TASK --out RUN ...
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "SEARCH")]
    pub search: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scheduler {
    /// A batch file for sbatch
    Slurm,
    /// A script for HyperQueue
    Hq,
    /// Manifests for kubectl
    K8s,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn shard(choice: &str, variables: &[(&str, &str)]) -> Result<String, String> {
        let all: HashMap<&str, &str> = variables.iter().copied().collect();
        let found = choice.parse::<ShardChoice>()?.shard(|name| all.get(name).map(|text| (*text).to_owned()));
        found.map(|shard| shard.to_string()).map_err(|usage| usage.to_string())
    }

    #[test]
    fn schedulers_tell_the_shard() {
        let slurm =
            |id, least| [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_MIN", least), ("SLURM_ARRAY_TASK_COUNT", "4")];
        assert_eq!(shard("auto", &slurm("3", "1")), Ok("3/4".into()));
        assert_eq!(shard("auto", &slurm("0", "0")), Ok("1/4".into()));
        // One of sixteen, started again by itself.
        let again = [("SLURM_ARRAY_TASK_ID", "3"), ("SLURM_ARRAY_TASK_MIN", "3"), ("SLURM_ARRAY_TASK_COUNT", "1")];
        assert_eq!(shard("auto/16", &again), Ok("3/16".into()));
        let stepped = |id| [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_MIN", "3"), ("SLURM_ARRAY_TASK_STEP", "4")];
        assert_eq!(shard("auto/16", &stepped("11")), Ok("11/16".into()));
        let counted = [&stepped("11")[..], &[("SLURM_ARRAY_TASK_COUNT", "4")]].concat();
        assert_eq!(shard("auto", &counted), Ok("3/4".into()));
        assert_eq!(shard("auto/8", &[("HQ_TASK_ID", "2"), ("SLURM_ARRAY_TASK_ID", "5")]), Ok("2/8".into()));
        assert_eq!(shard("auto/8", &[("JOB_COMPLETION_INDEX", "7")]), Ok("8/8".into()));
        assert_eq!(shard("auto/8", &[("HQ_TASK_ID", "8")]), Ok("8/8".into()));
        assert_eq!(shard("2/4", &[]), Ok("2/4".into()));
        for (choice, variables, message) in [
            ("auto", &[][..], "finds no task number"),
            ("auto", &[("HQ_TASK_ID", "1")][..], "write --shard auto/N"),
            ("auto/8", &[("JOB_COMPLETION_INDEX", "8")][..], "is not among 8 shards"),
            ("auto/0", &[][..], "`auto/0` is not a shard: write 2/4"),
            ("5/4", &[][..], "`5/4` is not a shard: write 2/4"),
        ] {
            let error = shard(choice, variables).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
