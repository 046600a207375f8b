//! Limits on what is read from outside, and how a user raises them.

use std::sync::LazyLock;

/// The environment variable that raises all of them: a whole number, how many times.
pub const LIMITS: &str = "LASER_LIMITS";

/// No disk is larger than this makes the largest of them.
const MOST_TIMES: u64 = 1_000_000;

static TIMES: LazyLock<Result<u64, String>> = LazyLock::new(|| match std::env::var_os(LIMITS) {
    None => Ok(1),
    Some(text) => times(&text.to_string_lossy()),
});

fn times(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(times @ 1..=MOST_TIMES) => Ok(times),
        _ => Err(format!("{LIMITS}={text:?} is not a whole number from 1 to {MOST_TIMES}: it multiplies the limits")),
    }
}

/// What is wrong with the environment variable, if anything is. Without this being asked it then raises nothing.
///
/// # Errors
/// It is not a number of times.
pub fn check_limits() -> Result<(), String> {
    TIMES.as_ref().map(drop).map_err(String::clone)
}

/// A limit as the user has raised it.
pub fn raised(usual: u64) -> u64 {
    usual.saturating_mul(*TIMES.as_ref().unwrap_or(&1))
}

/// The same of what is in memory.
pub fn raised_size(usual: usize) -> usize {
    usize::try_from(raised(usual as u64)).unwrap_or(usize::MAX)
}

/// What a message about a limit that the user may raise ends with.
pub fn how_to_raise() -> String {
    format!("{LIMITS}={} allows twice as much", raised(2))
}

/// The same where it is known how much is needed of what usually is `usual`.
pub(crate) fn how_to_allow(needed: u64, usual: u64) -> String {
    format!("{LIMITS}={} allows it", needed.div_ceil(usual.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_times_is_a_whole_one() {
        assert_eq!(times("12"), Ok(12));
        for text in ["0", "-1", "1.5", "", "x", "1000001"] {
            assert!(times(text).unwrap_err().contains("LASER_LIMITS"), "{text}");
        }
        assert_eq!((raised(7), raised(u64::MAX), raised_size(3)), (7, u64::MAX, 3));
        assert_eq!(how_to_allow(5 << 30, 1 << 30), "LASER_LIMITS=5 allows it");
    }
}
