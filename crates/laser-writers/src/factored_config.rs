//! config.json of a folder of which some matrices are two thin ones, and back.

use laser_checkpoint::Architecture;
use serde_json::{Map, Value, json};

/// The file with the classes that transformers opens such a folder by.
pub(crate) const MODELING: &str = "modeling_laser.py";

/// The key of config.json under which they are listed.
const KEY: &str = "laser";

/// What the unedited model's config.json had, so that it can be told again.
const KEPT: [&str; 2] = ["architectures", "auto_map"];

/// A module of the model that is written otherwise than its family's.
pub(crate) enum FactoredModule {
    /// A matrix of this rank.
    Whole(usize),
    /// Matrices that the family keeps in one, and whether they alternate head by head, for so many heads.
    Parts(Vec<FactoredPart>, Option<usize>),
}

/// One of several matrices that the family keeps in one.
pub(crate) struct FactoredPart {
    pub name: String,
    pub rows: usize,
    /// `None` if it is whole.
    pub rank: Option<usize>,
}

impl FactoredModule {
    fn to_json(&self) -> Value {
        match self {
            Self::Whole(rank) => json!({ "rank": rank }),
            Self::Parts(parts, heads) => {
                let part = |part: &FactoredPart| json!({ "name": part.name, "rows": part.rows, "rank": part.rank });
                json!({ "heads": heads, "parts": parts.iter().map(part).collect::<Vec<_>>() })
            }
        }
    }
}

/// The classes of a family in transformers, and of the folder.
pub(crate) struct Classes {
    /// With a head.
    pub with_head: String,
    /// Without.
    pub base: String,
    /// What opens the folder: `ForCausalLM` or `ForMaskedLM`.
    pub task: &'static str,
}

impl Classes {
    pub(crate) fn of(architecture: &Architecture, masked: bool) -> Self {
        let with_head = architecture.classes.first().cloned().unwrap_or_default();
        let base = match architecture.family.as_str() {
            // The text model of a family that has others, too.
            "gemma3_text" => "Gemma3TextModel".to_owned(),
            _ => ["ForCausalLM", "LMHeadModel", "ForMaskedLM"]
                .iter()
                .find_map(|end| Some(format!("{}Model", with_head.strip_suffix(end)?)))
                .unwrap_or_default(),
        };
        Self { with_head, base, task: if masked { "ForMaskedLM" } else { "ForCausalLM" } }
    }

    /// modeling_laser.py.
    pub(crate) fn modeling(&self) -> String {
        include_str!("modeling_laser.py")
            .replace("FamilyWithHead", &self.with_head)
            .replace("FamilyBase", &self.base)
            .replace("LaserWithHead", &format!("Laser{}", self.task))
    }
}

/// `config` with the modules that are written otherwise.
pub(crate) fn factored(
    mut config: Map<String, Value>,
    classes: &Classes,
    modules: &[(String, FactoredModule)],
) -> Map<String, Value> {
    let base: Map<String, Value> =
        KEPT.iter().filter_map(|&key| Some((key.to_owned(), config.get(key)?.clone()))).collect();
    let modules: Map<String, Value> = modules.iter().map(|(name, module)| (name.clone(), module.to_json())).collect();
    let class = format!("Laser{}", classes.task);
    let mut map = config.get("auto_map").and_then(Value::as_object).cloned().unwrap_or_default();
    map.insert("AutoModel".to_owned(), "modeling_laser.LaserModel".into());
    map.insert(format!("AutoModel{}", classes.task), format!("modeling_laser.{class}").into());
    config.insert("auto_map".to_owned(), map.into());
    config.insert("architectures".to_owned(), json!([class]));
    config.insert(KEY.to_owned(), json!({ "base": base, "modules": modules }));
    config
}

/// The config.json that [`factored`] was made of.
pub(crate) fn unfactored(mut config: Map<String, Value>) -> Map<String, Value> {
    let laser = config.remove(KEY);
    let base = laser.as_ref().and_then(|laser| laser.get("base"));
    for key in KEPT {
        match base.and_then(|base| base.get(key)) {
            Some(value) => config.insert(key.to_owned(), value.clone()),
            None => config.remove(key),
        };
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_comes_back() {
        let before = json!({ "architectures": ["GPT2LMHeadModel"], "n_embd": 8 }).as_object().unwrap().clone();
        let classes = Classes { with_head: "GPT2LMHeadModel".into(), base: "GPT2Model".into(), task: "ForCausalLM" };
        let after = factored(before.clone(), &classes, &[("h.0.mlp.c_fc".into(), FactoredModule::Whole(3))]);
        assert_eq!(after["laser"]["modules"]["h.0.mlp.c_fc"]["rank"], 3);
        assert_eq!(after["auto_map"]["AutoModelForCausalLM"], "modeling_laser.LaserForCausalLM");
        assert_eq!(unfactored(after), before);
        let text = classes.modeling();
        assert!(
            text.contains("class LaserForCausalLM(Factored, GPT2LMHeadModel)") && !text.contains("Family"),
            "{text}"
        );
    }
}
