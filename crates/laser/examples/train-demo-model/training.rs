//! Training, and what reductions do to the accuracy.

use crate::language::{Example, Language, SplitMix64};
use crate::model::{Model, matrix_name, shapes};
use crate::settings::*;
use anyhow::{Context, Result, anyhow};
use candle_core::{D, Device, Tensor, Var};
use candle_nn::ops::log_softmax;
use candle_nn::{AdamW, Optimizer, ParamsAdamW};
use laser_linalg::{Svd, product};
use std::collections::BTreeMap;
use std::thread;

pub fn train(language: &Language, rng: &mut SplitMix64, steps: usize) -> Result<Model> {
    let mut vars = BTreeMap::new();
    for (name, shape) in shapes() {
        let size = shape.iter().product();
        let deviation = if name == EMBEDDING { EMBEDDING_INIT } else { MATRIX_INIT };
        let values: Vec<f32> = match shape.len() {
            1 => vec![1.0; size],
            _ => (0..size).map(|_| (deviation * rng.normal()) as f32).collect(),
        };
        vars.insert(name, Var::from_vec(values, shape, &Device::Cpu)?);
    }
    let model = Model(vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect());
    let params = ParamsAdamW { lr: 3e-3, weight_decay: 1e-4, ..Default::default() };
    let vars: Vec<Var> = vars.into_values().collect();
    let mut optimizer = AdamW::new(vars.clone(), params)?;

    for step in 1..=steps {
        let batches: Vec<Batch> = (0..THREADS).map(|_| Batch::draw(language, rng)).collect::<Result<_>>()?;
        let scored: usize = batches.iter().map(|batch| batch.labels.len()).sum();
        let losses = parallel(&batches, |batch| {
            let loss = (batch.loss(&model)? / scored as f64)?;
            Ok((loss.to_scalar::<f32>()?, loss.backward()?))
        })?;
        let loss: f32 = losses.iter().map(|(loss, _)| loss).sum();
        let mut gradients = losses.into_iter().map(|(_, gradients)| gradients);
        let mut sum = gradients.next().context("no batch")?;
        for other in gradients {
            for var in &vars {
                let both = (sum.get(var).context("no gradient")? + other.get(var).context("no gradient")?)?;
                sum.insert(var, both);
            }
        }
        optimizer.step(&sum)?;
        if step % 100 == 0 {
            eprintln!("step {step:5}  loss {loss:.4}");
        }
    }
    Ok(Model(model.0.iter().map(|(name, w)| (name.clone(), w.detach())).collect()))
}

/// Sequences and the positions whose next character is scored.
pub struct Batch {
    ids: Tensor,
    positions: Vec<u32>,
    labels: Vec<u32>,
}

impl Batch {
    /// One thread's part of a training batch.
    pub fn draw(language: &Language, rng: &mut SplitMix64) -> Result<Self> {
        let (mut ids, mut positions, mut labels) = (vec![], vec![], vec![]);
        for _ in 0..BATCH / THREADS {
            let sequence = language.sequence(rng, NOISE_SHARE);
            let triggers = (0..LENGTH - 1).filter(|&i| sequence[i] == TRIGGER);
            // What follows the first trigger cannot be known.
            for i in triggers.skip(1) {
                positions.push((ids.len() + i) as u32);
                labels.push(sequence[i + 1]);
            }
            ids.extend(sequence);
        }
        Self::new(ids, positions, labels)
    }

    pub fn of(examples: &[Example]) -> Result<Self> {
        let (mut ids, mut positions) = (vec![], vec![]);
        for example in examples {
            ids.extend(&example.prompt);
            positions.push(ids.len() as u32 - 1);
            // Attention looks back only, so that what fills the row is of no matter.
            ids.resize(ids.len().next_multiple_of(LENGTH), 0);
        }
        Self::new(ids, positions, examples.iter().map(|example| example.answer).collect())
    }

    pub fn new(ids: Vec<u32>, positions: Vec<u32>, labels: Vec<u32>) -> Result<Self> {
        let rows = ids.len() / LENGTH;
        let ids = Tensor::from_vec(ids, (rows, LENGTH), &Device::Cpu)?;
        Ok(Self { ids, positions, labels })
    }

    /// Log-probabilities (scored positions, vocabulary), natural logarithm.
    pub fn log_probs(&self, model: &Model) -> Result<Tensor> {
        Ok(log_softmax(&model.logits(&self.ids, &self.positions)?, D::Minus1)?)
    }

    /// The negative log-probability of the labels, summed.
    pub fn loss(&self, model: &Model) -> Result<Tensor> {
        let labels = Tensor::new(self.labels.as_slice(), &Device::Cpu)?.unsqueeze(1)?;
        Ok(self.log_probs(model)?.gather(&labels, 1)?.sum_all()?.neg()?)
    }
}

/// `work` on each item, a thread an item; results in the items' order.
pub fn parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    thread::scope(|scope| {
        let threads: Vec<_> = items.iter().map(|item| scope.spawn(|| work(item))).collect();
        threads.into_iter().map(|t| t.join().map_err(|_| anyhow!("a thread panicked"))?).collect()
    })
}

/// Share of right arg-maxes and mean negative log-probability (nats) of the answers.
pub fn evaluate(model: &Model, examples: &[Example]) -> Result<(f64, f64)> {
    let parts: Vec<_> = examples.chunks(examples.len().div_ceil(THREADS)).collect();
    let sums = parallel(&parts, |part| {
        let (mut right, mut loss) = (0, 0.0);
        for batch in part.chunks(BATCH).map(Batch::of) {
            let batch = batch?;
            for (row, label) in batch.log_probs(model)?.to_vec2::<f32>()?.iter().zip(&batch.labels) {
                let answer = row[*label as usize];
                right += usize::from(row.iter().all(|&p| p <= answer));
                loss -= f64::from(answer);
            }
        }
        Ok((right, loss))
    })?;
    let (right, loss) = sums.iter().fold((0, 0.0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
    let n = examples.len() as f64;
    Ok((right as f64 / n, loss / n))
}

pub fn report(model: &Model, examples: &[Example]) -> Result<()> {
    let (accuracy, loss) = evaluate(model, examples)?;
    eprintln!(
        "\naccuracy in % (log-loss) on {} test examples\nbase        {:5.1} ({loss:.2})",
        examples.len(),
        100.0 * accuracy
    );
    eprint!("rank      ");
    for rank in RANKS {
        eprint!("{rank:>14}");
    }
    for layer in 0..LAYERS {
        for (kind, part) in MATRICES {
            eprint!("\n{layer}.{kind:8}");
            let name = matrix_name(layer, part);
            let svd = Svd::of(&model.matrix(&name)?)?;
            for rank in RANKS {
                let reduced = model.with_matrix(&name, &product(&svd.components(&[0..rank])))?;
                let (accuracy, loss) = evaluate(&reduced, examples)?;
                eprint!("  {:5.1} ({loss:4.2})", 100.0 * accuracy);
            }
        }
    }
    eprintln!();
    Ok(())
}
