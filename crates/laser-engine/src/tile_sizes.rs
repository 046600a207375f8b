//! How many rows go through a layer together.

/// Rows that go through the blocks together: enough for products near the machine's peak, few enough that a block's
/// intermediate rows stay in the processor's cache.
pub const TILE_ROWS: usize = 1024;

/// Rows of several candidates that are worth collecting, for a step of generation or where nothing is generated: the head's matrix
/// is large.
pub const STEP_ROWS: usize = 4096;
