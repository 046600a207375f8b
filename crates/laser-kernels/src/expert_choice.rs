//! Which experts of a mixture a row goes through.

/// How a row's experts follow from its router logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpertChoice {
    /// How many experts a row goes through.
    pub per_token: usize,
    /// Whether the chosen ones' weights are scaled to a sum of one.
    pub normalised: bool,
}

/// The rows that go through one expert, and the weight of its output in each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Route {
    pub rows: Vec<u32>,
    pub weights: Vec<f32>,
}

impl ExpertChoice {
    /// The route of each expert, for router logits row by row.
    pub(crate) fn routes<'l>(self, logits: impl Iterator<Item = &'l [f32]>, experts: usize) -> Vec<Route> {
        let mut routes = vec![Route::default(); experts];
        for (row, logits) in logits.enumerate() {
            for (expert, weight) in self.of_row(logits) {
                routes[expert].rows.push(row as u32);
                routes[expert].weights.push(weight);
            }
        }
        routes
    }

    /// A row's experts with their weights: the largest of the softmax over all experts, as they are
    /// or scaled to a sum of one. Of equal ones the first.
    fn of_row(self, logits: &[f32]) -> Vec<(usize, f32)> {
        let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = logits.iter().map(|logit| (logit - max).exp()).collect();
        let total: f32 = weights.iter().sum();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
        order.truncate(self.per_token);
        let total = if self.normalised { order.iter().map(|&expert| weights[expert]).sum() } else { total };
        order.into_iter().map(|expert| (expert, weights[expert] / total)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_experts_go_by_number() {
        let logits = [1.0f32, 3.0, 3.0, 1.0];
        let choice = ExpertChoice { per_token: 3, normalised: true };
        let routes = choice.routes([&logits[..]].into_iter(), 4);
        let rows: Vec<usize> = routes.iter().map(|route| route.rows.len()).collect();
        assert_eq!(rows, [1, 1, 1, 0]);
        let sum: f32 = routes.iter().flat_map(|route| &route.weights).sum();
        assert!((sum - 1.0).abs() < 1e-6 && routes[1].weights == routes[2].weights);
        let of_all = ExpertChoice { normalised: false, ..choice }.routes([&logits[..]].into_iter(), 4);
        assert!(of_all.iter().flat_map(|route| &route.weights).sum::<f32>() < 0.99);
    }
}
