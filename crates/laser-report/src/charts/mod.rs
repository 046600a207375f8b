//! The figures of a report, a file each: from the report's data to a drawing and the table under it.

mod best_layer;
mod cost_front;
mod curves;
mod heat_map;
mod intervals;
mod label_histogram;
mod steps;

pub use best_layer::best_layer;
pub use cost_front::{Point, cost_front, cost_table};
pub use curves::curves;
pub use heat_map::heat_map;
pub use intervals::intervals;
pub use label_histogram::label_histogram;
pub use steps::steps;
