//! New compositions, made of those that are there by what a model expects of them.

use crate::additive_model::{AdditiveModel, Features, Observation, Prior, gain};
use crate::history::History;
use crate::observations::{Noise, Observations, Observed};
use crate::pool::joined;
use laser_edit::{Candidate, Intervention};
use laser_example::SplitMix64;
use std::collections::{HashMap, HashSet};

/// Compositions are put together from so many edits.
const EDITS: usize = 64;
/// More edits than this are not put together, in the first generation fewer: one more in each.
const LARGEST: usize = 16;
const LARGEST_AT_FIRST: usize = 4;
/// So many of the best compositions are changed.
const PARENTS: usize = 16;
/// For each new composition so many changes are tried, of which the most promising is taken.
const TRIES: usize = 60;

/// Without limits, compositions of the first generation should diverge by so many nats per token at most, and by so many more in each
/// later one: what costs little is tried first, as it also helps most.
const NATS_AT_FIRST: f64 = 0.1;
const MORE_NATS: f64 = 0.05;

// What is assumed of gains, in standard deviations of one example's.
/// Of one edit, either way.
const OF_EDIT: Prior = Prior { mean: 0.0, deviation: 0.06 };
/// Of each edit beyond the first: together edits gain less than each by itself.
const OF_SIZE: Prior = Prior { mean: -0.01, deviation: 0.04 };
/// Of the whole of what the limits allow.
const OF_SHARE: Prior = Prior { mean: -0.02, deviation: 0.08 };
/// Of a nat of divergence, without limits.
const OF_NAT: Prior = Prior { mean: -0.3, deviation: 0.4 };
/// What edits do to one another.
const MISFIT: f64 = 0.04;

/// The edits that compositions are made of, and what is known of them.
pub struct Offspring {
    edits: Vec<Intervention>,
    number: HashMap<String, usize>,
    /// What each edit costs by itself, where costs are measured.
    costs: Vec<f64>,
}

/// What a generation's compositions are expected to give.
pub struct Expectation<'a> {
    of: &'a Offspring,
    history: History<'a>,
    observations: &'a Observations,
    scored: &'a [Candidate],
    model: AdditiveModel,
    noise: Noise,
    /// How what compositions cost compares with the sum of their edits' costs.
    growth: f64,
    has_limits: bool,
}

impl Offspring {
    /// Of the single edits of `space`, those that promise most by what they have given so far: by their gain, the less of it the
    /// fewer examples it was seen on.
    pub fn new(space: &[Candidate], observations: &Observations) -> Self {
        let noise = observations.noise();
        let promise = |it: &Observed| {
            let known = OF_EDIT.deviation.powi(2) * it.examples as f64;
            it.gain(&noise) * known / (known + 1.0)
        };
        let singles = space.iter().filter(|edits| edits.interventions().len() == 1);
        let mut promising: Vec<&Observed> = singles.filter_map(|edits| observations.get(edits)).collect();
        promising.sort_by(|a, b| promise(b).total_cmp(&promise(a)));
        promising.truncate(EDITS);
        Self::of(promising.into_iter().flat_map(|it| it.candidate.interventions().to_vec()).collect())
    }

    fn of(edits: Vec<Intervention>) -> Self {
        let number = edits.iter().enumerate().map(|(i, edit)| (edit.to_string(), i)).collect();
        Self { edits, number, costs: Vec::new() }
    }

    /// The edits, each as a candidate.
    pub fn singles(&self) -> Vec<Candidate> {
        self.edits.iter().filter_map(|edit| Candidate::new([edit.clone()]).ok()).collect()
    }

    /// The same with the edits' costs, once they have been measured, without those that are outside the limits by themselves.
    pub fn with_costs(&self, history: &History) -> Self {
        let cost = |edit: &Intervention| cost(history, &Candidate::new([edit.clone()]).ok()?);
        let costed = self.edits.iter().filter_map(|edit| Some((edit.clone(), cost(edit)?)));
        let (edits, costs) = costed.filter(|(_, cost)| history.limits().is_none() || *cost <= 1.0).unzip();
        Self { costs, ..Self::of(edits) }
    }

    /// What compositions are expected to give. `scored` have been scored on all examples, and their costs are known.
    pub fn expectation<'a>(
        &'a self,
        history: &History<'a>,
        observations: &'a Observations,
        scored: &'a [Candidate],
    ) -> Expectation<'a> {
        let noise = observations.noise();
        let scale = noise.variance.sqrt();
        let scaled = |prior: Prior| Prior { mean: prior.mean * scale, deviation: prior.deviation * scale };
        let mut prior = vec![scaled(OF_EDIT); self.edits.len()];
        let has_limits = !history.limits().is_none();
        prior.extend([scaled(OF_SIZE), scaled(if has_limits { OF_SHARE } else { OF_NAT })]);
        let observed = observations.all().iter();
        let observation = |it: &Observed| {
            Some(Observation { features: self.features(&it.candidate)?, gain: it.gain(&noise), examples: it.examples })
        };
        let known: Vec<Observation> = observed.filter_map(observation).collect();
        let model = AdditiveModel::new(&prior, &known, noise.variance, MISFIT * scale);
        let compositions = scored.iter().filter(|it| has_limits && it.interventions().len() > 1);
        // How what compositions cost compares with the sum of their edits' costs. Without limits none is measured before the end.
        let mut growths: Vec<f64> = compositions
            .filter_map(|it| Some(cost(history, it)? / self.cost(it)?))
            .filter(|growth| growth.is_finite())
            .collect();
        growths.sort_by(f64::total_cmp);
        let growth = growths.get(growths.len() / 2).copied().unwrap_or(1.0);
        Expectation { of: self, history: *history, observations, scored, model, noise, growth, has_limits }
    }

    /// One feature per edit, then how many there are beyond the first, then what they cost. None where an edit is not
    /// one of these.
    fn features(&self, candidate: &Candidate) -> Option<Features> {
        let edits = candidate.interventions();
        let mut features: Features =
            edits.iter().map(|edit| Some((*self.number.get(&edit.to_string())?, 1.0))).collect::<Option<_>>()?;
        features.push((self.edits.len(), edits.len().saturating_sub(1) as f64));
        features.push((self.edits.len() + 1, self.cost(candidate).unwrap_or(0.0)));
        Some(features)
    }

    /// The sum of the edits' costs; none where costs are not measured.
    fn cost(&self, candidate: &Candidate) -> Option<f64> {
        candidate.interventions().iter().map(|edit| self.costs.get(*self.number.get(&edit.to_string())?)).sum()
    }
}

impl Expectation<'_> {
    /// What a candidate gains, half as it was observed and half as the model expects it; none where nothing has been observed, or
    /// where the model does not know its edits.
    pub fn value(&self, candidate: &Candidate) -> Option<f64> {
        let expected = self.model.expected(&self.of.features(candidate)?);
        Some((self.observations.get(candidate)?.gain(&self.noise) + expected) / 2.0)
    }

    /// At most `count` new compositions, the generation's, counted from 0, that are in `known` neither before nor among themselves, and are added to it.
    pub fn children(
        &self,
        generation: usize,
        count: usize,
        known: &mut HashSet<String>,
        random: &mut SplitMix64,
    ) -> Vec<Candidate> {
        let (parents, largest) = (self.parents(), LARGEST.min(LARGEST_AT_FIRST + generation));
        let nats = NATS_AT_FIRST + MORE_NATS * generation as f64;
        let most = if self.has_limits { 1.0 } else { nats } / self.growth;
        let mut children = Vec::with_capacity(count);
        for _ in 0..count {
            let weights = self.model.draw(random);
            let mut best: Option<(f64, Candidate)> = None;
            for _ in 0..TRIES {
                let Some(child) = self.child(&parents, largest, random) else { continue };
                let Some(features) = self.of.features(&child) else { continue };
                let within = self.of.cost(&child).is_none_or(|cost| cost <= most);
                let expected = gain(&weights, &features);
                let is_better = best.as_ref().is_none_or(|(most, _)| expected > *most);
                if within && is_better && !known.contains(&child.to_string()) {
                    best = Some((expected, child));
                }
            }
            if let Some((_, child)) = best {
                known.insert(child.to_string());
                children.push(child);
            }
        }
        children
    }

    /// The unedited model, then the best of what has been scored on all examples and is within the limits.
    fn parents(&self) -> Vec<Candidate> {
        let within = self.scored.iter().filter(|it| self.history.is_within_limits(it) == Some(true));
        let mut valued: Vec<(f64, &Candidate)> = within.filter_map(|it| Some((self.value(it)?, it))).collect();
        valued.sort_by(|a, b| b.0.total_cmp(&a.0));
        let best = valued.into_iter().take(PARENTS).map(|(_, it)| it.clone());
        [Candidate::base()].into_iter().chain(best).collect()
    }

    /// One to three changes of a parent; none where they make nothing of a fit size.
    fn child(&self, parents: &[Candidate], largest: usize, random: &mut SplitMix64) -> Option<Candidate> {
        let place = |random: &mut SplitMix64, n: usize| random.below(n as u64) as usize;
        let mut child = parents[place(random, parents.len()).min(place(random, parents.len()))].clone();
        let changes = [1, 1, 2, 3][place(random, 4)];
        for _ in 0..changes {
            let edits = child.interventions();
            child = match random.below(100) {
                65..80 if edits.len() > 1 => {
                    let exchanged = &edits[place(random, edits.len())];
                    let is_other = |it: &&Intervention| it.layer == exchanged.layer && it.matrix == exchanged.matrix;
                    let others: Vec<&Intervention> = self.of.edits.iter().filter(is_other).collect();
                    replaced(&child, others.get(place(random, others.len()))?)?
                }
                80.. if edits.len() > 1 => {
                    let removed = place(random, edits.len());
                    let rest = edits.iter().enumerate().filter(|(i, _)| *i != removed);
                    Candidate::new(rest.map(|(_, edit)| edit.clone())).ok()?
                }
                _ => replaced(&child, self.of.edits.get(place(random, self.of.edits.len()))?)?,
            };
        }
        (1..=largest).contains(&child.interventions().len()).then_some(child)
    }
}

/// What a candidate costs: its share of the limits, or without limits its divergence in nats per token. None where that is not
/// known.
fn cost(history: &History, candidate: &Candidate) -> Option<f64> {
    let (base, cost) = (history.cost(&Candidate::base())?, history.cost(candidate)?);
    Some(if history.limits().is_none() { cost.kl() } else { history.limits().share(base, cost) })
}

/// `edit` beside those of `candidate`; what is there of the same matrix makes room.
fn replaced(candidate: &Candidate, edit: &Intervention) -> Option<Candidate> {
    let others = candidate.interventions().iter();
    let rest = others.filter(|it| !(it.layer == edit.layer && it.matrix.overlaps(edit.matrix))).cloned();
    joined(&Candidate::new(rest).ok()?, &Candidate::new([edit.clone()]).ok()?)
}
