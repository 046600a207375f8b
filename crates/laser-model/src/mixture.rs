//! A mixture of experts: each row goes through a few of several MLPs (Shazeer et al., arXiv 1701.06538).

use crate::Result;
use crate::layers::{Linear, Mlp};
use candle_core::Tensor;
use laser_checkpoint::Experts;

/// The router and the experts of a layer.
#[derive(Debug, Clone)]
pub(crate) struct Mixture {
    pub(crate) router: Linear,
    pub(crate) experts: Vec<Mlp>,
    pub(crate) config: Experts,
}

impl Mixture {
    /// The sum over each row's experts of weight times output, in the order of the experts, whatever other rows there are.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let rows = x.dim(0)?;
        let logits = self.router.forward(x)?.to_vec2::<f32>()?;
        // For each expert, the rows that go through it, and their weights.
        let mut routes: Vec<(Vec<u32>, Vec<f32>)> = vec![(Vec::new(), Vec::new()); self.experts.len()];
        for (row, logits) in logits.iter().enumerate() {
            for (expert, weight) in self.choose(logits) {
                routes[expert].0.push(row as u32);
                routes[expert].1.push(weight);
            }
        }
        let mut out = Tensor::zeros((rows, x.dim(1)?), x.dtype(), x.device())?;
        for (expert, (rows, weights)) in self.experts.iter().zip(routes) {
            if rows.is_empty() {
                continue;
            }
            let n = rows.len();
            let rows = Tensor::from_vec(rows, n, x.device())?;
            let weights = Tensor::from_vec(weights, (n, 1), x.device())?;
            let y = expert.forward(&x.index_select(&rows, 0)?.contiguous()?)?.broadcast_mul(&weights)?;
            out = out.index_add(&rows, &y, 0)?;
        }
        Ok(out)
    }

    /// A row's experts with their weights: the largest of the softmax over all experts, as they are or scaled to a sum of
    /// one; of equal ones the first.
    fn choose(&self, logits: &[f32]) -> Vec<(usize, f32)> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = logits.iter().map(|logit| (logit - max).exp()).collect();
        let total: f32 = weights.iter().sum();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        order.truncate(self.config.per_token);
        let total = if self.config.normalised { order.iter().map(|&expert| weights[expert]).sum() } else { total };
        order.into_iter().map(|expert| (expert, weights[expert] / total)).collect()
    }
}
