//! How candidates are scored fast and exactly.
//!
//! A candidate that edits layer l and above leaves the layers below it as they are. The prompts, answers and
//! generations of the examples form a [`Forest`](laser_model::Forest); [`streams`] keeps, for every node of it, the
//! unedited model's residual stream before layer l and the keys and values of the layers below, and [`pass`] takes
//! nodes from there through the edited rest of the model. A token that one candidate generated is a node that the next
//! candidate finds ready.

mod chunk;
mod continuation;
mod encode;
mod evaluator;
mod pass;
mod samples;
mod streams;

pub use continuation::continuation_logprob;
pub use encode::{Encoded, Masks, encode};
pub use evaluator::{Detail, Evaluator, Response};
pub use samples::samples;

/// Rows that go through the blocks together: enough for products near the machine's peak, few enough that a block's
/// intermediate rows stay in the processor's cache.
const TILE_ROWS: usize = 1024;

/// Rows of several candidates that are worth collecting, for a step of generation or where nothing is generated: the head's matrix
/// is large.
const STEP_ROWS: usize = 4096;
