//! A run in the forms of other programs.

mod lm_eval;
mod optuna;

pub use lm_eval::lm_eval_files;
pub use optuna::optuna_journal;
