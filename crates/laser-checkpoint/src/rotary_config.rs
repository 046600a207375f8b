//! Rotary positions: which components of a head turn, how fast, and how a longer context was
//! taught.

use std::f64::consts::TAU;

use serde_json::{Map, Value, json};

use crate::block_kinds::RotaryStyle;

/// Rotary positions (Su et al., arXiv 2104.09864).
#[derive(Clone, Debug, PartialEq)]
pub struct RotaryConfig {
    /// How a head's components are paired.
    pub style: RotaryStyle,
    /// Components of a head that turn, the first ones; even.
    pub dim: usize,
    /// Base of the frequencies: pair i turns by position * theta^(-2i / dim).
    pub theta: f64,
    /// How the frequencies are scaled.
    pub scaling: RopeScaling,
}

/// How rotary frequencies are scaled for contexts longer than those of the pretraining.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RopeScaling {
    /// As they are. `dynamic` scaling is this up to the trained context length, which is what a
    /// model is given here.
    None,
    /// Hunyuan's: the base is multiplied by alpha^(dim / (dim - 2)).
    Alpha {
        /// How much longer the context is.
        alpha: f64,
    },
    /// All divided by a factor.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// Llama 3.1's: slow ones divided, fast ones left, in between blended.
    Llama3 {
        /// What slow frequencies are divided by.
        factor: f64,
        /// Frequencies with fewer turns than this in the original context are slow.
        low_freq_factor: f64,
        /// Frequencies with more turns than this are fast.
        high_freq_factor: f64,
        /// The context length of the pretraining.
        original_context: f64,
    },
    /// YaRN (Peng et al., arXiv 2309.00071): as Llama 3's with a ramp over the components, and
    /// attention scaled.
    Yarn {
        /// What slow frequencies are divided by.
        factor: f64,
        /// The context length of the pretraining.
        original_context: f64,
        /// Components that turn more often than this in the original context are left.
        beta_fast: f64,
        /// Components that turn less often than this are divided.
        beta_slow: f64,
        /// What cosines and sines are multiplied by.
        attention_factor: f64,
        /// Whether the ramp's ends are whole components.
        truncate: bool,
    },
}

impl RotaryConfig {
    /// What each pair turns by from one position to the next, in radians. In f32 throughout, as the
    /// models were trained.
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        let (dim, theta) = (self.dim, self.base() as f32);
        let plain = (0..dim / 2).map(|i| 1.0 / theta.powf((2 * i) as f32 / dim as f32));
        // What is kept of a frequency; the rest of it is divided by the factor.
        let blend = |speed: f32, kept: f64, factor: f64| (f64::from(speed) * (kept + (1.0 - kept) / factor)) as f32;
        match self.scaling {
            RopeScaling::None | RopeScaling::Alpha { .. } => plain.collect(),
            RopeScaling::Linear { factor } => plain.map(|speed| speed / factor as f32).collect(),
            RopeScaling::Llama3 { factor, low_freq_factor: low, high_freq_factor: high, original_context } => {
                let kept = |speed: f32| ((turns(original_context, speed) - low) / (high - low)).clamp(0.0, 1.0);
                plain.map(|speed| blend(speed, kept(speed), factor)).collect()
            }
            RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, .. } => {
                // The pair that turns this often in the original context.
                let pair = |turns: f64| dim as f64 * (original_context / (turns * TAU)).ln() / (2.0 * self.theta.ln());
                let (low, high) = (pair(beta_fast), pair(beta_slow));
                let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
                let (low, high) = (low.max(0.0), high.min(dim as f64 - 1.0));
                let width = if high == low { 0.001 } else { high - low };
                let kept = |i: usize| 1.0 - ((i as f64 - low) / width).clamp(0.0, 1.0);
                plain.enumerate().map(|(i, speed)| blend(speed, kept(i), factor)).collect()
            }
        }
    }

    /// The base, as it is scaled.
    pub fn base(&self) -> f64 {
        let dim = self.dim as f64;
        match self.scaling {
            RopeScaling::Alpha { alpha } if dim > 2.0 => self.theta * alpha.powf(dim / (dim - 2.0)),
            _ => self.theta,
        }
    }

    /// What cosines and sines are multiplied by.
    pub fn amplitude(&self) -> f32 {
        match self.scaling {
            RopeScaling::Yarn { attention_factor, .. } => attention_factor as f32,
            RopeScaling::None | RopeScaling::Alpha { .. } | RopeScaling::Linear { .. } | RopeScaling::Llama3 { .. } => {
                1.0
            }
        }
    }

    /// The same positions with Llama 3's scaling, from what its GGUF files have of it: what each
    /// pair's frequency is divided by. `None` where the numbers are not such a scaling's.
    pub(crate) fn with_factors(&self, factors: &[f32]) -> Option<Self> {
        const TOLERANCE: f32 = 1e-3;
        let plain = Self { scaling: RopeScaling::None, ..self.clone() };
        let speeds = plain.inverse_frequencies();
        let factor = f64::from(factors.iter().copied().fold(1.0, f32::max));
        if factor == 1.0 {
            return (factors.len() == speeds.len()).then_some(plain);
        }
        // Meta's constants; the original context follows from any frequency between the two.
        let (low, high) = (1.0, 4.0);
        let contexts = speeds.iter().zip(factors).map(|(&speed, &divisor)| {
            let kept = (1.0 / f64::from(divisor) - 1.0 / factor) / (1.0 - 1.0 / factor);
            ((low + kept * (high - low)) * TAU / f64::from(speed), kept)
        });
        let between =
            contexts.filter(|(_, kept)| (0.01..0.99).contains(kept)).map(|(context, _)| context.round()).next();
        let scaling = RopeScaling::Llama3 {
            factor,
            low_freq_factor: low,
            high_freq_factor: high,
            original_context: between.unwrap_or(8192.0),
        };
        let scaled = Self { scaling, ..plain };
        let found = scaled.inverse_frequencies();
        let same =
            |((speed, found), divisor): ((&f32, &f32), &f32)| (speed / found - divisor).abs() <= TOLERANCE * divisor;
        (factors.len() == speeds.len() && speeds.iter().zip(&found).zip(factors).all(same)).then_some(scaled)
    }
}

/// How often a pair turns in a context.
fn turns(context: f64, speed: f32) -> f64 {
    context * f64::from(speed) / TAU
}

impl RopeScaling {
    /// From `rope_scaling` (or `rope_parameters`) of config.json; `context` is the model's context
    /// length. The error says what is wrong with it.
    pub(crate) fn from_json(value: &Value, context: usize) -> Result<Self, String> {
        let Value::Object(object) = value else {
            return if value.is_null() { Ok(Self::None) } else { Err(format!("expected an object, found {value}")) };
        };
        let kind = object.get("rope_type").or_else(|| object.get("type"));
        let number = |key: &str| -> Result<Option<f64>, String> {
            match object.get(key) {
                None | Some(Value::Null) => Ok(None),
                Some(value) => {
                    let found = value.as_f64().filter(|number| number.is_finite() && *number > 0.0);
                    found.map(Some).ok_or_else(|| format!("{key} is {value}, but must be a number above 0"))
                }
            }
        };
        let needed = |key: &str| number(key)?.ok_or_else(|| format!("{key} is missing"));
        match kind.and_then(Value::as_str) {
            Some("dynamic") => Ok(number("alpha")?.map_or(Self::None, |alpha| Self::Alpha { alpha })),
            Some("default") => Ok(Self::None),
            // Newer configurations keep other parameters under the same key.
            None if kind.is_none_or(Value::is_null) && !object.contains_key("factor") => Ok(Self::None),
            Some("linear") => Ok(Self::Linear { factor: needed("factor")? }),
            Some("llama3") => {
                let (low, high) = (needed("low_freq_factor")?, needed("high_freq_factor")?);
                if low >= high {
                    return Err("low_freq_factor must be below high_freq_factor".to_owned());
                }
                Ok(Self::Llama3 {
                    factor: needed("factor")?,
                    low_freq_factor: low,
                    high_freq_factor: high,
                    original_context: needed("original_max_position_embeddings")?,
                })
            }
            Some("yarn") => {
                let factor = needed("factor")?;
                let temperature = |mscale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * mscale * factor.ln() + 1.0 };
                let attention_factor = match (number("attention_factor")?, number("mscale")?, number("mscale_all_dim")?)
                {
                    (Some(given), _, _) => given,
                    (None, Some(mscale), Some(all)) => temperature(mscale) / temperature(all),
                    _ => temperature(1.0),
                };
                Ok(Self::Yarn {
                    factor,
                    original_context: number("original_max_position_embeddings")?.unwrap_or(context as f64),
                    beta_fast: number("beta_fast")?.unwrap_or(32.0),
                    beta_slow: number("beta_slow")?.unwrap_or(1.0),
                    attention_factor,
                    truncate: object.get("truncate").and_then(Value::as_bool).unwrap_or(true),
                })
            }
            _ => Err(format!(
                "its type is {}: known are default, linear, dynamic, llama3 and yarn",
                kind.unwrap_or(&Value::Null)
            )),
        }
    }

    /// From a GGUF file's metadata: kind, factor and original context length.
    pub(crate) fn from_gguf(
        kind: &str,
        factor: Option<f64>,
        original: Option<f64>,
        context: usize,
    ) -> Result<Self, String> {
        let mut object = Map::new();
        let kind = if kind == "none" { "default" } else { kind };
        object.insert("rope_type".to_owned(), kind.into());
        object.insert("factor".to_owned(), json!(factor));
        object.insert("original_max_position_embeddings".to_owned(), json!(original));
        Self::from_json(&Value::Object(object), context)
    }

    /// `rope_scaling` of config.json.
    pub(crate) fn to_json(self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Alpha { alpha } => json!({ "rope_type": "dynamic", "factor": 1.0, "alpha": alpha }),
            Self::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => json!({
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor, "original_max_position_embeddings": original_context as u64,
            }),
            Self::Yarn { factor, original_context, beta_fast, beta_slow, attention_factor, truncate } => json!({
                "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original_context as u64,
                "beta_fast": beta_fast, "beta_slow": beta_slow, "attention_factor": attention_factor,
                "truncate": truncate,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn llama(scaling: RopeScaling) -> RotaryConfig {
        RotaryConfig { style: RotaryStyle::Half, dim: 64, theta: 500_000.0, scaling }
    }

    #[test]
    fn llama_3_is_recognised_by_its_factors() {
        for (factor, original_context) in [(8.0, 8192.0), (32.0, 8192.0), (8.0, 16.0)] {
            let scaling = RopeScaling::Llama3 { factor, low_freq_factor: 1.0, high_freq_factor: 4.0, original_context };
            let (plain, scaled) = (llama(RopeScaling::None), llama(scaling));
            let both = plain.inverse_frequencies().into_iter().zip(scaled.inverse_frequencies());
            let factors: Vec<f32> = both.map(|(plain, scaled)| plain / scaled).collect();
            assert_eq!(plain.with_factors(&factors), Some(scaled));
        }
        assert_eq!(llama(RopeScaling::None).with_factors(&[1.0; 32]), Some(llama(RopeScaling::None)));
        let odd: Vec<f32> = (0..32).map(|i| 1.0 + (i % 3) as f32).collect();
        assert_eq!(llama(RopeScaling::None).with_factors(&odd), None);
        assert_eq!(llama(RopeScaling::None).with_factors(&[2.0]), None);
    }

    #[test]
    fn every_scaling_survives_its_json() {
        let texts = [
            r#"{"rope_type": "linear", "factor": 4.0}"#,
            r#"{"type": "dynamic", "factor": 1.0, "alpha": 1000.0}"#,
            r#"{"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}"#,
            r#"{"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}"#,
            r#"{"rope_type": "yarn", "factor": 40, "beta_fast": 32, "beta_slow": 1, "mscale": 1.0, "mscale_all_dim": 0.707, "truncate": false}"#,
        ];
        for text in texts {
            let scaling = RopeScaling::from_json(&serde_json::from_str(text).unwrap(), 4096).unwrap();
            assert_eq!(RopeScaling::from_json(&scaling.to_json(), 4096).unwrap(), scaling, "{text}");
        }
        for wrong in [
            r#"{"factor": 8.0}"#,
            r#"{"rope_type": "longrope"}"#,
            r#"{"rope_type": "linear"}"#,
            r#"{"type": "linear", "factor": 0}"#,
            "3",
        ] {
            assert!(RopeScaling::from_json(&serde_json::from_str(wrong).unwrap(), 4096).is_err(), "{wrong}");
        }
    }
}
