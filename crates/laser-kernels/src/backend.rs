//! What a transformer asks of the machine that computes it.

use crate::divergence::{Divergence, diverge};
use crate::error::{Error, Result};
use crate::kv_indices::KvIndices;
use crate::parts::{Activation, AttentionScores, Linear, Mixture, Mlp, Norm, OverRanges, Precision, Rotation};
use crate::reading::Reading;
use crate::weight_source::WeightSource;
use laser_matrix::{LowRank, Matrix};
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// [`Linear`] of a backend.
pub type LinearOn<B> = Linear<<B as Backend>::Weight, <B as Backend>::Vector>;
/// [`OverRanges`] of a backend.
pub type OverRangesOn<'a, B> = OverRanges<'a, <B as Backend>::Weight, <B as Backend>::Vector>;
/// [`Norm`] of a backend.
pub type NormOn<B> = Norm<<B as Backend>::Vector>;
/// [`Mlp`] of a backend.
pub type MlpOn<B> = Mlp<<B as Backend>::Weight, <B as Backend>::Vector>;
/// [`Mixture`] of a backend.
pub type MixtureOn<B> = Mixture<<B as Backend>::Weight, <B as Backend>::Vector>;
/// [`Rotation`] of a backend.
pub type RotationOn<B> = Rotation<<B as Backend>::Rows>;

/// The operations of a transformer.
///
/// Rows are handles: wherever they lie, in meaning they are f32 values `[rows, width]`. Each row of
/// a result depends on its own operands alone, in an order that neither the number of rows nor the
/// number of threads changes. Batched, cached and one-by-one evaluation therefore give the same
/// bits.
///
/// Every operation fails if its operands do not fit each other, or if the device is out of memory.
pub trait Backend: Clone + Debug + Send + Sync + 'static {
    /// Activations, `[rows, width]`. Cloning shares them.
    type Rows: Clone + Debug + Send + Sync;
    /// A table `[rows, width]` that grows at its end and keeps its rows: keys, values, residual
    /// streams, embeddings.
    type Table: Debug + Send + Sync;
    /// A weight matrix `[outputs, inputs]`, as this backend multiplies by it. Cloning shares it.
    type Weight: Clone + Debug + Send + Sync;
    /// Weights of a norm, or a bias. Cloning shares it.
    type Vector: Clone + Debug + Send + Sync;
    /// Row numbers.
    type Indices: Clone + Debug + Send + Sync;
    /// [`KvIndices`] made ready for the device.
    type Attended: Clone + Debug + Send + Sync;
    /// What logits are made with: a matrix `[vocabulary, hidden]`, its bias and a soft cap.
    type Head: Debug + Send + Sync;

    /// What decides the bits of this backend's results on this machine: the device and the
    /// instruction set.
    fn kernel_path(&self) -> String;

    /// Whether room in a table that is not used takes no memory.
    fn unused_room_is_free(&self) -> bool;

    /// How many rows are best taken through a block together: enough for products near the device's
    /// peak, few enough that the rows between two operations stay in its cache, or its memory.
    fn rows_together(&self) -> usize {
        1024
    }

    /// Bytes of the device's own memory that may hold activations between operations, if it has its own.
    fn memory_for_activations(&self) -> Option<usize> {
        None
    }

    // Between the host and the device.

    /// Rows of `width` values each, from `values`, row-major.
    ///
    /// # Errors
    /// If `values` is not a whole number of rows, or the device is out of memory.
    fn rows(&self, values: Vec<f32>, width: usize) -> Result<Self::Rows>;
    /// The values of rows, row-major.
    ///
    /// # Errors
    /// If the device fails.
    fn to_host(&self, x: &Self::Rows) -> Result<Vec<f32>>;
    /// A vector of `values`.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn vector(&self, values: Vec<f32>) -> Result<Self::Vector>;
    /// The values of a vector.
    ///
    /// # Errors
    /// If the device fails.
    fn vector_to_host(&self, vector: &Self::Vector) -> Result<Vec<f32>>;
    /// Row numbers.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn indices(&self, numbers: &[u32]) -> Result<Self::Indices>;
    /// The cache rows that queries see.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn attended(&self, indices: &Arc<KvIndices>) -> Result<Self::Attended>;

    // Rows and tables.

    /// The rows with these numbers, in their order.
    ///
    /// # Errors
    /// If there is no row with one of the numbers, or the device is out of memory.
    fn select(&self, x: &Self::Rows, numbers: &Self::Indices) -> Result<Self::Rows>;
    /// The rows `range`.
    ///
    /// # Errors
    /// If the range ends behind the last row, or the device is out of memory.
    fn slice(&self, x: &Self::Rows, range: Range<usize>) -> Result<Self::Rows>;
    /// The rows of all `parts`, at least one, of one width.
    ///
    /// # Errors
    /// If the widths differ, or the device is out of memory.
    fn concat(&self, parts: Vec<Self::Rows>) -> Result<Self::Rows>;
    /// An empty table with room for `capacity` rows.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn table(&self, capacity: usize, width: usize) -> Result<Self::Table>;
    /// A table of `values`, row-major.
    ///
    /// # Errors
    /// If `values` is not a whole number of rows, or the device is out of memory.
    fn table_of(&self, values: Vec<f32>, width: usize) -> Result<Self::Table>;
    /// Forgets a table's rows, but keeps their memory.
    fn clear(&self, table: &mut Self::Table);
    /// Puts `rows` in the places `numbers`, all different, which may be behind the end. What is
    /// skipped this way has no meaning.
    ///
    /// # Errors
    /// If the widths or the numbers of rows differ, or the device is out of memory.
    fn write(&self, table: &mut Self::Table, numbers: &Self::Indices, rows: &Self::Rows) -> Result<()>;
    /// A copy of the rows with these numbers.
    ///
    /// # Errors
    /// If the table has no row with one of the numbers, or the device is out of memory.
    fn gather(&self, table: &Self::Table, numbers: &Self::Indices) -> Result<Self::Rows>;

    // Weights.

    /// A weight, multiplied by in `precision`.
    ///
    /// # Errors
    /// [`Error::Precision`](crate::Error::Precision) if there are no such products. Any other error
    /// means that the device is out of memory.
    fn weight(&self, matrix: &Matrix, precision: Precision) -> Result<Self::Weight>;
    /// Whether [`Self::low_rank_weight`] is faster than a product of the factors on the host.
    fn takes_factors(&self) -> bool {
        false
    }
    /// The weight that is the product of these factors.
    ///
    /// # Errors
    /// If the backend does not take factors.
    fn low_rank_weight(&self, _: &LowRank, _: Precision) -> Result<Self::Weight> {
        Err(Error::Operands { op: "weight", why: "this backend takes no factors".to_owned() })
    }
    /// Whether there are weights that stay two thin matrices: [`Self::weight_in_factors`].
    fn keeps_factors(&self) -> bool {
        false
    }
    /// A weight that stays two thin matrices, W = outer inner: x is multiplied by the one and then by
    /// the other.
    ///
    /// # Errors
    /// As [`Self::weight`], and if the backend has no such weights.
    fn weight_in_factors(&self, _inner: &Matrix, _outer: &Matrix, _: Precision) -> Result<Self::Weight> {
        Err(Error::Operands { op: "weight", why: "this backend keeps no factors".to_owned() })
    }
    /// A weight that stays where it is and is read each time it is used, if the backend can;
    /// otherwise it is read now.
    ///
    /// # Errors
    /// If the source cannot be read, or the device is out of memory.
    fn weight_on_demand(&self, source: Arc<dyn WeightSource>) -> Result<Self::Weight>;
    /// In what a weight is multiplied.
    fn precision(&self, weight: &Self::Weight) -> Precision;
    /// A weight in bf16.
    ///
    /// # Errors
    /// [`Error::Precision`](crate::Error::Precision) if there are no such products, or none with
    /// this weight.
    fn to_bf16(&self, weight: &Self::Weight) -> Result<Self::Weight>;
    /// A weight's values, as it is multiplied by.
    ///
    /// # Errors
    /// If the weight cannot be read from its source, or the device fails.
    fn to_dense(&self, weight: &Self::Weight) -> Result<Matrix>;
    /// The head of `matrix [vocabulary, hidden]`: a logit is the product, plus its bias; then cap *
    /// tanh(logit / cap).
    ///
    /// # Errors
    /// If the device is out of memory.
    fn head(&self, matrix: &Matrix, bias: Option<&[f32]>, softcap: Option<f64>) -> Result<Self::Head>;
    /// A head's matrix.
    ///
    /// # Errors
    /// If the device fails.
    fn head_to_dense(&self, head: &Self::Head) -> Result<Matrix>;

    // A block.

    /// The tokens' rows of `table`, times `scale`, plus the rows of another table with other
    /// numbers.
    ///
    /// # Errors
    /// If a table has no row with one of the numbers, the shapes do not fit, or the device is out
    /// of memory.
    fn embed(
        &self,
        table: &Self::Table,
        tokens: &Self::Indices,
        scale: Option<f64>,
        positions: Option<(&Self::Table, &Self::Indices)>,
    ) -> Result<Self::Rows>;
    /// Each row normalised; if rows are longer than the weights, each piece of a row that is as
    /// long as they are.
    ///
    /// # Errors
    /// If a row is not as long as the weights or a multiple of that, or the device is out of
    /// memory.
    fn norm(&self, x: &Self::Rows, norm: &NormOn<Self>) -> Result<Self::Rows>;
    /// `x W'` and the bias: `[rows, outputs]`.
    ///
    /// # Errors
    /// If the rows are not as wide as the weight has inputs, the weight cannot be read from its
    /// source, or the device is out of memory.
    fn linear(&self, x: &Self::Rows, linear: &LinearOn<Self>) -> Result<Self::Rows>;
    /// The same where some rows have other weights than others. The ranges cover all rows, each of
    /// them once; the weights are of one shape.
    ///
    /// # Errors
    /// As [`Self::linear`].
    fn linear_over_ranges(&self, x: &Self::Rows, weights: &[OverRangesOn<Self>]) -> Result<Self::Rows> {
        one_by_one(self, x, weights)
    }
    /// Turns the first 2 n elements of each head of `x [rows, heads * head_dim]`, for a rotation of
    /// n pairs. A pair (a, b) becomes (a cos - b sin, a sin + b cos).
    ///
    /// # Errors
    /// If the shapes do not fit, or the device is out of memory.
    fn rope(&self, x: &Self::Rows, rotation: &RotationOn<Self>, head_dim: usize) -> Result<Self::Rows>;
    /// softmax(scores(q k')) v for each query head. `heads / kv_heads` neighbouring query heads
    /// share a key/value head.
    ///
    /// `q` is `[queries, heads * head_dim]`, `keys` and `values` are `[cache rows, kv_heads *
    /// head_dim]`; the result has `q`'s shape.
    ///
    /// # Errors
    /// If the shapes do not fit, or the device is out of memory.
    fn attention(
        &self,
        q: &Self::Rows,
        keys: &Self::Table,
        values: &Self::Table,
        attended: &Self::Attended,
        head_dim: usize,
        scores: AttentionScores,
    ) -> Result<Self::Rows>;
    /// `activation(x)`.
    ///
    /// # Errors
    /// If the device is out of memory.
    fn activate(&self, x: &Self::Rows, activation: Activation) -> Result<Self::Rows>;
    /// The gate of a gated MLP: `activation(gate) * up`.
    ///
    /// # Errors
    /// If the shapes differ, or the device is out of memory.
    fn gated(&self, gate: &Self::Rows, up: &Self::Rows, activation: Activation) -> Result<Self::Rows>;
    /// `a + b`.
    ///
    /// # Errors
    /// If the shapes differ, or the device is out of memory.
    fn add(&self, a: &Self::Rows, b: &Self::Rows) -> Result<Self::Rows>;
    /// `a + b * scale`.
    ///
    /// # Errors
    /// If the shapes differ, or the device is out of memory.
    fn add_scaled(&self, a: &Self::Rows, b: &Self::Rows, scale: f64) -> Result<Self::Rows>;
    /// Each row of `x` times the sigmoid of its own gate, `[rows, 1]`.
    ///
    /// # Errors
    /// If there is not one gate per row, or the device is out of memory.
    fn gate_rows(&self, x: &Self::Rows, gates: &Self::Rows) -> Result<Self::Rows>;
    /// Rows through an MLP.
    ///
    /// # Errors
    /// As [`Self::linear`].
    fn mlp(&self, x: &Self::Rows, mlp: &MlpOn<Self>) -> Result<Self::Rows> {
        let inner = self.linear(x, &mlp.fc_in)?;
        let inner = match &mlp.fc_up {
            Some(fc_up) => self.gated(&inner, &self.linear(x, fc_up)?, mlp.activation)?,
            None => self.activate(&inner, mlp.activation)?,
        };
        self.linear(&inner, &mlp.fc_out)
    }
    /// Rows through a mixture of experts: for each row the sum over its experts of weight times
    /// output, in the order of the experts.
    ///
    /// # Errors
    /// As [`Self::linear`], and if an expert's output is not as wide as `x`.
    fn mixture(&self, x: &Self::Rows, mixture: &MixtureOn<Self>) -> Result<Self::Rows>;

    // What is read off the last rows.

    /// The logits of `x [rows, hidden]`, `[rows, vocabulary]`.
    ///
    /// # Errors
    /// If the rows are not as wide as the head's matrix, the bias is not one value per row of that
    /// matrix, or the device is out of memory.
    fn logits(&self, x: &Self::Rows, head: &Self::Head) -> Result<Self::Rows>;
    /// What the logits of each row say; `wanted[i]` are the tokens whose log-probability and rank
    /// are wanted of row `i`. Nothing is wanted of a row but its most likely token if its list is
    /// empty.
    ///
    /// # Errors
    /// As [`Self::logits`], and if `wanted` is not one list per row or has a token outside the
    /// vocabulary.
    fn read_out(&self, x: &Self::Rows, head: &Self::Head, wanted: &[&[u32]]) -> Result<Vec<Reading>>;
    /// What the rows `edited [rows, hidden]` predict, beside the logits `unedited [rows, vocabulary]`
    /// of another model; `wanted[i]` is the token whose log-probability is wanted of row `i`.
    ///
    /// # Errors
    /// As [`Self::logits`], and if the numbers of rows differ or a token is outside the vocabulary.
    fn diverge(
        &self,
        unedited: &Self::Rows,
        edited: &Self::Rows,
        head: &Self::Head,
        wanted: &[Option<u32>],
    ) -> Result<Vec<Divergence>> {
        diverge(&self.to_host(unedited)?, &self.to_host(&self.logits(edited, head)?)?, wanted)
    }
}

/// One product per weight: its rows side by side, and then back in their places.
pub(crate) fn one_by_one<B: Backend>(backend: &B, x: &B::Rows, weights: &[OverRangesOn<B>]) -> Result<B::Rows> {
    let mut parts = Vec::new();
    for (linear, ranges) in weights {
        let rows = ranges.iter().map(|range| backend.slice(x, range.clone())).collect::<Result<_>>()?;
        let y = backend.linear(&backend.concat(rows)?, linear)?;
        let mut taken = 0;
        for range in ranges {
            parts.push((range.start, backend.slice(&y, taken..taken + range.len())?));
            taken += range.len();
        }
    }
    parts.sort_by_key(|(start, _)| *start);
    backend.concat(parts.into_iter().map(|(_, rows)| rows).collect())
}
