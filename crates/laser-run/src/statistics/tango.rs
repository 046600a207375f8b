//! The interval of a gain in accuracy on the same examples.

use super::interval::Interval;

/// The 0.975 quantile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;
/// Halvings of an interval's end; a double has 53 bits.
const HALVINGS: usize = 60;

/// The 95 % score interval of (`gained` - `lost`) / `n`, the difference of two proportions on the same n examples (Tango 1998,
/// Statistics in Medicine 17): all d for which the score statistic
///
/// (gained - lost - n d) / sqrt(n (2 q + d (1 - d)))
///
/// is within the quantiles of the normal distribution, where q is the probability of a loss that is most likely under d. It keeps
/// its level for few examples and few changes, where an interval by drawing again does not. [-1, 1] for no examples.
pub fn tango(gained: usize, lost: usize, n: usize) -> Interval {
    if n == 0 {
        return Interval { low: -1.0, high: 1.0 };
    }
    let gained = gained.min(n);
    let lost = lost.min(n - gained);
    let found = (gained as f64 - lost as f64) / n as f64;
    Interval {
        low: end(-1.0, found, |d| score(gained, lost, n, d) > Z),
        high: end(1.0, found, |d| score(gained, lost, n, d) < -Z),
    }
}

/// Between `out`, at the end of the scale, and `found`, which is within the interval: where it ends.
fn end(out: f64, found: f64, is_outside: impl Fn(f64) -> bool) -> f64 {
    let (mut outside, mut inside) = (out, found);
    for _ in 0..HALVINGS {
        let middle = 0.5 * (outside + inside);
        *(if is_outside(middle) { &mut outside } else { &mut inside }) = middle;
    }
    inside
}

/// The score statistic of the difference `d`, strictly within (-1, 1).
fn score(gained: usize, lost: usize, n: usize, d: f64) -> f64 {
    let (gained, lost, n) = (gained as f64, lost as f64, n as f64);
    // The most likely probability of a loss under d is the root of a q^2 + b q + c = 0.
    let (a, c) = (2.0 * n, -lost * d * (1.0 - d));
    let b = -gained - lost + (2.0 * n - gained + lost) * d;
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    // The larger root, in the form that does not cancel.
    let q = if b <= 0.0 { (root - b) / (2.0 * a) } else { -2.0 * c / (root + b) };
    let variance = n * (2.0 * q.max(0.0) + d * (1.0 - d));
    (gained - lost - n * d) / variance.max(f64::MIN_POSITIVE).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_changes_it_has_a_closed_form() {
        // gained = lost = 0: z^2 / (n + z^2) either way.
        for n in [1, 10, 50, 800] {
            let (found, width) = (tango(0, 0, n), Z * Z / (n as f64 + Z * Z));
            assert!((found.high - width).abs() < 1e-12 && (found.low + width).abs() < 1e-12, "{found:?}");
        }
        assert_eq!(tango(0, 0, 0), Interval { low: -1.0, high: 1.0 });
    }

    /// By maximising the likelihood over the probability of a loss on a fine grid, without the formula.
    #[test]
    fn at_its_ends_the_score_is_the_quantile() {
        for (gained, lost, n) in [(12, 4, 50), (5, 0, 50), (0, 7, 30), (48, 23, 800), (3, 3, 40)] {
            let interval = tango(gained, lost, n);
            for (d, expected) in [(interval.low, Z), (interval.high, -Z)] {
                let (b, c, n) = (gained as f64, lost as f64, n as f64);
                let log = |count: f64, p: f64| if count == 0.0 { 0.0 } else { count * p.ln() };
                let likelihood = |q: f64| log(b, q + d) + log(c, q) + log(n - b - c, 1.0 - 2.0 * q - d);
                let (least, most) = ((-d).max(0.0), (1.0 - d) / 2.0);
                let grid = (1..400_000).map(|i| least + (most - least) * f64::from(i) / 400_000.0);
                let q = grid.max_by(|x, y| likelihood(*x).total_cmp(&likelihood(*y))).unwrap();
                let score = (b - c - n * d) / (n * (2.0 * q + d - d * d)).sqrt();
                assert!((score - expected).abs() < 2e-3, "{gained} {lost} {n}: {score} at {d}");
            }
        }
    }

    proptest! {
        #![proptest_config(laser_testing::cases())]

        #[test]
        fn it_holds_the_gain_and_turns_with_the_sides(gained in 0usize..60, lost in 0usize..60, rest in 1usize..300) {
            let n = gained + lost + rest;
            let (found, turned) = (tango(gained, lost, n), tango(lost, gained, n));
            let gain = (gained as f64 - lost as f64) / n as f64;
            prop_assert!(-1.0 <= found.low && found.low < gain && gain < found.high && found.high <= 1.0);
            prop_assert!((found.low + turned.high).abs() < 1e-9 && (found.high + turned.low).abs() < 1e-9);
        }
    }
}
