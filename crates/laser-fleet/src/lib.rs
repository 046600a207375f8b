//! Scoring on other machines. A [`FleetScorer`] is the [`Scorer`](laser_run::Scorer) of a search: it cuts what is asked for into
//! [`Job`]s, candidates by layer and examples by range, has a [`Fleet`] do them, and joins what comes back. A worker [`answer`]s
//! a job by a scorer of its own. Both are texts on the way, and every number keeps its bits.
//!
//! Nothing here schedules, starts or watches workers: that is the fleet's, an engine that exists.

mod cut;
mod fleet_job;
mod fleet_scorer;
mod message;
mod worker;

pub use fleet_job::{Fleet, Job, Take};
pub use fleet_scorer::FleetScorer;
pub use worker::answer;
