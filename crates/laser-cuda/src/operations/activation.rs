//! Element by element.

use crate::buffer::Rows;
use crate::gpu_device::{BLOCK, Device, blocks};
use crate::platform::{Argument::*, Kind};
use crate::{Error, Result};

/// The function between the matrices of an MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Activation {
    /// x sigmoid(x).
    Silu = 0,
    /// x Phi(x), Phi the standard normal distribution function.
    Gelu = 1,
    /// GELU by the tanh approximation.
    GeluTanh = 2,
    /// max(x, 0).
    Relu = 3,
    /// max(x, 0)^2.
    ReluSquared = 4,
}

/// The elements of f32 rows that lie one behind the other.
fn elements(operation: &'static str, x: &Rows) -> Result<usize> {
    if x.kind() != Kind::F32 || !x.is_dense() {
        return Err(Error::shape(operation, format!("it takes dense rows of f32, not {:?}", x.operand())));
    }
    Ok(x.rows() * x.width())
}

fn same_shape(operation: &'static str, a: &Rows, b: &Rows) -> Result<()> {
    if (a.rows(), a.width()) != (b.rows(), b.width()) {
        let (a, b) = ((a.rows(), a.width()), (b.rows(), b.width()));
        return Err(Error::shape(operation, format!("{} x {} and {} x {} differ", a.0, a.1, b.0, b.1)));
    }
    Ok(())
}

impl Device {
    /// a + b, both f32 of one shape.
    ///
    /// # Errors
    /// If the shapes differ, or memory does not suffice.
    pub fn add(&self, a: &Rows, b: &Rows) -> Result<Rows> {
        same_shape("add", a, b)?;
        self.owns("add", [a.buffer(), b.buffer()])?;
        let count = elements("add", a)?.min(elements("add", b)?);
        let out = Rows::new(self, Kind::F32, a.rows(), a.width())?;
        let arguments = [Pointer(out.address()), Pointer(a.address()), Pointer(b.address()), U64(count as u64)];
        // SAFETY: all three have so many elements.
        unsafe { self.launch("laser_add", blocks("add", count.div_ceil(4))?, BLOCK, &arguments)? };
        Ok(out)
    }

    /// a + b * scale, both f32 of one shape.
    ///
    /// # Errors
    /// If the shapes differ, or memory does not suffice.
    pub fn add_scaled(&self, a: &Rows, b: &Rows, scale: f32) -> Result<Rows> {
        same_shape("add", a, b)?;
        self.owns("add", [a.buffer(), b.buffer()])?;
        let count = elements("add", a)?.min(elements("add", b)?);
        let out = Rows::new(self, Kind::F32, a.rows(), a.width())?;
        let arguments =
            [Pointer(out.address()), Pointer(a.address()), Pointer(b.address()), U64(count as u64), F32(scale)];
        // SAFETY: all three have so many elements.
        unsafe { self.launch("laser_add_scaled", blocks("add", count.div_ceil(4))?, BLOCK, &arguments)? };
        Ok(out)
    }

    /// Each row of f32 `x` times the sigmoid of its gate, of f32 `gates [rows, 1]`.
    ///
    /// # Errors
    /// If there is not one gate per row, or memory does not suffice.
    pub fn gate_rows(&self, x: &Rows, gates: &Rows) -> Result<Rows> {
        if (gates.rows(), gates.width()) != (x.rows(), 1) {
            let why = format!("{} x {} gates for {} rows", gates.rows(), gates.width(), x.rows());
            return Err(Error::shape("gate rows", why));
        }
        self.owns("gate rows", [x.buffer(), gates.buffer()])?;
        let count = elements("gate rows", x)?;
        elements("gate rows", gates)?;
        let out = Rows::new(self, Kind::F32, x.rows(), x.width())?;
        let width = crate::gpu_device::count("gate rows", x.width())?;
        let arguments =
            [Pointer(out.address()), Pointer(x.address()), Pointer(gates.address()), U64(count as u64), U32(width)];
        // SAFETY: x and the result have so many elements, and there is a gate for each row.
        unsafe { self.launch("laser_gate_rows", blocks("gate rows", count.div_ceil(4))?, BLOCK, &arguments)? };
        Ok(out)
    }

    /// activation(x), of f32, stored as `kind`.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn activate(&self, x: &Rows, activation: Activation, kind: Kind) -> Result<Rows> {
        let count = elements("activate", x)?;
        self.owns("activate", [x.buffer()])?;
        let out = Rows::new(self, kind, x.rows(), x.width())?;
        let arguments =
            [Pointer(out.address()), I32(kind as i32), Pointer(x.address()), U64(count as u64), I32(activation as i32)];
        // SAFETY: both have so many elements.
        unsafe { self.launch("laser_activate", blocks("activate", count.div_ceil(4))?, BLOCK, &arguments)? };
        Ok(out)
    }

    /// The gate of a gated MLP: activation(gate) * up, both f32 of one shape, stored as `kind`.
    ///
    /// # Errors
    /// If the shapes differ, or memory does not suffice.
    pub fn gated(&self, gate: &Rows, up: &Rows, activation: Activation, kind: Kind) -> Result<Rows> {
        same_shape("gated", gate, up)?;
        self.owns("gated", [gate.buffer(), up.buffer()])?;
        let count = elements("gated", gate)?.min(elements("gated", up)?);
        let out = Rows::new(self, kind, gate.rows(), gate.width())?;
        let arguments = [
            Pointer(out.address()),
            I32(kind as i32),
            Pointer(gate.address()),
            Pointer(up.address()),
            U64(count as u64),
            I32(activation as i32),
        ];
        // SAFETY: all three have so many elements.
        unsafe { self.launch("laser_gated", blocks("gated", count.div_ceil(4))?, BLOCK, &arguments)? };
        Ok(out)
    }
}
