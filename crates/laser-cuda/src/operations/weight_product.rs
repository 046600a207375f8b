//! Products with weights.

use crate::buffer::{Rows, Vector};
use crate::gpu_device::Device;
use crate::platform::{Kind, Product};
use crate::{Error, Result};

impl Device {
    /// `x weights' + bias + plus`, f32: `x [rows, inputs]`, `weights [outputs, inputs]`, `bias [outputs]`,
    /// `plus [rows, outputs]` f32.
    ///
    /// 16-bit weights multiply as stored: `x` is rounded to their kind if it is not of it, and sums are f32. f32 weights
    /// multiply in f32.
    ///
    /// # Errors
    /// If shapes do not fit, or memory does not suffice.
    pub fn linear(&self, x: &Rows, weights: &Rows, bias: Option<&Vector>, plus: Option<&Rows>) -> Result<Rows> {
        let (rows, outputs) = (x.rows(), weights.rows());
        let bad = |why: String| Err(Error::shape("linear", why));
        if x.width() != weights.width() {
            return bad(format!("rows of {} do not fit weights {outputs} x {}", x.width(), weights.width()));
        }
        if let Some(bias) = bias.filter(|bias| bias.len() != outputs) {
            return bad(format!("{} biases for {outputs} outputs", bias.len()));
        }
        if let Some(plus) = plus.filter(|plus| (plus.rows(), plus.width(), plus.kind()) != (rows, outputs, Kind::F32)) {
            return bad(format!("{rows} x {outputs} f32 and {:?} differ", plus.operand()));
        }
        let others = bias.map(Vector::buffer).into_iter().chain(plus.map(Rows::buffer));
        self.owns("linear", [x.buffer(), weights.buffer()].into_iter().chain(others))?;
        let x = if x.kind() == weights.kind() { x.clone() } else { self.convert(x, weights.kind())? };
        let out = Rows::new(self, Kind::F32, rows, outputs)?;
        if rows == 0 || outputs == 0 {
            return Ok(out);
        }
        if x.width() == 0 {
            return bad("there are no inputs".to_owned());
        }
        let product = Product {
            x: x.operand(),
            weights: weights.operand(),
            bias: bias.map(Vector::address),
            plus: plus.map(Rows::operand),
            out: out.operand(),
        };
        // SAFETY: the operands have these shapes, as was just checked, and nobody else has `out`.
        unsafe { self.platform().multiply(&product)? };
        Ok(out)
    }
}
