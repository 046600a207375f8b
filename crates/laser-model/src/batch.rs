//! The rows of one forward pass: where each stands in its sequence and what it may look at.

use crate::Result;
use crate::rotary::Rotary;
use laser_checkpoint::Config;
use laser_kernels::{Backend, KvIndices, Rotation, RotationOn};
use std::ops::Range;
use std::sync::Arc;

/// What a model's layers ask of positions.
#[derive(Debug)]
pub(crate) struct Positions {
    rotary: Option<Rotary>,
    /// For the layers with a window, if theirs are others.
    local_rotary: Option<Rotary>,
    /// How many tokens the layers with a window see, each number once.
    windows: Vec<usize>,
}

impl Positions {
    /// What the configuration says.
    pub fn new(config: &Config) -> Self {
        let mut windows: Vec<usize> = config.windows.iter().flatten().copied().collect();
        windows.sort_unstable();
        windows.dedup();
        Self {
            rotary: config.rotary.as_ref().map(Rotary::new),
            local_rotary: config.local_rotary.as_ref().map(Rotary::new),
            windows,
        }
    }
}

/// Positions and attention of the rows that go through the blocks together.
#[derive(Debug)]
pub struct Batch<B: Backend> {
    backend: B,
    /// Where in a block's cache the rows' keys and values go.
    places: B::Indices,
    rows: usize,
    rotations: Rotations<B>,
    /// The rows that come out of a block, if it is not all of them.
    queries: Option<Queries<B>>,
    /// What the rows see that come out of a block.
    seen: Seen<B>,
    /// What they see in layers with a window, for each size of it.
    nearest: Vec<(usize, Seen<B>)>,
}

/// Some of the rows, by their numbers, and how they turn as queries.
#[derive(Debug)]
struct Queries<B: Backend> {
    numbers: Vec<u32>,
    indices: B::Indices,
    rotations: Rotations<B>,
}

/// The cache rows that queries see, on the host and on the device.
#[derive(Debug)]
struct Seen<B: Backend> {
    indices: Arc<KvIndices>,
    attended: B::Attended,
}

impl<B: Backend> Seen<B> {
    fn new(backend: &B, indices: KvIndices) -> Result<Self> {
        let indices = Arc::new(indices);
        Ok(Self { attended: backend.attended(&indices)?, indices })
    }
}

/// How rows turn, if the model has rotary positions.
#[derive(Debug)]
struct Rotations<B: Backend> {
    usual: Option<RotationOn<B>>,
    /// For the layers with a window, if theirs are others.
    local: Option<RotationOn<B>>,
}

impl<B: Backend> Rotations<B> {
    fn map(&self, part: impl Fn(&B::Rows) -> Result<B::Rows>) -> Result<Self> {
        let part = |rotation: &RotationOn<B>| -> Result<RotationOn<B>> {
            Ok(Rotation { pairs: rotation.pairs, cos: part(&rotation.cos)?, sin: part(&rotation.sin)? })
        };
        let part = |rotation: &Option<RotationOn<B>>| rotation.as_ref().map(&part).transpose();
        Ok(Self { usual: part(&self.usual)?, local: part(&self.local)? })
    }

    fn of(&self, window: Option<usize>) -> Option<&RotationOn<B>> {
        self.local.as_ref().filter(|_| window.is_some()).or(self.usual.as_ref())
    }
}

impl<B: Backend> Batch<B> {
    /// Row `i` stands at `positions[i]`, becomes row `places[i]` of the caches (all different) and
    /// attends to the cache rows of query `i` of `indices`. In layers with a window only the
    /// nearest of them count.
    pub(crate) fn new(
        backend: &B,
        kinds: &Positions,
        positions: &[u32],
        places: Vec<u32>,
        indices: KvIndices,
    ) -> Result<Self> {
        let rotation = |rotary: &Option<Rotary>| rotary.as_ref().map(|it| it.at(positions, backend)).transpose();
        let nearest = kinds.windows.iter().map(|&window| Ok((window, Seen::new(backend, indices.nearest(window))?)));
        Ok(Self {
            rotations: Rotations { usual: rotation(&kinds.rotary)?, local: rotation(&kinds.local_rotary)? },
            nearest: nearest.collect::<Result<_>>()?,
            places: backend.indices(&places)?,
            rows: places.len(),
            queries: None,
            seen: Seen::new(backend, indices)?,
            backend: backend.clone(),
        })
    }

    /// The same rows, of which only those with the numbers `queries`, in rising order, come out of a
    /// block: the others give keys and values.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub fn only(&self, queries: &[u32]) -> Result<Self> {
        let indices = self.backend.indices(queries)?;
        let rotations = self.rotations.map(|rows| Ok(self.backend.select(rows, &indices)?))?;
        Ok(Self {
            places: self.places.clone(),
            rows: self.rows,
            rotations: self.rotations.map(|rows| Ok(rows.clone()))?,
            seen: Seen::new(&self.backend, self.seen.indices.select(queries))?,
            nearest: self.map_nearest(|indices| indices.select(queries))?,
            queries: Some(Queries { numbers: queries.to_vec(), indices, rotations }),
            backend: self.backend.clone(),
        })
    }

    fn map_nearest(&self, part: impl Fn(&KvIndices) -> KvIndices) -> Result<Vec<(usize, Seen<B>)>> {
        let of_window =
            |(window, seen): &(usize, Seen<B>)| Ok((*window, Seen::new(&self.backend, part(&seen.indices))?));
        self.nearest.iter().map(of_window).collect()
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The rows' places in the caches.
    pub(crate) fn places(&self) -> &B::Indices {
        &self.places
    }

    /// Those rows of `x` that come out of a block.
    pub(crate) fn queries(&self, x: &B::Rows) -> Result<B::Rows> {
        match &self.queries {
            Some(queries) => Ok(self.backend.select(x, &queries.indices)?),
            None => Ok(x.clone()),
        }
    }

    /// Which of those are the rows `range`.
    pub(crate) fn queries_of(&self, range: Range<usize>) -> Range<usize> {
        let Some(Queries { numbers, .. }) = &self.queries else { return range };
        let before = |row: usize| numbers.partition_point(|&number| (number as usize) < row);
        before(range.start)..before(range.end)
    }

    /// The rows' rotary positions in a layer with or without a window.
    pub(crate) fn rotation(&self, window: Option<usize>) -> Option<&RotationOn<B>> {
        self.rotations.of(window)
    }

    /// Those of the rows that come out of a block.
    pub(crate) fn query_rotation(&self, window: Option<usize>) -> Option<&RotationOn<B>> {
        self.queries.as_ref().map_or(&self.rotations, |queries| &queries.rotations).of(window)
    }

    /// What the rows that come out see in a layer with or without a window.
    pub(crate) fn attended(&self, window: Option<usize>) -> &B::Attended {
        let nearest = self.nearest.iter().find(|(size, _)| Some(*size) == window);
        &nearest.map_or(&self.seen, |(_, seen)| seen).attended
    }
}
