//! LASER: LAyer-SElective Rank reduction (Sharma, Ash, Misra, ICLR 2024, arXiv 2312.13558).
//!
//! Replacing one weight matrix of a trained transformer by a low-rank approximation can make it answer better. The
//! `laser` program finds such a reduction for a model and a task, judges it, and writes the edited model; this library
//! is the same parts for use from Rust.

pub use laser_checkpoint as checkpoint;
pub use laser_edit as edit;
pub use laser_engine as engine;
pub use laser_linalg as linalg;
pub use laser_model as model;
pub use laser_report as report;
pub use laser_run as run;
pub use laser_search as search;
pub use laser_tasks as tasks;
