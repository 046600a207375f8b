//! A config.json as transformers 5 reads it, where it says one thing in two ways or asks for what
//! its family does not read.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    architecture::Architecture,
    architecture_table::{Key, Requirement},
    config_source::shortened,
    error::{CheckpointError, Result},
    factored,
};

/// The kinds of scaling that need to know the context length of the pretraining.
const FROM_ORIGINAL: [&str; 3] = ["llama3", "yarn", "longrope"];

/// A configuration without contradictions, and a line for each that it had.
pub(crate) struct SettledConfig {
    pub json: Value,
    pub notes: Vec<String>,
}

/// Settles `json`, the content of the config.json at `path`.
///
/// # Errors
/// What it asks for is computed by no version of transformers.
pub(crate) fn settle(architecture: &Architecture, json: &Value, path: &Path) -> Result<SettledConfig> {
    let mut settling =
        Settling { architecture, path, object: json.as_object().cloned().unwrap_or_default(), notes: Vec::new() };
    settling.classes();
    settling.ignored_keys();
    settling.layer_types();
    if architecture.block.rotary.style().is_some() {
        settling.rotary()?;
    }
    Ok(SettledConfig { json: Value::Object(settling.object), notes: settling.notes })
}

/// Puts the rotary parameters of a settled configuration, which transformers 5 reads, also where
/// earlier versions look for them.
pub(crate) fn say_twice(architecture: &Architecture, json: &mut Value) {
    let keys = &architecture.config;
    let Some(rope) = json.get("rope_parameters").and_then(Value::as_object).cloned() else { return };
    let part = |kind: &str| rope.get(kind).and_then(Value::as_object);
    let (full, local) = (part("full_attention").unwrap_or(&rope), part("sliding_attention"));
    let mut put = |key: &Key, value: Option<&Value>| {
        let top = key.json.iter().find(|top| !top.contains('.'));
        if let (Some(top), Some(value)) = (top, value) {
            json[top] = value.clone();
        }
    };
    put(&keys.rope_theta, full.get("rope_theta"));
    put(&keys.local_rope_theta, local.and_then(|local| local.get("rope_theta")));
    put(&keys.rotary_fraction, full.get("partial_rotary_factor"));
    if kind_of(full).is_some_and(|kind| kind != "default") {
        json["rope_scaling"] = Value::Object(full.clone());
    }
}

struct Settling<'a> {
    architecture: &'a Architecture,
    path: &'a Path,
    object: Map<String, Value>,
    notes: Vec<String>,
}

impl Settling<'_> {
    fn note(&mut self, text: &str) {
        self.notes.push(format!("{}: {text}", self.path.display()));
    }

    fn refused(&self, key: &str, found: &Value, why: &str) -> CheckpointError {
        CheckpointError::Unsupported {
            path: self.path.to_owned(),
            key: key.to_owned(),
            found: shortened(found),
            why: why.to_owned(),
        }
    }

    /// transformers' AutoModelForCausalLM goes by `model_type`, whatever class the file was saved
    /// from. A base class (GPT2Model) lacks nothing where the head is the embedding.
    fn classes(&mut self) {
        // A factored folder's own class computes what the family's does.
        if self.object.contains_key(factored::KEY) {
            return;
        }
        let classes = self.object.get("architectures").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_known = |class: &Value| self.architecture.classes.iter().any(|known| class == known.as_str());
        let Some(first) = classes.first().filter(|_| !classes.iter().any(is_known)) else { return };
        let text = first.as_str().unwrap_or_default();
        let is_base = text.ends_with("Model") && !text.contains("For");
        if !is_base {
            let computed = self.architecture.classes.first().map(String::as_str).unwrap_or_default();
            self.note(&format!("architectures is {}: {computed} is computed, as model_type says", shortened(first)));
            self.object.insert("architectures".to_owned(), json!([computed]));
        }
    }

    /// Keys that transformers 5 does not read for this family, though an earlier version did.
    fn ignored_keys(&mut self) {
        for Requirement { json, values, why, .. } in self.architecture.ignored.values() {
            let Some(key) = json else { continue };
            let Some(found) = self.object.remove(key).filter(|found| !found.is_null()) else { continue };
            if !values.contains(&found) {
                self.note(&format!("{key} is {}, which is not read: {why}", shortened(&found)));
            }
        }
    }

    /// Windows by layer, in a family that does not read them.
    fn layer_types(&mut self) {
        let keys = &self.architecture.config;
        if keys.layer_types != Key::default() && keys.sliding_window != Key::default() {
            return;
        }
        let types = self.object.remove("layer_types");
        let slides = |kind: &Value| kind.as_str() == Some("sliding_attention");
        if types.is_some_and(|types| types.as_array().is_some_and(|types| types.iter().any(slides))) {
            let family = &self.architecture.family;
            self.note(&format!("layer_types has layers with a window: transformers does not read it for {family}"));
        }
    }

    /// The one object of rotary parameters that transformers 5 makes of `rope_scaling`,
    /// `rope_parameters` and the keys at the top.
    fn rotary(&mut self) -> Result<()> {
        let scaling = self.taken_object("rope_scaling");
        let parameters = self.taken_object("rope_parameters");
        let keys = &self.architecture.config;
        if keys.local_rope_theta != Key::default() {
            return self.rotary_by_layer_type(scaling, parameters);
        }
        let both = scaling.as_ref().zip(parameters.as_ref());
        if both.is_some_and(|(scaling, parameters)| differ(scaling, parameters)) {
            self.note("rope_scaling and rope_parameters differ: rope_scaling counts, as in transformers 5");
        }
        let mut rope = scaling.or(parameters).unwrap_or_default();
        if let Some((kind, found)) = rope.iter().find(|(kind, value)| kind.ends_with("_attention") && value.is_object())
        {
            let why = format!("{} has the same rotary positions in all layers", self.architecture.family);
            return Err(self.refused(&format!("rope_parameters.{kind}"), found, &why));
        }
        self.take_the_top(&mut rope, "rope_theta", &keys.rope_theta);
        if keys.rotary_fraction == Key::default() {
            self.unread_fraction(&mut rope)?;
        } else {
            self.take_the_top(&mut rope, "partial_rotary_factor", &keys.rotary_fraction);
        }
        self.original_context(&mut rope, true);
        text_only(&mut rope);
        self.put_back(rope);
        Ok(())
    }

    /// Gemma 3's: an object for the layers with a window, one for the others.
    fn rotary_by_layer_type(
        &mut self,
        scaling: Option<Map<String, Value>>,
        parameters: Option<Map<String, Value>>,
    ) -> Result<()> {
        let mut parameters = parameters.unwrap_or_default();
        let mut of = |kind: &str| match parameters.remove(kind) {
            Some(Value::Object(found)) => found,
            _ => Map::new(),
        };
        let (mut full, mut local) = (of("full_attention"), of("sliding_attention"));
        if let Some(scaling) = scaling {
            if scaling.iter().any(|(key, value)| full.get(key).is_some_and(|found| found != value)) {
                self.note("rope_scaling and rope_parameters differ: rope_scaling counts, as in transformers 5");
            }
            full.extend(scaling);
        }
        if let Some((key, _)) = parameters.iter().find(|(_, value)| !value.is_object() && !value.is_null()) {
            self.note(&format!("rope_parameters.{key} is not read: this family has them by layer type"));
        }
        let keys = &self.architecture.config;
        self.take_the_top(&mut full, "rope_theta", &keys.rope_theta);
        self.take_the_top(&mut local, "rope_theta", &keys.local_rope_theta);
        self.original_context(&mut full, false);
        let mut rope = Map::new();
        for (kind, found) in [("full_attention", full), ("sliding_attention", local)] {
            if !found.is_empty() {
                rope.insert(kind.to_owned(), Value::Object(found));
            }
        }
        self.put_back(rope);
        Ok(())
    }

    /// The object under `key`, which is taken out; an empty one is none.
    fn taken_object(&mut self, key: &str) -> Option<Map<String, Value>> {
        match self.object.get(key)? {
            Value::Null => drop(self.object.remove(key)),
            Value::Object(_) => {
                if let Some(Value::Object(found)) = self.object.remove(key) {
                    return Some(found).filter(|found| !found.is_empty());
                }
            }
            // Whoever reads it says what is wrong with it.
            _ => {}
        }
        None
    }

    fn put_back(&mut self, rope: Map<String, Value>) {
        if !rope.is_empty() && !self.object.contains_key("rope_parameters") {
            self.object.insert("rope_parameters".to_owned(), Value::Object(rope));
        }
    }

    /// What `rope` says goes before the keys at the top, which are taken out then.
    fn take_the_top(&mut self, rope: &mut Map<String, Value>, name: &str, key: &Key) {
        let Some(inner) = rope.get(name).filter(|inner| !inner.is_null()).cloned() else { return };
        for top in key.json.iter().filter(|top| !top.contains('.')) {
            let Some(outer) = self.object.remove(top).filter(|outer| !outer.is_null()) else { continue };
            if outer.as_f64() != inner.as_f64() {
                self.note(&format!(
                    "{top} is {}, and {} in rope_parameters: the latter counts, as in transformers 5",
                    shortened(&outer),
                    shortened(&inner)
                ));
            }
        }
    }

    /// `partial_rotary_factor` in a family whose heads turn as a whole.
    fn unread_fraction(&mut self, rope: &mut Map<String, Value>) -> Result<()> {
        const NAME: &str = "partial_rotary_factor";
        let (inner, outer) = (rope.remove(NAME), self.object.remove(NAME));
        let found = inner.or(outer).filter(|found| !found.is_null() && found.as_f64() != Some(1.0));
        let Some(found) = found else { return Ok(()) };
        if kind_of(rope).is_some_and(|kind| kind != "default") {
            let why = "with scaled rotary positions no version of transformers computes it for this family";
            return Err(self.refused(NAME, &found, why));
        }
        let family = &self.architecture.family;
        self.note(&format!("{NAME} is {}: transformers 5 does not read it for {family}", shortened(&found)));
        Ok(())
    }

    /// The context length of the pretraining: at the top, in `rope`, or the context length itself.
    fn original_context(&mut self, rope: &mut Map<String, Value>, top_counts: bool) {
        const NAME: &str = "original_max_position_embeddings";
        if !kind_of(rope).is_some_and(|kind| FROM_ORIGINAL.contains(&kind.as_str())) {
            return;
        }
        let inner = rope.get(NAME).filter(|inner| !inner.is_null()).cloned();
        let outer = self.object.get(NAME).filter(|outer| top_counts && outer.is_number()).cloned();
        if let (Some(inner), Some(outer)) = (&inner, &outer)
            && inner.as_f64() != outer.as_f64()
        {
            self.note(&format!(
                "{NAME} is {outer}, and {inner} in rope_parameters: {outer} counts, as in transformers 5"
            ));
        }
        let context = || self.object.get("max_position_embeddings").cloned();
        if let Some(original) = outer.or(inner).or_else(context) {
            rope.insert(NAME.to_owned(), original);
        }
    }
}

fn kind_of(rope: &Map<String, Value>) -> Option<String> {
    rope.get("rope_type").or_else(|| rope.get("type"))?.as_str().map(str::to_owned)
}

/// Positions in an image and a text: in a text alone they are the usual ones.
fn text_only(rope: &mut Map<String, Value>) {
    if kind_of(rope).is_some_and(|kind| kind == "mrope") {
        rope.remove("type");
        rope.insert("rope_type".to_owned(), "default".into());
    }
}

/// Whether two objects of rotary parameters say different things.
fn differ(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let kind = |rope: &Map<String, Value>| kind_of(rope).unwrap_or_else(|| "default".to_owned());
    let number = |rope: &Map<String, Value>, key: &String| rope.get(key).and_then(Value::as_f64);
    let names = || one.keys().chain(other.keys());
    kind(one) != kind(other) || names().any(|key| number(one, key) != number(other, key))
}
