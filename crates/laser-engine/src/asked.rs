//! What is asked of a model by others, and its answers: log-likelihoods and generated texts, in the words of
//! lm-evaluation-harness.

use crate::error::Result;
use crate::evaluator::Response;
use laser_example::{Choice, Example, ExampleError, Generation, Target};
use laser_tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};

/// Of an example whose texts others judge.
const NO_ANSWER: &str = "";

/// One question to a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How likely `continuation` is after `context`, of which spaces at the end go to it.
    LogLikelihood {
        /// What the model is given; if empty, the token that begins a text.
        context: String,
        /// Not empty.
        continuation: String,
    },
    /// How likely a text is by itself.
    Rolling {
        /// Not empty.
        text: String,
    },
    /// The greedily generated text after `context`.
    Generate {
        /// What the model is given.
        context: String,
        /// The text ends before the first of these.
        until: Vec<String>,
        /// How many tokens may be generated.
        max_new_tokens: usize,
    },
}

/// What a model answers to a [`Request`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// The log-probability (nats) of a continuation, and whether each of its tokens is the likeliest.
    LogLikelihood(f64, bool),
    /// The log-probability of a text, nats.
    Rolling(f64),
    /// The generated text.
    Text(String),
}

/// Requests, as examples that the engine scores: continuations of one context are choices of one example.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The examples.
    pub examples: Vec<Example>,
    /// Of each request, its example and its place among that one's choices.
    places: Vec<(usize, usize)>,
    /// The example whose answer's log-loss is that of all.
    pub loss: Option<usize>,
}

impl Asked {
    /// The examples of `requests`.
    ///
    /// # Errors
    /// If a continuation or a text is empty.
    pub fn new(requests: &[Request]) -> Result<Self, ExampleError> {
        let mut asked = Self::default();
        for request in requests {
            let place = match request {
                Request::LogLikelihood { continuation: text, .. } | Request::Rolling { text } if text.is_empty() => {
                    return Err(ExampleError::Empty { what: "text whose likelihood is asked for" });
                }
                Request::LogLikelihood { context, continuation } => asked.choice(context, continuation)?,
                Request::Rolling { text } => asked.push("", Target::Rolling { text: text.clone() })?,
                Request::Generate { context, until, max_new_tokens } => {
                    let answers = vec![NO_ANSWER.to_owned()];
                    let (until, max_new_tokens) = (until.clone(), *max_new_tokens);
                    let target = Generation { answers, until, max_new_tokens, ..Generation::default() };
                    asked.push(context, Target::Generate(target))?
                }
            };
            asked.places.push(place);
        }
        Ok(asked)
    }

    /// `example` as it is: each of its choices, or its own generation, is a request.
    pub fn itself(example: &Example) -> Self {
        let requests = example.choices().map_or(1, <[String]>::len);
        let places = (0..requests).map(|choice| (0, choice)).collect();
        Self { examples: vec![example.clone()], places, loss: Some(0) }
    }

    /// The examples of `requests` that are made for `example`: of its choices, if it has some, the first requests are made, and
    /// of a generated answer the first. The log-loss is that of its answer, unless that is empty.
    ///
    /// # Errors
    /// As [`Self::new`], and if nothing is asked.
    pub fn of_example(requests: &[Request], example: &Example) -> Result<Self, ExampleError> {
        if requests.is_empty() {
            return Err(ExampleError::Empty { what: "list of requests" });
        }
        let mut asked = Self::new(requests)?;
        let number = match &example.target {
            Target::Choose(choice) => choice.correct,
            _ => 0,
        };
        let Some(&(place, choice)) = asked.places.get(number) else { return Ok(asked) };
        let made = &mut asked.examples[place];
        match (&mut made.target, &example.target) {
            (Target::Choose(made), Target::Choose(_) | Target::LogLikelihood { .. }) => made.correct = choice,
            (Target::Generate(generation), Target::Generate(target)) if !example.answer().is_empty() => {
                generation.answers.clone_from(&target.answers);
                made.delimiter.clone_from(&example.delimiter);
            }
            _ => return Ok(asked),
        }
        asked.loss = Some(place);
        Ok(asked)
    }

    /// The answers to the requests, from what each example gave.
    ///
    /// # Errors
    /// If generated tokens cannot be decoded.
    pub fn answers(&self, responses: &[Response], tokenizer: &Tokenizer) -> Result<Vec<Answer>> {
        let answer = |&(place, choice): &(usize, usize)| -> Result<Answer> {
            let response = &responses[place];
            Ok(match &self.examples[place].target {
                Target::Generate(target) => {
                    let text = tokenizer.decode(response.generated.as_deref().unwrap_or_default())?;
                    Answer::Text(target.ended(&text).to_owned())
                }
                Target::Choose(_) => {
                    let logprob = response.choice_logprobs.as_ref().map_or(f64::NAN, |all| all[choice]);
                    Answer::LogLikelihood(logprob, response.choice_greedy.as_ref().is_some_and(|all| all[choice]))
                }
                Target::LogLikelihood { .. } | Target::Rolling { .. } | Target::Episode { .. } => {
                    Answer::Rolling(response.outcome.answer_logprob)
                }
            })
        };
        self.places.iter().map(answer).collect()
    }

    /// A continuation of a context that may be there.
    fn choice(&mut self, context: &str, continuation: &str) -> Result<(usize, usize), ExampleError> {
        let last = self.examples.len().saturating_sub(1);
        if let Some(example) = self.examples.last_mut()
            && example.prompt == context
            && let Target::Choose(Choice { choices, .. }) = &mut example.target
        {
            choices.push(continuation.to_owned());
            return Ok((last, choices.len() - 1));
        }
        self.push(context, Target::Choose(Choice::new(vec![continuation.to_owned()], &[0])?))
    }

    fn push(&mut self, context: &str, target: Target) -> Result<(usize, usize), ExampleError> {
        let id = self.examples.len().to_string();
        let example = Example::new(id, None, context.to_owned(), target)?;
        self.examples.push(Example { delimiter: String::new(), ..example });
        Ok((self.examples.len() - 1, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use laser_example::Outcome;

    fn likelihood(context: &str, continuation: &str) -> Request {
        Request::LogLikelihood { context: context.to_owned(), continuation: continuation.to_owned() }
    }

    #[test]
    fn continuations_of_one_context_are_one_example() {
        let requests = [likelihood("a", " b"), likelihood("a", " c"), likelihood("", "b"), likelihood("a", " d")];
        let asked = Asked::new(&requests).unwrap();
        assert_eq!(asked.places, [(0, 0), (0, 1), (1, 0), (2, 0)]);
        assert_eq!(asked.examples[0].choices().unwrap(), [" b", " c"]);
        assert!(asked.examples.iter().all(|example| example.delimiter.is_empty()));
        assert!(Asked::new(&[likelihood("a", "")]).is_err());
    }

    #[test]
    fn the_log_loss_is_that_of_the_right_choice_wherever_it_is_asked() {
        let target = Target::Choose(Choice::new(vec!["b".into(), "c".into()], &[1]).unwrap());
        let example = Example::new("1".into(), None, "a".into(), target).unwrap();
        // As in winogrande: the choices stand in the contexts.
        let asked = Asked::of_example(&[likelihood("a b", " x"), likelihood("a c", " x")], &example).unwrap();
        assert_eq!((asked.loss, asked.examples.len()), (Some(1), 2));
        let asked = Asked::of_example(&[likelihood("a", " b"), likelihood("a", " c")], &example).unwrap();
        let Target::Choose(choice) = &asked.examples[0].target else { panic!() };
        assert_eq!((asked.loss, choice.correct), (Some(0), 1));
    }

    #[test]
    fn answers_come_in_the_order_of_the_requests() {
        let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/llama");
        let tokenizer = Tokenizer::open(fixture.as_ref(), None).unwrap();
        let asked = Asked::new(&[likelihood("a", " b"), Request::Rolling { text: "x".into() }, likelihood("a", " c")]);
        let asked = asked.unwrap();
        let response = |logprob: f64| Response {
            outcome: Outcome { correct: false, answer_logprob: logprob, answer_tokens: 1 },
            generated: None,
            choice_logprobs: Some(vec![logprob]),
            choice_greedy: Some(vec![logprob > -2.0]),
            answer_rank: 0,
        };
        let answers = asked.answers(&[response(-1.0), response(-2.0), response(-3.0)], &tokenizer).unwrap();
        let expected = [Answer::LogLikelihood(-1.0, true), Answer::Rolling(-2.0), Answer::LogLikelihood(-3.0, false)];
        assert_eq!(answers, expected);
    }
}
