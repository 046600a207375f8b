//! Why a verdict is what it is, in a sentence.

use crate::numbers::p_text;
use crate::result_form::ResultForm;
use laser_run::{BiasCheck, Reason, Verdict, VerdictFile};

/// The sentence.
pub fn because(verdict: &Verdict) -> String {
    sentence(&verdict.reason, ResultForm { binary: verdict.is_binary() })
}

fn sentence(reason: &Reason, form: ResultForm) -> String {
    let more = |gain: f64| match form.binary {
        true => format!("{} more right", form.size(gain)),
        false => format!("{} more per result", form.size(gain)),
    };
    match reason {
        Reason::Bias { check, left, gain } => {
            format!("{} leaves {} of the {} gained", check_text(check), form.size(*left), form.size(*gain))
        }
        Reason::NothingWithinLimits => "no candidate is within the limits, so nothing is chosen".to_owned(),
        Reason::Unshown { gain, p } => format!("the change on test, {}, has p = {p:.2}", form.size(*gain)),
        Reason::Loss { loss } => format!("it loses {} on test", form.size(*loss)),
        Reason::HigherLogLoss { gain, growth } => {
            format!("{}, but the answers' log-loss is {growth:.2} nats per token higher", more(*gain))
        }
        Reason::HigherPerplexity { gain, growth } => {
            format!("{}, but the text's perplexity is {:.0} % higher", more(*gain), 100.0 * growth.exp_m1())
        }
        Reason::Better { gain, p } => format!("{} on unseen examples, p = {}", more(*gain), p_text(*p)),
    }
}

/// What `verdict.json` holds.
pub fn verdict_file(verdict: &Verdict) -> VerdictFile<'_> {
    VerdictFile::new(verdict, because)
}

fn check_text(check: &BiasCheck) -> String {
    match check {
        BiasCheck::WithoutAnswer { answer } => format!("leaving out the answer {:?}", answer.trim()),
        BiasCheck::BalancedAccuracy => "balanced accuracy".to_owned(),
        BiasCheck::ContextualCalibration => "contextual calibration of both models".to_owned(),
        BiasCheck::BestThresholds => "giving both models the best threshold".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_sentence() {
        let (left, gain, growth) = (0.001, 0.0525, 0.123);
        let said = |reason: &Reason| sentence(reason, ResultForm { binary: true });
        let check = |check: BiasCheck| said(&Reason::Bias { check, left, gain });
        let answer = String::from("yes");
        assert_eq!(
            check(BiasCheck::WithoutAnswer { answer }),
            "leaving out the answer \"yes\" leaves 0.1 points of the 5.2 points gained"
        );
        assert_eq!(check(BiasCheck::BalancedAccuracy), "balanced accuracy leaves 0.1 points of the 5.2 points gained");
        assert_eq!(said(&Reason::Unshown { gain: -0.01, p: 0.5 }), "the change on test, -1.0 points, has p = 0.50");
        assert_eq!(said(&Reason::Loss { loss: 0.2 }), "it loses 20.0 points on test");
        assert_eq!(
            said(&Reason::HigherLogLoss { gain, growth }),
            "5.2 points more right, but the answers' log-loss is 0.12 nats per token higher"
        );
        assert_eq!(
            said(&Reason::HigherPerplexity { gain, growth }),
            "5.2 points more right, but the text's perplexity is 13 % higher"
        );
        assert_eq!(
            said(&Reason::Better { gain, p: 0.000_012 }),
            "5.2 points more right on unseen examples, p = 1.2e-5"
        );
        let other = sentence(&Reason::Better { gain: 2.5, p: 0.01 }, ResultForm { binary: false });
        assert_eq!(other, "2.500 more per result on unseen examples, p = 0.010");
    }
}
