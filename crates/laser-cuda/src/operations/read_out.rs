//! What rows predict, read off their logits a slice of the vocabulary at a time.

use crate::buffer::{Indices, Rows, Vector};
use crate::gpu_device::{BLOCK, Buffer, Device, blocks, count};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};
use std::ops::Range;

/// Tokens of a tile, as the kernels count.
const TILE: usize = 1024;

/// What one row predicts.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The most likely next token; of several, the one with the lowest id.
    pub argmax: u32,
    /// Natural-log probability of each token that was asked for, in the order asked.
    pub logprobs: Vec<f64>,
    /// How many tokens are more likely than each token that was asked for; equal ones count with the lower ids.
    pub ranks: Vec<usize>,
}

/// The tokens that are asked for, of each row.
#[derive(Debug)]
pub struct Wanted {
    /// How many of each row.
    counts: Vec<usize>,
    /// Of each token asked for: its row, and itself.
    rows: Indices,
    tokens: Indices,
}

impl Wanted {
    /// `wanted[i]` are the tokens that are asked for of row `i`.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn of(device: &Device, wanted: &[&[u32]]) -> Result<Self> {
        let counts: Vec<usize> = wanted.iter().map(|tokens| tokens.len()).collect();
        let rows = (0u32..).zip(&counts).flat_map(|(row, &count)| std::iter::repeat_n(row, count));
        Ok(Self {
            rows: Indices::of(device, &rows.collect::<Vec<_>>())?,
            tokens: Indices::of(device, &wanted.concat())?,
            counts,
        })
    }
}

/// The matrix that makes logits of rows, and how they are read.
#[derive(Debug, Clone)]
pub struct ReadOut {
    /// `[vocabulary, hidden]`.
    pub weights: Rows,
    /// `[vocabulary]`.
    pub bias: Option<Vector>,
    /// A logit l becomes cap * tanh(l / cap).
    pub softcap: Option<f32>,
    /// Tokens of a slice, rounded up to a multiple of 1,024. Products of other shapes may have other bits, so it should be
    /// the same for all rows that are compared.
    pub slice: usize,
    /// Bytes of logits that may be held at a time. Where all fit, ranks need no second product; the bits are the same.
    pub memory: usize,
}

impl ReadOut {
    /// The slices of the vocabulary: whole tiles, except the last.
    fn slices(&self) -> impl Iterator<Item = Range<usize>> {
        let vocabulary = self.weights.rows();
        let slice = self.slice.clamp(1, vocabulary.max(1)).next_multiple_of(TILE);
        (0..vocabulary).step_by(slice).map(move |first| first..vocabulary.min(first + slice))
    }
}

/// What is known of all rows so far, on the device.
struct State {
    tiles: usize,
    largest: Rows,
    best: Buffer,
    sums: Rows,
    logits: Buffer,
    /// What is read back, in one piece: log-probabilities (f64), ranks and most likely tokens (u32).
    answers: Buffer,
    asked: u64,
}

impl State {
    fn ranks(&self) -> u64 {
        self.answers.address() + 8 * self.asked
    }

    fn argmax(&self) -> u64 {
        self.answers.address() + 12 * self.asked
    }
}

impl Device {
    /// What each row of `x [rows, hidden]` predicts. Logits are made slice by slice, and once more for ranks where they are
    /// not all held. One wait, at the end.
    ///
    /// # Errors
    /// If a token is outside the vocabulary, shapes do not fit, or memory does not suffice.
    pub fn read_out(&self, x: &Rows, head: &ReadOut, wanted: &Wanted) -> Result<Vec<Reading>> {
        let (rows, vocabulary, asked) = (x.rows(), head.weights.rows(), wanted.tokens.len());
        if wanted.counts.len() != rows {
            return Err(Error::shape("read-out", format!("{} rows are asked for of {rows}", wanted.counts.len())));
        }
        wanted.tokens.check("read-out", asked, vocabulary)?;
        self.owns("read-out", [wanted.rows.buffer(), wanted.tokens.buffer()])?;
        if rows == 0 || vocabulary == 0 {
            return Ok(Vec::new());
        }
        let x = self.convert(x, head.weights.kind())?;
        let tiles = vocabulary.div_ceil(TILE);
        let state = State {
            tiles,
            largest: Rows::new(self, Kind::F32, rows, tiles)?,
            best: Buffer::new(self, rows * tiles * 4)?,
            sums: Rows::new(self, Kind::F32, rows, tiles)?,
            logits: Buffer::new(self, asked * 4)?,
            answers: Buffer::zeros(self, 12 * asked + 4 * rows)?,
            asked: asked as u64,
        };
        let holds = asked > 0 && rows.saturating_mul(vocabulary).saturating_mul(4) <= head.memory;
        let mut held = Vec::new();
        for tokens in head.slices() {
            let first = tokens.start;
            let logits = self.logits(&x, head, tokens)?;
            self.read_slice(&state, head, wanted, &logits, first)?;
            held.push(holds.then_some(logits));
        }
        for (tokens, held) in head.slices().zip(held).filter(|_| asked > 0) {
            let first = tokens.start;
            let logits = match held {
                Some(logits) => logits,
                None => self.logits(&x, head, tokens)?,
            };
            self.rank_slice(&state, head, wanted, &logits, first)?;
        }
        self.join(&state, wanted, rows)
    }

    /// The logits of some tokens.
    fn logits(&self, x: &Rows, head: &ReadOut, tokens: Range<usize>) -> Result<Rows> {
        let bias = head.bias.as_ref().map(|bias| bias.slice(tokens.clone())).transpose()?;
        self.linear(x, &head.weights.slice(tokens)?, bias.as_ref(), None)
    }

    fn read_slice(&self, state: &State, head: &ReadOut, wanted: &Wanted, logits: &Rows, first: usize) -> Result<()> {
        let (rows, tokens) = (logits.rows(), logits.width());
        let softcap = F32(head.softcap.unwrap_or(0.0));
        let (first, tokens_here) = (U32(count("read-out", first)?), U32(count("read-out", tokens)?));
        let tiles = [
            Pointer(state.largest.address()),
            Pointer(state.best.address()),
            Pointer(state.sums.address()),
            Pointer(logits.address()),
            U64(logits.stride() as u64),
            U32(count("read-out", rows)?),
            first,
            tokens_here,
            U32(count("read-out", state.tiles)?),
            softcap,
        ];
        let asked = wanted.tokens.len();
        let own = [
            Pointer(state.logits.address()),
            Pointer(wanted.rows.address()),
            Pointer(wanted.tokens.address()),
            U32(count("read-out", asked)?),
            Pointer(logits.address()),
            U64(logits.stride() as u64),
            first,
            tokens_here,
            softcap,
        ];
        let launched = count("read-out", rows * tokens.div_ceil(TILE))?;
        // SAFETY: the state has the tiles of all rows, and a slice begins with a tile; rows and tokens asked for were checked.
        unsafe {
            self.launch("laser_read_tiles", launched, BLOCK, &tiles)?;
            self.launch("laser_read_wanted", blocks("read-out", asked)?, BLOCK, &own)
        }
    }

    fn rank_slice(&self, state: &State, head: &ReadOut, wanted: &Wanted, logits: &Rows, first: usize) -> Result<()> {
        let arguments = [
            Pointer(state.ranks()),
            Pointer(wanted.rows.address()),
            Pointer(wanted.tokens.address()),
            Pointer(state.logits.address()),
            Pointer(logits.address()),
            U64(logits.stride() as u64),
            U32(count("read-out", first)?),
            U32(count("read-out", logits.width())?),
            F32(head.softcap.unwrap_or(0.0)),
        ];
        // SAFETY: rows asked for are there: a row of each count.
        unsafe { self.launch("laser_read_ranks", count("read-out", wanted.tokens.len())?, BLOCK, &arguments) }
    }

    fn join(&self, state: &State, wanted: &Wanted, rows: usize) -> Result<Vec<Reading>> {
        let asked = wanted.tokens.len();
        let normaliser = Buffer::new(self, rows * 8)?;
        let join = [
            Pointer(state.argmax()),
            Pointer(normaliser.address()),
            Pointer(state.largest.address()),
            Pointer(state.best.address()),
            Pointer(state.sums.address()),
            U32(count("read-out", rows)?),
            U32(count("read-out", state.tiles)?),
        ];
        let subtract = [
            Pointer(state.answers.address()),
            Pointer(state.logits.address()),
            Pointer(wanted.rows.address()),
            Pointer(normaliser.address()),
            U32(count("read-out", asked)?),
        ];
        // SAFETY: the state has all tiles of all rows; rows asked for are there.
        unsafe {
            self.launch("laser_join_tiles", blocks("read-out", rows * 32)?, BLOCK, &join)?;
            self.launch("laser_read_logprobs", blocks("read-out", asked)?, BLOCK, &subtract)?;
        }
        let mut answers = vec![0u8; state.answers.bytes()];
        state.answers.read(0, &mut answers)?;
        let (likely, numbers) = answers.split_at(8 * asked);
        let (ranks, tokens) = numbers.split_at(4 * asked);
        let numbers = |bytes: &[u8]| bytes.as_chunks().0.iter().copied().map(u32::from_ne_bytes).collect::<Vec<_>>();
        let likely = likely.as_chunks().0.iter().copied().map(f64::from_ne_bytes);
        let (ranks, tokens) = (numbers(ranks), numbers(tokens));
        let mut asked = likely.zip(ranks.into_iter().map(|rank| rank as usize));
        let of_row = |(argmax, &count): (u32, &usize)| {
            let (logprobs, ranks) = asked.by_ref().take(count).unzip();
            Reading { argmax, logprobs, ranks }
        };
        Ok(tokens.into_iter().zip(&wanted.counts).map(of_row).collect())
    }
}
