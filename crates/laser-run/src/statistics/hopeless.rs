//! Candidates that are too bad to win by chance.

/// Whether a candidate is so much worse than the base that no luck makes it the best: it then says
/// nothing of what the best of all shows by chance, and is left out of it (Hansen 2005, A test for
/// superior predictive ability, section 3.2).
///
/// `sum` is the sum of the paired differences over all examples, `squares` that of the squared sums
/// of the groups, of which there are `groups`: S / sqrt(V) < -sqrt(2 ln ln groups).
pub(super) fn is_hopeless(sum: f64, squares: f64, groups: usize) -> bool {
    let bound = 2.0 * (groups as f64).ln().ln();
    groups > 2 && squares > 0.0 && sum < -(bound * squares).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_far_below_the_base_is_hopeless() {
        // sqrt(2 ln ln 200) is 1.826.
        assert!(is_hopeless(-18.4, 100.0, 200) && !is_hopeless(-18.1, 100.0, 200));
        assert!(!is_hopeless(30.0, 100.0, 200) && !is_hopeless(0.0, 0.0, 200));
        // Of one or two groups the bound is not defined.
        assert!(!is_hopeless(-9.0, 1.0, 2) && !is_hopeless(-9.0, 1.0, 1));
    }
}
