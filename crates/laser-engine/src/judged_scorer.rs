//! A scorer of tasks whose answers somebody else judges.

use crate::asked::{Answer, Asked};
use crate::error::Result;
use crate::evaluator::{Detail, Response};
use crate::local_scorer::{LocalScorer, Subject};
use laser_edit::Candidate;
use laser_example::{Example, Target};
use laser_kernels::{Backend, Cpu, Differentiable};
use laser_run::{
    Batch, CostReport, ExampleResult, Progress, Record, Report, ResultKind, Scorer, ScorerError, SplitName, Stopped,
};
use laser_tokenizer::Tokenizer;
use std::ops::Range;

/// Says what answers are worth.
pub trait Judge: Send + Sync {
    /// What the model's answers to the requests of the example `id` are worth, more being better.
    ///
    /// # Errors
    /// If they cannot be judged.
    fn judge(&self, id: &str, answers: &[Answer]) -> Result<f64, ScorerError>;
}

/// The examples of a split that are judged: what is asked for each.
#[derive(Debug, Clone, Copy)]
pub struct JudgedExamples<'a> {
    /// The examples, as they are shown.
    pub examples: &'a [&'a Example],
    /// What is asked for each.
    pub asked: &'a [Asked],
}

/// Scores candidates by edited copies of a model in memory, and lets somebody else judge the answers.
pub struct JudgedScorer<'a, B: Backend = Cpu> {
    /// Its examples are those that are asked.
    scorer: LocalScorer<'a, B>,
    tokenizer: &'a Tokenizer,
    judge: &'a dyn Judge,
    kind: ResultKind,
    validation: JudgedExamples<'a>,
    test: JudgedExamples<'a>,
}

/// What was said so far to what is asked for some examples.
#[derive(Default)]
struct Said {
    /// To what is asked for the next example, as far as that was answered.
    responses: Vec<Response>,
    answers: Vec<Vec<Answer>>,
    log_losses: Vec<f64>,
    records: Vec<Record>,
}

impl<'a> JudgedExamples<'a> {
    /// The examples that are scored.
    pub fn scored(&self) -> Vec<&'a Example> {
        self.asked.iter().flat_map(|asked| &asked.examples).collect()
    }

    /// Which of the scored examples are asked for each example.
    fn ranges(&self) -> Vec<Range<usize>> {
        let ends = self.asked.iter().scan(0, |end, asked| {
            *end += asked.examples.len();
            Some(*end - asked.examples.len()..*end)
        });
        ends.collect()
    }
}

impl<'a, B: Backend> JudgedScorer<'a, B> {
    /// A scorer of `subject`, whose own examples are not looked at.
    pub fn new(
        subject: Subject<'a, B>,
        [validation, test]: [JudgedExamples<'a>; 2],
        kind: ResultKind,
        judge: &'a dyn Judge,
    ) -> Self {
        let tokenizer = subject.tokenizer;
        let subject = Subject { validation: validation.scored(), test: test.scored(), ..subject };
        Self { scorer: LocalScorer::new(subject), tokenizer, judge, kind, validation, test }
    }
}

impl Said {
    /// Takes the next response to what is asked for `examples`.
    fn take(
        &mut self,
        response: &Response,
        (example, asked): (&Example, &Asked),
        tokenizer: &Tokenizer,
        with_records: bool,
    ) -> Result<()> {
        self.responses.push(response.clone());
        if self.responses.len() < asked.examples.len() {
            return Ok(());
        }
        let answers = asked.answers(&self.responses, tokenizer)?;
        let loss = asked.loss.map(|place| &self.responses[place]);
        self.log_losses.push(loss.map_or(0.0, |response| response.outcome.log_loss()));
        if with_records {
            self.records.push(record(example, &answers, loss.map_or(0, |response| response.answer_rank)));
        }
        self.answers.push(answers);
        self.responses.clear();
        Ok(())
    }

    fn results(
        self,
        examples: &[&Example],
        judge: &dyn Judge,
        kind: ResultKind,
        progress: &dyn Progress,
    ) -> Result<Vec<ExampleResult>, ScorerError> {
        let mut values = Vec::with_capacity(examples.len());
        for (Example { id, .. }, answers) in examples.iter().zip(&self.answers) {
            // A judge may take its time.
            progress.go_on()?;
            let value = judge.judge(id, answers)?;
            if !kind.admits(value) {
                return Err(format!(
                    "example {id}: the result is {value}, which is not of the kind that was announced: say that results \
                     are numbers (kind \"real\"), or give 0 and 1"
                )
                .into());
            }
            values.push(value);
        }
        let mut records = self.records.into_iter();
        let result = |(value, log_loss)| ExampleResult { value, log_loss, record: records.next() };
        Ok(values.into_iter().zip(self.log_losses).map(result).collect())
    }
}

/// The results of examples, with their records, from whole responses ([`Detail::Full`]) to what is asked for them.
///
/// # Errors
/// If generated tokens cannot be decoded, the answers cannot be judged, or `progress` wants to end.
pub fn judged_results(
    judged: JudgedExamples,
    responses: &[Response],
    tokenizer: &Tokenizer,
    judge: &dyn Judge,
    kind: ResultKind,
    progress: &dyn Progress,
) -> Result<Vec<ExampleResult>, ScorerError> {
    let mut said = Said::default();
    for response in responses {
        let number = said.answers.len();
        said.take(response, (judged.examples[number], &judged.asked[number]), tokenizer, true)?;
    }
    said.results(judged.examples, judge, kind, progress)
}

/// What the verdict is explained with.
fn record(example: &Example, answers: &[Answer], answer_rank: usize) -> Record {
    let text = answers.iter().find_map(|answer| match answer {
        Answer::Text(text) => Some(text.clone()),
        _ => None,
    });
    let logprob = |answer: &Answer| match answer {
        Answer::LogLikelihood(logprob, _) => Some(*logprob),
        _ => None,
    };
    let logprobs = example.choices().and_then(|choices| {
        let of_choices = answers.iter().take(choices.len()).map(logprob).collect::<Option<Vec<f64>>>()?;
        Some(of_choices).filter(|logprobs| logprobs.len() == choices.len())
    });
    let generation = matches!(example.target, Target::Generate(_)).then_some(text).flatten();
    Record { answer_rank, generation, choice_logprobs: logprobs, content_free_logprobs: None }
}

impl<B: Differentiable> Scorer for JudgedScorer<'_, B> {
    fn kind(&self) -> ResultKind {
        self.kind
    }

    fn score(&mut self, batch: &Batch, progress: &dyn Progress, report: &mut Report) -> Result<(), ScorerError> {
        let of_split = match batch.split {
            SplitName::Validation => self.validation,
            SplitName::Test => self.test,
        };
        let numbers: Vec<usize> = match batch.examples {
            Some(numbers) => numbers.to_vec(),
            None => (0..of_split.examples.len()).collect(),
        };
        let ranges = of_split.ranges();
        let scored: Vec<usize> = numbers.iter().flat_map(|&number| ranges[number].clone()).collect();
        let examples: Vec<&Example> = numbers.iter().map(|&number| of_split.examples[number]).collect();
        let scored = batch.examples.map(|_| scored.as_slice());
        let (tokenizer, with_records) = (self.tokenizer, batch.split == SplitName::Test);
        let mut take = |said: &mut Said, response: &Response| {
            let number = numbers[said.answers.len()];
            said.take(response, (of_split.examples[number], &of_split.asked[number]), tokenizer, with_records)
        };
        let (judge, kind) = (self.judge, self.kind);
        let mut done = |_: &mut _, number: usize, said: Said| {
            let results = said.results(&examples, judge, kind, progress)?;
            progress.advance(results.len());
            report(number, results)
        };
        let asked = Batch { examples: scored, ..*batch };
        self.scorer.respond(&asked, Detail::Full, &Steps(progress), &mut take, &mut done)
    }

    fn rank_by_gradient(
        &mut self,
        candidates: &[Candidate],
        examples: &[usize],
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, ScorerError> {
        let ranges = self.validation.ranges();
        let loss = |&number: &usize| Some(ranges[number].start + self.validation.asked[number].loss?);
        let scored: Vec<usize> = examples.iter().filter_map(loss).collect();
        if scored.is_empty() {
            return Err(
                "no example of the task has an answer whose log-loss could be followed: rank by another strategy"
                    .into(),
            );
        }
        self.scorer.rank_by_gradient(candidates, &scored, progress)
    }

    fn cost(
        &mut self,
        split: SplitName,
        candidates: &[&Candidate],
        progress: &dyn Progress,
        report: &mut CostReport,
    ) -> Result<(), ScorerError> {
        self.scorer.cost(split, candidates, progress, report)
    }
}

/// Progress that hears nothing of the examples that are scored: those that are judged count.
struct Steps<'a>(&'a dyn Progress);

impl Progress for Steps<'_> {
    fn start(&self, _: &str, _: usize, _: usize) {}
    fn advance(&self, _: usize) {}
    fn finish(&self) {}

    fn go_on(&self) -> Result<(), Stopped> {
        self.0.go_on()
    }

    fn pause(&self) -> Result<(), Stopped> {
        self.0.pause()
    }
}
