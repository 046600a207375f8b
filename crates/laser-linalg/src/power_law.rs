//! The power law that the largest squared singular values of trained matrices often follow (Martin, Mahoney, arXiv 1901.08276).

/// The exponent alpha of p(x) ~ x^-alpha for x >= x_min, fitted to `values`, which fall and are positive.
///
/// For each x_min among the values, alpha = 1 + n / sum ln(x_i / x_min) is the most likely exponent of the n values that are not
/// below it. The x_min is taken at which the values lie nearest to the law by Kolmogorov's and Smirnov's distance (Clauset,
/// Shalizi, Newman, arXiv 0706.1062). None of fewer than three different values.
pub fn power_law_alpha(values: &[f64]) -> Option<f64> {
    let mut best: Option<(f64, f64)> = None;
    let mut logs = 0.0;
    for (at, &smallest) in values.iter().enumerate() {
        // ln(x_i / x_min) summed over all i: each step down adds the same to every one above.
        if at > 0 {
            logs += at as f64 * (values[at - 1] / smallest).ln();
        }
        let last_of_equals = values.get(at + 1).is_none_or(|&next| next < smallest);
        let n = at + 1;
        if n < 3 || !last_of_equals || logs <= 0.0 {
            continue;
        }
        let alpha = 1.0 + n as f64 / logs;
        let distance = distance(&values[..n], alpha);
        if best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, alpha));
        }
    }
    best.map(|(_, alpha)| alpha)
}

/// The greatest distance of the distribution of `values` from the law's.
fn distance(values: &[f64], alpha: f64) -> f64 {
    let n = values.len();
    let smallest = values[n - 1];
    let law = |value: f64| 1.0 - (value / smallest).powf(1.0 - alpha);
    let rising = values.iter().rev().enumerate();
    rising.map(|(i, &value)| (law(value) - i as f64 / n as f64).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: `powerlaw.Fit(values).alpha` of Python's powerlaw 2.0.0.
    #[test]
    fn alpha_is_that_of_the_powerlaw_package() {
        let squares = |sigma: &dyn Fn(usize) -> f64| (1..=60).map(|k| sigma(k).powi(2)).collect::<Vec<f64>>();
        let mixed = |k: usize| if k < 20 { 10.0 / (k as f64).powf(0.7) } else { 1.2 - 0.01 * k as f64 };
        for (values, expected) in [
            (squares(&|k| 1.0 / k as f64), 1.526_015_865_289_385),
            (squares(&|k| (-0.1 * (k - 1) as f64).exp()), 1.169_491_525_423_728_8),
            (squares(&mixed)[..59].to_vec(), 1.817_336_516_813_895_3),
        ] {
            let alpha = power_law_alpha(&values).unwrap();
            assert!((alpha - expected).abs() < 1e-9, "{alpha} is not {expected}");
        }
    }

    #[test]
    fn too_few_values_have_no_law() {
        assert_eq!(power_law_alpha(&[]), None);
        assert_eq!(power_law_alpha(&[2.0, 1.0]), None);
        assert_eq!(power_law_alpha(&[1.0; 9]), None);
    }
}
