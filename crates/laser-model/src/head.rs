//! The residual stream to logits.

use crate::Result;
use crate::loading::{Loader, activation, normed};
use laser_checkpoint::ParamKind;
use laser_kernels::{Activation, Backend, Divergence, LinearOn, NormOn, Reading};
use laser_matrix::Matrix;

/// The final norm, a masked model's transformation if there is one, and the product with the
/// vocabulary.
#[derive(Debug)]
pub(crate) struct Head<B: Backend> {
    pub final_norm: Option<NormOn<B>>,
    pub dense: Option<LinearOn<B>>,
    pub activation: Activation,
    pub dense_norm: Option<NormOn<B>>,
    pub output: B::Head,
    /// Those of `output`, as they were given.
    pub bias: Option<Vec<f32>>,
    pub softcap: Option<f64>,
}

impl<B: Backend> Head<B> {
    /// With the matrix `[vocabulary, hidden]`.
    pub fn load(loader: &Loader<B>, matrix: &Matrix) -> Result<Self> {
        let (config, checkpoint) = (loader.config(), loader.checkpoint);
        let dense = match checkpoint.table(ParamKind::HeadDense)? {
            Some(matrix) => Some(loader.linear(&matrix, checkpoint.bias(ParamKind::HeadDense, 0, None)?)?),
            None => None,
        };
        let bias = checkpoint.bias(ParamKind::Head, 0, None)?;
        Ok(Self {
            // Logits are linear in what the final norm gives.
            final_norm: loader.scaled_norm(ParamKind::FinalNorm, 0, config.logit_scale)?,
            dense,
            activation: activation(config.activation),
            dense_norm: loader.norm(ParamKind::HeadNorm, 0)?,
            output: loader.backend.head(matrix, bias.as_deref(), config.final_softcap)?,
            bias,
            softcap: config.final_softcap,
        })
    }

    /// Logits `[rows, vocabulary]` of the final residual stream `x [rows, hidden]`.
    pub fn logits(&self, backend: &B, x: &B::Rows) -> Result<B::Rows> {
        Ok(backend.logits(&self.input(backend, x)?, &self.output)?)
    }

    /// What rows of the final residual stream `x [rows, hidden]` predict; `wanted[i]` are the
    /// tokens whose log-probability is wanted of row `i`.
    pub fn read_out(&self, backend: &B, x: &B::Rows, wanted: &[&[u32]]) -> Result<Vec<Reading>> {
        Ok(backend.read_out(&self.input(backend, x)?, &self.output, wanted)?)
    }

    /// What rows of the final residual stream `edited [rows, hidden]` predict, beside another model's
    /// logits of them; `wanted[i]` is the token whose log-probability is wanted of row `i`.
    pub fn diverge(
        &self,
        backend: &B,
        unedited: &B::Rows,
        edited: &B::Rows,
        wanted: &[Option<u32>],
    ) -> Result<Vec<Divergence>> {
        Ok(backend.diverge(unedited, &self.input(backend, edited)?, &self.output, wanted)?)
    }

    fn input(&self, backend: &B, x: &B::Rows) -> Result<B::Rows> {
        let x = normed(backend, &self.final_norm, x)?;
        match &self.dense {
            Some(dense) => {
                let x = backend.activate(&backend.linear(&x, dense)?, self.activation)?;
                normed(backend, &self.dense_norm, &x)
            }
            None => Ok(x),
        }
    }
}
