//! A mixture of experts: each row goes through a few of several MLPs.

use crate::buffer::{Indices, Rows};
use crate::gpu_device::{BLOCK, Buffer, Device, blocks, bytes_of_mut, count};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};

/// Which experts rows go through.
#[derive(Debug)]
pub struct Routes {
    rows: usize,
    per_token: usize,
    experts: usize,
    chosen: Indices,
    /// f32 `[rows, per_token]`.
    weights: Rows,
    counts: Buffer,
    /// The rows in the order of the experts, a row as often as it has experts.
    sorted: Indices,
    /// Where each choice stands among them.
    places: Indices,
}

impl Routes {
    /// The experts of each row, in their order, and their weights: both `[rows, per_token]`, waited for.
    ///
    /// # Errors
    /// If work before this failed.
    pub fn to_host(&self) -> Result<(Vec<u32>, Vec<f32>)> {
        Ok((self.chosen.to_host()?, self.weights.to_host()?))
    }

    /// How many rows go through each expert, waited for.
    ///
    /// # Errors
    /// If work before this failed.
    pub fn counts(&self) -> Result<Vec<u32>> {
        let mut counts = vec![0; self.experts];
        self.counts.read(0, bytes_of_mut(&mut counts))?;
        Ok(counts)
    }
}

impl Device {
    /// For each row of f32 router `logits [rows, experts]` the `per_token` experts with the largest, of equal ones the first.
    /// Weights are of the softmax over all experts, as they are or, if `normalised`, scaled to a sum of one.
    ///
    /// # Errors
    /// If there are not so many experts, or memory does not suffice.
    pub fn route(&self, logits: &Rows, per_token: usize, normalised: bool) -> Result<Routes> {
        let (rows, experts) = (logits.rows(), logits.width());
        if per_token == 0 || per_token > experts || logits.kind() != Kind::F32 || !logits.is_dense() {
            return Err(Error::shape("route", format!("{per_token} experts of {:?}", logits.operand())));
        }
        self.owns("route", [logits.buffer()])?;
        let choices = rows * per_token;
        let chosen = Buffer::new(self, choices * 4)?;
        let weights = Rows::new(self, Kind::F32, rows, per_token)?;
        let counts = Buffer::new(self, experts * 4)?;
        let (sorted, places) = (Buffer::new(self, choices * 4)?, Buffer::new(self, choices * 4)?);
        let (choices_u32, per_token_u32) = (count("route", choices)?, count("route", per_token)?);
        let experts_u32 = count("route", experts)?;
        let choose = [
            Pointer(chosen.address()),
            Pointer(weights.address()),
            Pointer(logits.address()),
            U32(count("route", rows)?),
            U32(experts_u32),
            U32(per_token_u32),
            I32(i32::from(normalised)),
        ];
        let tally = [Pointer(counts.address()), Pointer(chosen.address()), U32(choices_u32)];
        let place = [
            Pointer(sorted.address()),
            Pointer(places.address()),
            Pointer(counts.address()),
            Pointer(chosen.address()),
            U32(choices_u32),
            U32(per_token_u32),
        ];
        // SAFETY: each has room for what its kernel writes: choices, or a number an expert. Chosen experts are below `experts`.
        unsafe {
            self.launch("laser_choose_experts", blocks("route", rows)?, BLOCK, &choose)?;
            self.launch("laser_count_experts", experts_u32, BLOCK, &tally)?;
            self.launch("laser_place_experts", experts_u32, BLOCK, &place)?;
        }
        Ok(Routes {
            rows,
            per_token,
            experts,
            chosen: Indices::on_device(chosen, choices, experts),
            weights,
            counts,
            sorted: Indices::on_device(sorted, choices, rows),
            places: Indices::on_device(places, choices, choices),
        })
    }

    /// The sum over each row's experts of weight times output, in the order of the experts. `expert` gives the outputs of
    /// those rows that go through an expert, f32, as wide for all. The numbers of rows are waited for: products need them.
    ///
    /// # Errors
    /// If the routes are not of these rows, or outputs do not fit.
    pub fn mixture(
        &self,
        x: &Rows,
        routes: &Routes,
        mut expert: impl FnMut(usize, &Rows) -> Result<Rows>,
    ) -> Result<Rows> {
        if x.rows() != routes.rows {
            return Err(Error::shape("mixture", format!("{} rows and routes of {}", x.rows(), routes.rows)));
        }
        self.owns("mixture", [&routes.counts])?;
        let gathered = self.gather(x, &routes.sorted, x.kind())?;
        let (mut parts, mut start) = (Vec::new(), 0);
        for (number, rows) in routes.counts()?.into_iter().enumerate().filter(|(_, rows)| *rows > 0) {
            let end = start + rows as usize;
            let part = expert(number, &gathered.slice(start..end)?)?;
            if part.rows() != end - start || part.kind() != Kind::F32 {
                return Err(Error::shape("mixture", format!("expert {number} gave {:?}", part.operand())));
            }
            parts.push(part);
            start = end;
        }
        if parts.is_empty() {
            return Rows::new(self, Kind::F32, 0, x.width());
        }
        let y = self.concat(&parts)?;
        let out = Rows::new(self, Kind::F32, routes.rows, y.width())?;
        let arguments = [
            Pointer(out.address()),
            Pointer(y.address()),
            Pointer(routes.places.address()),
            Pointer(routes.weights.address()),
            U32(count("mixture", routes.rows)?),
            U32(count("mixture", routes.per_token)?),
            U32(count("mixture", y.width())?),
        ];
        let threads = routes.rows * y.width().div_ceil(4);
        // SAFETY: there is an output for each choice: the places were given out over as many.
        unsafe { self.launch("laser_combine_experts", blocks("mixture", threads)?, BLOCK, &arguments)? };
        Ok(out)
    }
}
