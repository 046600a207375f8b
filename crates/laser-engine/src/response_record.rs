//! What a response leaves behind for the verdict.

use crate::error::Result;
use crate::evaluator::Response;
use laser_example::{Example, Target};
use laser_run::Record;
use laser_tokenizer::Tokenizer;

/// The record of a whole response ([`crate::Detail::Full`]).
///
/// # Errors
/// Generated tokens that the tokenizer cannot decode.
pub fn record(example: &Example, response: &Response, tokenizer: &Tokenizer) -> Result<Record> {
    let generation = match (&example.target, &response.generated) {
        (Target::Generate(target), Some(ids)) => Some(target.ended(&tokenizer.decode(ids)?).to_owned()),
        _ => None,
    };
    Ok(Record {
        answer_rank: response.answer_rank,
        generation,
        choice_logprobs: response.choice_logprobs.clone(),
        content_free_logprobs: None,
    })
}
