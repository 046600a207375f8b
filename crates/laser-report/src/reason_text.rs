//! Why a verdict is what it is, in a sentence.

use crate::numbers::p_text;
use laser_run::{BiasCheck, Reason, Verdict, VerdictFile};

/// The sentence.
pub fn because(reason: &Reason) -> String {
    match reason {
        Reason::Bias { check, left, gain } => {
            format!("{} leaves {} of the {} gained", check_text(check), points(*left), points(*gain))
        }
        Reason::Unshown { gain, p } => format!("the change on test, {}, has p = {p:.2}", points(*gain)),
        Reason::Loss { loss } => format!("it loses {} on test", points(*loss)),
        Reason::HigherLogLoss { gain, growth } => {
            format!("{} more right, but the answers' log-loss is {growth:.2} nats a token higher", points(*gain))
        }
        Reason::HigherPerplexity { gain, growth } => {
            format!(
                "{} more right, but the text's perplexity is {:.0} % higher",
                points(*gain),
                100.0 * growth.exp_m1()
            )
        }
        Reason::Better { gain, p } => format!("{} more right on unseen examples, p = {}", points(*gain), p_text(*p)),
    }
}

/// What `verdict.json` holds.
pub fn verdict_file(verdict: &Verdict) -> VerdictFile<'_> {
    VerdictFile::new(verdict, because(&verdict.reason))
}

fn check_text(check: &BiasCheck) -> String {
    match check {
        BiasCheck::WithoutAnswer { answer } => format!("leaving out the answer {:?}", answer.trim()),
        BiasCheck::BalancedAccuracy => "balanced accuracy".to_owned(),
        BiasCheck::ContextualCalibration => "contextual calibration of both models".to_owned(),
        BiasCheck::BestThresholds => "giving both models the best threshold".to_owned(),
    }
}

fn points(fraction: f64) -> String {
    format!("{:.1} points", 100.0 * fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_sentence() {
        let (left, gain, growth) = (0.001, 0.0525, 0.123);
        let check = |check: BiasCheck| because(&Reason::Bias { check, left, gain });
        let answer = String::from("yes");
        assert_eq!(
            check(BiasCheck::WithoutAnswer { answer }),
            "leaving out the answer \"yes\" leaves 0.1 points of the 5.2 points gained"
        );
        assert_eq!(check(BiasCheck::BalancedAccuracy), "balanced accuracy leaves 0.1 points of the 5.2 points gained");
        assert_eq!(because(&Reason::Unshown { gain: -0.01, p: 0.5 }), "the change on test, -1.0 points, has p = 0.50");
        assert_eq!(because(&Reason::Loss { loss: 0.2 }), "it loses 20.0 points on test");
        assert_eq!(
            because(&Reason::HigherLogLoss { gain, growth }),
            "5.2 points more right, but the answers' log-loss is 0.12 nats a token higher"
        );
        assert_eq!(
            because(&Reason::HigherPerplexity { gain, growth }),
            "5.2 points more right, but the text's perplexity is 13 % higher"
        );
        assert_eq!(
            because(&Reason::Better { gain, p: 0.000_012 }),
            "5.2 points more right on unseen examples, p = 1.2e-5"
        );
    }
}
