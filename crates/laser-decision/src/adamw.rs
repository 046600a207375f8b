//! AdamW (Loshchilov and Hutter, arXiv 1711.05101), with moments that can be kept and read back.

/// How weights move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamW {
    pub rate: f64,
    pub decay: f64,
}

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPS: f64 = 1e-8;

impl AdamW {
    /// Moves `weights` at step `step`, counted from 1, against `gradient`; `mean` and `square` are
    /// the moments.
    pub fn update(&self, step: usize, weights: &mut [f32], gradient: &[f32], mean: &mut [f32], square: &mut [f32]) {
        let (b1, b2) = (BETA1 as f32, BETA2 as f32);
        let bias1 = (1.0 - BETA1.powi(step as i32)) as f32;
        let bias2 = (1.0 - BETA2.powi(step as i32)) as f32;
        let (rate, keep, eps) = (self.rate as f32, (1.0 - self.rate * self.decay) as f32, EPS as f32);
        let moments = mean.iter_mut().zip(square);
        for ((weight, gradient), (mean, square)) in weights.iter_mut().zip(gradient).zip(moments) {
            *mean = b1 * *mean + (1.0 - b1) * gradient;
            *square = b2 * *square + (1.0 - b2) * gradient * gradient;
            *weight = *weight * keep - rate * (*mean / bias1) / ((*square / bias2).sqrt() + eps);
        }
    }
}
