//! Training by imitation: the planner's moves are to be the most likely ones.
//!
//! Every step draws its windows from the seed and the step's number, and gradients are summed in a
//! fixed order: a training that was killed and goes on from its last kept step ends with the same
//! weights, to the last bit, on the same kind of machine.

use crate::adamw::AdamW;
use crate::decision_shape::{DecisionShape, PLAN};
use crate::error::{Error, Result};
use crate::named_tensors::{NamedTensors, Values};
use crate::trainable::{Loss, Trainable, first_weights};
use crate::training_windows::{Teacher, Windows};
use candle_core::Var;
use laser_example::SplitMix64;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// What is kept to go on from.
const KEPT: &str = "training.safetensors";
const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
/// A step's windows are cut into this many parts, whatever the machine has: sums depend on it.
const PARTS: usize = 2;
/// Longer gradients are shortened to this.
const LONGEST_GRADIENT: f64 = 1.0;
/// What the loss of the plan on the cells counts beside that of the moves.
const PLAN_WEIGHT: f64 = 4.0;
/// The rate grows over so many steps.
const WARM_UP: usize = 200;
/// The rate falls over the last part of the steps, one in so many.
const COOL_DOWN: usize = 3;

/// How a model is trained.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrainingOptions {
    /// The model's sizes.
    pub shape: DecisionShape,
    /// The seed of weights and windows.
    pub seed: u64,
    /// Windows in a step.
    pub windows: usize,
    /// The highest learning rate.
    pub rate: f64,
    /// Weight decay of the matrices.
    pub decay: f64,
    /// Steps in all. A training may be prolonged, unless its rate has begun to fall.
    pub steps: usize,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        Self { shape: DecisionShape::default(), seed: 1, windows: 64, rate: 1e-3, decay: 0.01, steps: 12_000 }
    }
}

/// What a step gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainingStep {
    /// Its number, from 1.
    pub step: usize,
    /// The mean negative log-probability of the planned moves, nats.
    pub loss: f64,
    /// The mean negative log-probability of what the rest of the episode does on a cell, nats.
    pub plan: f64,
    /// The share of planned moves that are the most likely ones.
    pub right: f64,
}

/// A training, as far as it has come.
#[derive(Debug)]
pub struct Training {
    options: TrainingOptions,
    folder: PathBuf,
    /// What tells the episodes from others that are learnt from.
    episodes: u64,
    step: usize,
    weights: BTreeMap<String, Values>,
    mean: BTreeMap<String, Values>,
    square: BTreeMap<String, Values>,
    /// The folder, held so that no other process trains in it.
    _lock: Option<File>,
}

impl Training {
    /// Starts a training in `folder`, which is made, or goes on with the one that is there.
    ///
    /// # Errors
    /// The options cannot be, the folder cannot be written or is in use, or it holds another training or another model.
    pub fn open(folder: &Path, options: TrainingOptions, teacher: &Teacher) -> Result<Self> {
        options.shape.check()?;
        std::fs::create_dir_all(folder).map_err(|source| Error::Io { path: folder.to_owned(), source })?;
        let lock = lock(folder)?;
        let weights = first_weights(&options.shape, options.seed);
        let zeros = |it: &BTreeMap<String, Values>| {
            it.iter().map(|(name, it)| (name.clone(), Values::zeros(&it.shape))).collect::<BTreeMap<_, _>>()
        };
        let (mean, square) = (zeros(&weights), zeros(&weights));
        let mut training = Self {
            options,
            folder: folder.to_owned(),
            episodes: teacher.digest(),
            step: 0,
            weights,
            mean,
            square,
            _lock: lock,
        };
        let path = folder.join(KEPT);
        if path.exists() {
            training.take(NamedTensors::read(&path)?, path)?;
        } else if let Some(path) = [CONFIG, MODEL].map(|name| folder.join(name)).into_iter().find(|path| path.exists())
        {
            let why = "it is there already, and no training wrote it: give a new folder".to_owned();
            return Err(Error::File { path, why });
        }
        Ok(training)
    }

    /// Steps that are done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The weights, those that only training has among them.
    #[cfg(test)]
    pub(crate) fn weights(&self) -> &BTreeMap<String, Values> {
        &self.weights
    }

    /// Goes on to the end of the steps; keeps what was reached every `every` steps and at the end.
    /// `told` hears of every step.
    ///
    /// # Errors
    /// The folder cannot be written, the loss is not a number, or `told` fails.
    pub fn run(
        &mut self,
        teacher: &Teacher,
        every: usize,
        mut told: impl FnMut(TrainingStep) -> Result<()>,
    ) -> Result<()> {
        // What a training is started with is kept at once: a folder that cannot be written is known
        // now.
        self.keep()?;
        let model = Trainable::new(self.options.shape, &self.weights)?;
        let pools = (0..PARTS).map(|_| rayon::ThreadPoolBuilder::new().num_threads(1).build());
        let pools: Vec<rayon::ThreadPool> = pools.collect::<Result<_, _>>().map_err(candle_core::Error::wrap)?;
        while self.step < self.options.steps {
            let step = self.advance(&model, teacher, &pools)?;
            told(step)?;
            if self.step.is_multiple_of(every.max(1)) || self.step == self.options.steps {
                self.keep()?;
            }
        }
        Ok(())
    }

    /// One step.
    fn advance(&mut self, model: &Trainable, teacher: &Teacher, pools: &[rayon::ThreadPool]) -> Result<TrainingStep> {
        let options = &self.options;
        let mut random = SplitMix64::new(SplitMix64::new(options.seed ^ (self.step as u64 + 1) << 24).next_u64());
        let of_part = options.windows.div_ceil(PARTS);
        let parts: Vec<Windows> = (0..PARTS).map(|_| teacher.draw(of_part, &mut random)).collect();
        let moves = (PARTS * of_part * options.shape.context) as f64;
        // A pool of one thread for each part: candle's own threads would share a part's products,
        // and wait for each other.
        let gradients: Vec<Result<PartGradient>> = std::thread::scope(|scope| {
            let threads: Vec<_> = parts
                .iter()
                .zip(pools)
                .map(|(windows, pool)| scope.spawn(move || pool.install(|| PartGradient::of(model, windows, moves))))
                .collect();
            let panicked = || Err(candle_core::Error::Msg("a thread panicked".to_owned()).into());
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panicked())).collect()
        });
        let mut parts = gradients.into_iter();
        let mut sum = parts.next().unwrap_or_else(|| Ok(PartGradient::default()))?;
        for part in parts {
            sum.add(part?);
        }
        self.step += 1;
        if !sum.loss.is_finite() {
            return Err(Error::Diverged(self.step));
        }
        self.update(model.vars(), sum.gradients)?;
        Ok(TrainingStep { step: self.step, loss: sum.loss, plan: sum.plan, right: sum.right as f64 / moves })
    }

    fn update(&mut self, vars: &BTreeMap<String, Var>, mut gradients: BTreeMap<String, Vec<f32>>) -> Result<()> {
        let length = gradients.values().flatten().map(|&it| f64::from(it).powi(2)).sum::<f64>().sqrt();
        let shorten = (LONGEST_GRADIENT / length.max(1e-12)).min(1.0) as f32;
        let (rate, step) = (self.rate(), self.step);
        let moments = self.mean.values_mut().zip(self.square.values_mut());
        for ((name, weights), (mean, square)) in self.weights.iter_mut().zip(moments) {
            let Some(gradient) = gradients.get_mut(name) else { continue };
            gradient.iter_mut().for_each(|it| *it *= shorten);
            let decay = if weights.shape.len() > 1 { self.options.decay } else { 0.0 };
            let adamw = AdamW { rate, decay };
            adamw.update(step, &mut weights.values, gradient, &mut mean.values, &mut square.values);
            let var = &vars[name];
            var.set(&candle_core::Tensor::from_slice(&weights.values, weights.shape.as_slice(), var.device())?)?;
        }
        Ok(())
    }

    /// The learning rate of the present step: it grows, stays, and falls to a twentieth.
    fn rate(&self) -> f64 {
        let TrainingOptions { rate, steps, .. } = self.options;
        let warm_up = (self.step as f64 / WARM_UP as f64).min(1.0);
        let cool_down = (steps / COOL_DOWN).max(1) as f64;
        let left = ((steps - self.step.min(steps)) as f64 / cool_down).min(1.0);
        rate * warm_up * (0.05 + 0.95 * left)
    }

    /// Writes what was reached: to go on from, and as a model.
    fn keep(&self) -> Result<()> {
        let mut kept = NamedTensors::default();
        for (prefix, tensors) in [("", &self.weights), ("mean.", &self.mean), ("square.", &self.square)] {
            kept.tensors.extend(tensors.iter().map(|(name, it)| (format!("{prefix}{name}"), it.clone())));
        }
        kept.notes.insert("step".to_owned(), self.step.to_string());
        kept.notes.insert("episodes".to_owned(), self.episodes.to_string());
        kept.notes.insert("options".to_owned(), serde_json::json!(self.options).to_string());
        kept.write(&self.folder.join(KEPT))?;
        let mut tensors = self.weights.clone();
        tensors.retain(|name, _| !name.starts_with(PLAN));
        tensors.extend(self.options.shape.unused_tensors().into_iter().map(|(name, it)| (name, Values::zeros(&it))));
        NamedTensors { tensors, ..NamedTensors::default() }.write(&self.folder.join(MODEL))?;
        let (path, config) = (self.folder.join(CONFIG), format!("{:#}\n", self.options.shape.config()));
        laser_files::write_whole(&path, config.as_bytes()).map_err(|source| Error::Io { path, source })
    }

    fn take(&mut self, mut kept: NamedTensors, path: PathBuf) -> Result<()> {
        let broken = |why: &str| Error::File { path: path.clone(), why: why.to_owned() };
        let note = |name: &str| kept.notes.get(name).ok_or_else(|| broken("it is not a kept training"));
        let step = note("step")?.parse().map_err(|_| broken("its step is not a number"))?;
        let before: TrainingOptions =
            serde_json::from_str(note("options")?).map_err(|_| broken("its options cannot be read"))?;
        let other = |what| Err(Error::OtherTraining { path: path.clone(), what });
        if before.shape != self.options.shape {
            return other("sizes");
        }
        if (TrainingOptions { steps: self.options.steps, ..before }) != self.options {
            return other("options");
        }
        if *note("episodes")? != self.episodes.to_string() {
            return other("levels or episodes");
        }
        let cooling = step > before.steps - before.steps / COOL_DOWN;
        if before.steps != self.options.steps && (cooling || step > self.options.steps) {
            return other("steps, and its learning rate has begun to fall");
        }
        for (prefix, tensors) in [("", &mut self.weights), ("mean.", &mut self.mean), ("square.", &mut self.square)] {
            for (name, values) in tensors {
                let found = kept.tensors.remove(&format!("{prefix}{name}"));
                *values = found.filter(|it| it.shape == values.shape).ok_or_else(|| broken("it lacks tensors"))?;
            }
        }
        self.step = step;
        Ok(())
    }
}

/// Holds the folder for this process; nothing is held where the system cannot lock folders.
fn lock(folder: &Path) -> Result<Option<File>> {
    let Ok(held) = File::open(folder) else { return Ok(None) };
    match held.try_lock() {
        Ok(()) => Ok(Some(held)),
        Err(TryLockError::WouldBlock) => Err(Error::InUse(folder.to_owned())),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// What some windows give.
#[derive(Default)]
struct PartGradient {
    loss: f64,
    plan: f64,
    right: usize,
    gradients: BTreeMap<String, Vec<f32>>,
}

impl PartGradient {
    fn of(model: &Trainable, windows: &Windows, moves: f64) -> Result<Self> {
        let Loss { moves: of_moves, plan, right } = model.loss(windows)?;
        let loss = (of_moves / moves)?;
        let plan = (plan / moves)?;
        let store = (&loss + (&plan * PLAN_WEIGHT)?)?.backward()?;
        let gradient = |(name, var): (&String, &Var)| {
            let gradient = store.get(var).map(|it| it.flatten_all()?.to_vec1::<f32>()).transpose()?;
            Ok(gradient.map(|gradient| (name.clone(), gradient)))
        };
        let gradients = model.vars().iter().filter_map(|it| gradient(it).transpose()).collect::<Result<_>>()?;
        let [loss, plan] = [loss, plan].map(|it| it.to_scalar::<f32>());
        Ok(Self { loss: f64::from(loss?), plan: f64::from(plan?), right, gradients })
    }

    fn add(&mut self, other: Self) {
        self.loss += other.loss;
        self.plan += other.plan;
        self.right += other.right;
        for (name, gradient) in other.gradients {
            match self.gradients.get_mut(&name) {
                Some(sum) => sum.iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value),
                None => drop(self.gradients.insert(name, gradient)),
            }
        }
    }
}
