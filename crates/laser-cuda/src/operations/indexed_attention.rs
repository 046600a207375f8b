//! Attention over indexed rows.

use crate::buffer::Rows;
use crate::gpu_device::{BLOCK, Buffer, Device, bytes_of, count};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};
use std::sync::Arc;

/// Which cache rows each query sees, in order. Cloning shares them.
#[derive(Debug, Clone)]
pub struct Attended {
    ends: Arc<Buffer>,
    seen: Arc<Buffer>,
    queries: usize,
    /// One more than the largest row number.
    bound: usize,
}

impl Attended {
    /// Query `i` sees `seen[ends[i - 1]..ends[i]]`.
    ///
    /// # Errors
    /// If the ends do not rise, or the last is not all.
    pub fn of(device: &Device, ends: &[u32], seen: &[u32]) -> Result<Self> {
        if !ends.is_sorted() || ends.last().map_or(0, |&end| end as usize) != seen.len() {
            return Err(Error::shape(
                "attention",
                format!("{} queries do not share out {} rows", ends.len(), seen.len()),
            ));
        }
        Ok(Self {
            ends: Arc::new(Buffer::of(device, bytes_of(ends))?),
            seen: Arc::new(Buffer::of(device, bytes_of(seen))?),
            queries: ends.len(),
            bound: seen.iter().max().map_or(0, |&row| row as usize + 1),
        })
    }

    /// The number of queries.
    pub fn len(&self) -> usize {
        self.queries
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.queries == 0
    }
}

/// How attention's heads lie, and how scores are made of products.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttentionShape {
    /// Elements of a head, 256 at most.
    pub head_dim: usize,
    /// What products are multiplied by, usually 1 / √head_dim.
    pub scale: f32,
    /// Then a score s becomes cap * tanh(s / cap).
    pub softcap: Option<f32>,
    /// Then it falls with distance, with the heads' slopes of this largest exponent.
    pub alibi: Option<f32>,
}

impl Device {
    /// softmax(scores(q kᵀ)) v for each head of f32 `q [queries, heads * head_dim]`, stored as `kind`.
    ///
    /// `keys` and `values` are `[cache rows, kv_heads * head_dim]`, stored alike; heads / kv_heads neighbouring heads share
    /// a key/value head. A query that sees no row gives zeros.
    ///
    /// # Errors
    /// If the operands do not fit, a row is not there, or heads are longer than 256.
    pub fn attention(
        &self,
        q: &Rows,
        keys: &Rows,
        values: &Rows,
        attended: &Attended,
        shape: AttentionShape,
        kind: Kind,
    ) -> Result<Rows> {
        let AttentionShape { head_dim, scale, softcap, alibi } = shape;
        let bad = |why: String| Err(Error::shape("attention", why));
        if head_dim == 0 || head_dim > 256 {
            return bad(format!("heads of {head_dim}"));
        }
        let (heads, kv_heads) = (q.width() / head_dim, keys.width() / head_dim);
        let whole = q.width().is_multiple_of(head_dim) && keys.width().is_multiple_of(head_dim);
        if !whole || kv_heads == 0 || !heads.is_multiple_of(kv_heads) || q.kind() != Kind::F32 {
            return bad(format!("heads of {head_dim} in rows of {} and {}", q.width(), keys.width()));
        }
        if (keys.width(), keys.rows(), keys.kind()) != (values.width(), values.rows(), values.kind()) {
            return bad(format!("keys {:?} and values {:?}", keys.operand(), values.operand()));
        }
        if attended.queries != q.rows() || attended.bound > keys.rows() {
            let (queries, rows) = (q.rows(), keys.rows());
            return bad(format!(
                "rows seen by {} queries do not fit {queries} and {rows} cache rows",
                attended.queries
            ));
        }
        self.owns("attention", [q.buffer(), keys.buffer(), values.buffer(), &attended.ends, &attended.seen])?;
        let out = Rows::new(self, kind, q.rows(), q.width())?;
        // By how heads lie alone: both ways take the same steps, and give the same bits.
        let vectors = head_dim.is_multiple_of(8) && [q, keys, values].into_iter().all(Rows::is_aligned);
        let name = match (vectors, head_dim) {
            (false, _) => "laser_attention_any",
            (true, ..=64) => "laser_attention_64",
            (true, ..=128) => "laser_attention_128",
            (true, _) => "laser_attention_256",
        };
        let queries = count("attention", q.rows())?;
        let blocks = (queries.div_ceil(BLOCK / 32) as usize).saturating_mul(heads);
        let arguments = [
            Pointer(out.address()),
            I32(kind as i32),
            U64(out.stride() as u64),
            Pointer(q.address()),
            U64(q.stride() as u64),
            Pointer(keys.address()),
            U64(keys.stride() as u64),
            Pointer(values.address()),
            U64(values.stride() as u64),
            I32(keys.kind() as i32),
            Pointer(attended.ends.address()),
            Pointer(attended.seen.address()),
            U32(queries),
            U32(count("attention", heads)?),
            U32(count("attention", heads / kv_heads)?),
            U32(count("attention", head_dim)?),
            F32(scale),
            F32(softcap.unwrap_or(0.0)),
            F32(alibi.unwrap_or(0.0)),
        ];
        // SAFETY: all rows seen are there, and queries, heads and strides are the operands' own.
        unsafe { self.launch(name, count("attention", blocks)?, BLOCK, &arguments)? };
        Ok(out)
    }
}
