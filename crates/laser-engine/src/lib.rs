//! How candidates are scored fast and exactly.
//!
//! A candidate that edits layer l and above leaves the layers below it as they are. The prompts,
//! answers and generations of the examples form a [`Forest`](laser_model::Forest). The activation
//! cache keeps, for every node of it, the unedited model's residual stream before layer l and the
//! keys and values of the layers below. An edited forward pass takes nodes from there through the
//! rest of the edited model. A token that one candidate generated is a node that the next candidate
//! finds ready.

mod activation_cache;
mod asked;
mod bases;
mod calibration;
mod chunk;
mod content_free;
mod continuation;
mod corpus;
mod cost_meter;
mod cost_scorer;
mod edited_forward;
mod editor;
mod encode;
mod error;
mod evaluator;
mod gradient_change;
mod groups;
mod judged_scorer;
mod local_scorer;
mod question_score;
mod reference_text;
mod response_record;
mod samples;
mod tiles;

pub use asked::{Answer, Asked, Request};
pub use calibration::{Calibration, Observer};
pub use content_free::ContentFreePrompts;
pub use corpus::{Corpus, windows_for};
pub use cost_meter::{CostMeter, TextCost};
pub use cost_scorer::{CostScorer, GuardExamples};
pub use editor::{Editor, edited_matrices};
pub use encode::{Encoded, Masks, check, encode, prompt_of, tokens_cut};
pub use error::{Error, Result};
pub use evaluator::{Detail, Evaluator, Response};
pub use judged_scorer::{Judge, JudgedExamples, JudgedScorer, judged_results};
pub use local_scorer::{LocalScorer, Subject};
pub use question_score::{QuestionScore, question_score};
pub use reference_text::{HalfText, ReferenceText};
pub use response_record::record;
