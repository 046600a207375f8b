//! YAML as Python reads it: of a key that is written twice the last value holds, and `<<` brings in
//! the keys of another mapping.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml_ng::value::{Tag, TaggedValue};
use serde_yaml_ng::{Error, Mapping, Value};

/// How many lists and mappings a text may open by brackets: the library looks at all open ones at each of its steps.
const MOST_BRACKETS: usize = 20_000;

/// What a value takes in memory, in bytes, beside its letters.
const VALUE: usize = 32;
/// So many bytes may values take in all for each of the text, and for a text that is short: only aliases need more.
const MOST_MEMORY: usize = 64;
const SHORT: usize = 1 << 14;

/// The value of a text.
pub fn read(text: &str) -> Result<Value, Error> {
    let most = laser_guard::raised_size(MOST_BRACKETS);
    if text.bytes().filter(|byte| b"[{".contains(byte)).count() > most {
        return Err(Error::custom(format!(
            "it opens more than {most} brackets: put what they hold into a data file ({})",
            laser_guard::how_to_raise()
        )));
    }
    let room = Cell::new(laser_guard::raised_size(text.len().max(SHORT).saturating_mul(MOST_MEMORY)));
    let mut value = Any(&room).deserialize(serde_yaml_ng::Deserializer::from_str(text))?;
    value.apply_merge()?;
    Ok(value)
}

/// Any value, for which there is so much room in memory.
#[derive(Clone, Copy)]
struct Any<'r>(&'r Cell<usize>);

impl Any<'_> {
    /// Takes memory, if there is room for it.
    fn take<E: serde::de::Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.0.get().checked_sub(bytes).ok_or_else(|| {
            let how = laser_guard::how_to_raise();
            E::custom(format!("its aliases repeat more than can be held: put what they name into a data file ({how})"))
        })?;
        self.0.set(left);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Any<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.take(VALUE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Any<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.take(value.len())?;
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(Value::Sequence(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Mapping::new();
        while let Some((key, value)) = entries.next_entry_seed(self, self)? {
            all.insert(key, value);
        }
        Ok(Value::Mapping(all))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        let (tag, content) = tagged.variant::<String>()?;
        let value = content.newtype_variant_seed(self)?;
        Ok(Value::Tagged(Box::new(TaggedValue { tag: Tag::new(tag), value })))
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn the_last_of_equal_keys_holds() {
        let value = read("a: 1\nb: {c: 2, c: 3}\na: 4\n").unwrap();
        assert_eq!((value["a"].as_i64(), value["b"]["c"].as_i64()), (Some(4), Some(3)));
    }

    #[test]
    fn merged_keys_give_way_to_own_ones() {
        let value = read("base: &base {a: 1, b: 2}\nown: {<<: *base, b: 3}\n").unwrap();
        assert_eq!((value["own"]["a"].as_i64(), value["own"]["b"].as_i64()), (Some(1), Some(3)));
    }

    #[test]
    fn aliases_repeat_no_more_than_can_be_held() {
        let few = format!("base: &base [{}]\n{}", "a,".repeat(100), "  \n".repeat(10))
            + &(0..100).map(|i| format!("key{i}: *base\n")).collect::<String>();
        assert!(read(&few).is_ok());
        let items = format!("base: &base [{}]\n", "a,".repeat(4_000));
        let letters = format!("base: &base {}\n", "a".repeat(1 << 20));
        for base in [items, letters] {
            let text = base + &(0..4_000).map(|i| format!("key{i}: *base\n")).collect::<String>();
            let message = read(&text).unwrap_err().to_string();
            assert!(message.contains("its aliases repeat more than can be held"), "{message}");
        }
    }

    #[test]
    fn nests_without_end_are_refused_at_once() {
        for (open, close) in [("[", "]"), ("{a: ", "}"), ("&a [*a, ", "]")] {
            let error = read(&format!("a: {}1{}", open.repeat(100_000), close.repeat(100_000))).unwrap_err();
            assert!(error.to_string().contains("more than 20000 brackets"), "{error}");
            assert!(read(&format!("a: {}1{}", open.repeat(9_000), close.repeat(9_000))).is_err());
        }
    }

    #[test]
    fn tags_are_kept() {
        let value = read("a: !function utils.f\n").unwrap();
        assert!(matches!(&value["a"], serde_yaml_ng::Value::Tagged(it) if it.value == "utils.f"));
    }
}
