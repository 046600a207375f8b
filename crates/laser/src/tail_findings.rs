//! What the components say that an edit takes away (the paper's section 5.1.2).

use crate::error::{Error, Result};
use crate::evaluation::Edited;
use crate::output_head::{OutputHead, dot};
use crate::session::Session;
use laser_edit::{Candidate, Edit, Intervention, MatrixId, MatrixKind};
use laser_engine::{encode, record};
use laser_example::Example;
use laser_linalg::Svd;
use laser_matrix::{LowRank, Matrix, Rho, rank_for};
use laser_report::{MatrixPart, PartAnswer, PartAnswers, PushedTokens, TailFindings, is_frequent_word};
use laser_run::Progress;

/// Shares of the components, from the smallest up, that are tried alone, beside the whole tail.
const SHARES: [f64; 8] = [0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9];
/// The share of the vocabulary that counts as near to an answer.
const NEAREST: f64 = 0.01;
/// Tokens of each end of a component.
const TOKENS: usize = 5;
/// Components of each side that are read, at most.
const KEPT: usize = 8;
const TAIL: usize = 24;

impl Session {
    /// What the model says with the whole matrix of `edit`, the part that it keeps, and what it
    /// takes away, on those of `examples` that it turns right, at most `most` of them.
    ///
    /// `known` says which examples are right without and with the edit, where that is known.
    ///
    /// # Errors
    /// If `edit` does not keep a fraction of a whole matrix, does not fit the model, or the model
    /// is a masked one.
    pub fn tail(
        &self,
        examples: &[Example],
        known: Option<[Vec<bool>; 2]>,
        edit: &Intervention,
        most: usize,
    ) -> Result<TailFindings> {
        let Some((1, rho)) = edit.edit.grid_point() else { return Err(Error::NoTail { edit: edit.to_string() }) };
        let progress = &*self.options.progress;
        let all: Vec<&Example> = examples.iter().collect();
        let whole = self.edit(&Candidate::base())?;
        let kept = self.edit(&Candidate::new([edit.clone()])?)?;
        let right = |edited: &Edited| -> Result<Vec<bool>> {
            let responses = edited.model.evaluate(&self.tokenizer, all.clone(), progress)?;
            Ok(responses.iter().map(|response| response.outcome.correct).collect())
        };
        let [before, after] = match known {
            Some(known) if known.iter().all(|hits| hits.len() == all.len()) => known,
            _ => [right(&whole)?, right(&kept)?],
        };
        let turned: Vec<usize> = (0..all.len()).filter(|&i| !before[i] && after[i]).collect();
        let shown = turned.len().min(most);
        let chosen: Vec<&Example> = (0..shown).map(|k| all[turned[k * turned.len() / shown]]).collect();
        let head = OutputHead::of(&self.checkpoint)?.ok_or_else(|| Error::NoTail { edit: edit.to_string() })?;
        let wanted = chosen.iter().map(|example| self.near(&head, example)).collect::<Result<Vec<Near>>>()?;
        let mut parts = Vec::new();
        for share in SHARES.into_iter().filter(|&share| share < 1.0 - rho - 1e-9).chain([1.0 - rho]) {
            // What truncation at 1 - share would take away.
            let tail: Edit = format!("tail={}", (1e6 * (1.0 - share)).round() / 1e6).parse()?;
            let edited = self.edit(&Candidate::new([Intervention { edit: tail, ..edit.clone() }])?)?;
            let answers = self.part_answers(&edited, &chosen, &wanted)?;
            parts.push(PartAnswers { part: MatrixPart::Bottom(share), answers });
        }
        for (part, edited) in [(MatrixPart::Whole, &whole), (MatrixPart::Kept, &kept)] {
            parts.push(PartAnswers { part, answers: self.part_answers(edited, &chosen, &wanted)? });
        }
        let text = |token: u32| self.tokenizer.token_text(token).unwrap_or_default();
        let frequent = (0..head.len() as u32).filter(|&token| is_frequent_word(&text(token))).count();
        let (way, components) = self.components(&head, edit, rho, progress)?;
        Ok(TailFindings {
            edit: edit.clone(),
            turned: [turned.len(), all.len()],
            examples: chosen.iter().map(|it| [it.prompt.clone(), it.answer().to_owned()]).collect(),
            parts,
            nearest: NEAREST,
            way,
            components,
            frequent_tokens: frequent as f64 / head.len().max(1) as f64,
        })
    }

    /// How near each token is to the first of an example's answer.
    fn near(&self, head: &OutputHead, example: &Example) -> Result<Near> {
        let encoded = encode(&self.tokenizer, example, self.config())?;
        let cosines = head.cosines(encoded.continuations[encoded.answer.start][0]);
        let mut sorted = cosines.clone();
        let place = ((1.0 - NEAREST) * sorted.len() as f64) as usize;
        let limit = match place < sorted.len() {
            true => *sorted.select_nth_unstable_by(place, f32::total_cmp).1,
            false => f32::INFINITY,
        };
        Ok(Near { cosines, limit })
    }

    fn part_answers(&self, edited: &Edited, examples: &[&Example], wanted: &[Near]) -> Result<Vec<PartAnswer>> {
        let responses = edited.model.evaluate(&self.tokenizer, examples.to_vec(), &*self.options.progress)?;
        let scores = self.question_scores(edited, examples)?;
        let mut answers = Vec::with_capacity(examples.len());
        for ((example, response), (score, near)) in examples.iter().zip(responses).zip(scores.into_iter().zip(wanted)) {
            let next = score.and_then(|score| score.next.first().map(|it| it.0));
            let Some(next) = next else { return Err(Error::NoTail { edit: "a masked model".to_owned() }) };
            let token = self.tokenizer.token_text(next).unwrap_or_default();
            let cosine = near.cosines.get(next as usize).copied().unwrap_or(0.0);
            answers.push(PartAnswer {
                said: record(example, &response, &self.tokenizer)?.generation.unwrap_or_else(|| token.clone()),
                token,
                right: response.outcome.correct,
                cosine: f64::from(cosine),
                near: cosine >= near.limit,
            });
        }
        Ok(answers)
    }

    /// Some components of the matrix, the tokens that each pushes, and by what way it does.
    fn components(
        &self,
        head: &OutputHead,
        edit: &Intervention,
        rho: f64,
        progress: &dyn Progress,
    ) -> Result<(&'static str, Vec<PushedTokens>)> {
        // Experts that are edited together have no components in common.
        if edit.matrix.each(self.config()) != [edit.matrix] {
            return Ok(("", Vec::new()));
        }
        let matrix = self.checkpoint.matrix(edit.layer, edit.matrix)?;
        let svd = Svd::of(&matrix)?;
        let all = svd.singular_values().len();
        let Ok(rho) = Rho::new(rho) else { return Ok(("", Vec::new())) };
        let rank = rank_for(rho, matrix.rows(), matrix.cols());
        let spread = |from: usize, to: usize, most: usize| {
            let count = (to - from).min(most);
            (0..count).map(move |k| from + k * (to - from) / count)
        };
        let way = Way::of(self, edit.layer, edit.matrix)?;
        let numbers: Vec<usize> = spread(0, rank, KEPT).chain(spread(rank, all, TAIL)).collect();
        progress.start("components", numbers.len(), 0);
        let pushed = |number: usize| {
            let direction = way.direction(&svd.components(&[number..number + 1]));
            let text = |token: u32| self.tokenizer.token_text(token).unwrap_or_default();
            progress.advance(1);
            PushedTokens {
                component: number + 1,
                value: f64::from(svd.singular_values()[number]),
                kept: number < rank,
                ends: head.ends(&direction, TOKENS).map(|tokens| tokens.into_iter().map(text).collect()),
            }
        };
        let components = numbers.into_iter().map(pushed).collect();
        progress.finish();
        Ok((way.name, components))
    }
}

/// The nearness of tokens to an answer.
struct Near {
    cosines: Vec<f32>,
    /// From here on a token counts as near.
    limit: f32,
}

/// How the components of a matrix reach the residual stream.
struct Way {
    name: &'static str,
    /// Whether it is what they read, not what they write.
    reads: bool,
    /// The matrix behind it, and how often each of `head_dim` numbers is there for the heads that
    /// share them.
    then: Option<(Matrix, usize, usize)>,
}

impl Way {
    fn of(session: &Session, layer: usize, matrix: MatrixId) -> Result<Self> {
        let config = session.config();
        let behind =
            |kind: MatrixKind, expert: Option<usize>| session.checkpoint.matrix(layer, MatrixId { kind, expert });
        Ok(match matrix.kind {
            MatrixKind::OutProj | MatrixKind::FcOut => Self { name: "what it writes", reads: false, then: None },
            MatrixKind::FcIn | MatrixKind::FcUp => {
                let then = Some((behind(MatrixKind::FcOut, matrix.expert)?, 1, 1));
                Self { name: "what it writes, by way of fc_out", reads: false, then }
            }
            MatrixKind::VProj => {
                let then = Some((behind(MatrixKind::OutProj, None)?, config.head_dim, config.heads / config.kv_heads));
                Self { name: "what it writes, by way of out_proj", reads: false, then }
            }
            MatrixKind::QProj | MatrixKind::KProj => Self { name: "what it reads", reads: true, then: None },
        })
    }

    /// The direction in the residual stream of one component.
    fn direction(&self, component: &LowRank) -> Vec<f32> {
        if self.reads {
            return component.v().data().to_vec();
        }
        let Some((matrix, width, times)) = &self.then else { return component.u().data().to_vec() };
        let shared = component.u().data().chunks(*width).flat_map(|head| std::iter::repeat_n(head, *times).flatten());
        let input: Vec<f32> = shared.copied().collect();
        matrix.data().chunks(matrix.cols().max(1)).map(|row| dot(row, &input)).collect()
    }
}
