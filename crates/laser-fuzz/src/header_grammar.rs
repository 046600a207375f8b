//! Files of weights whose headers lie.

use serde_json::{Map, Value, json};

use crate::{choices::Choices, json_change, mutation, tiny_model};

/// A safetensors file: of the tiny model, with entries of the header changed.
pub(crate) fn safetensors(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    if choices.once_in(3) {
        return changed_header(input, choices).unwrap_or_else(|| mutation::reshaped(input, choices));
    }
    let (mut header, mut at) = (Map::new(), 0);
    if choices.once_in(4) {
        header.insert("__metadata__".into(), json!({"format": choices.text()}));
    }
    for (name, _, shape) in tiny_model::tensors() {
        let (dtype, width) = *choices.pick(&[("F32", 4), ("F32", 4), ("BF16", 2), ("F16", 2)]);
        let bytes = shape.iter().product::<usize>() * width;
        header.insert(name, json!({"dtype": dtype, "shape": shape, "data_offsets": [at, at + bytes]}));
        at += bytes;
    }
    let mut header = Value::Object(header);
    if choices.once_in(2) {
        json_change::change(&mut header, choices);
    }
    let data = (0..at).map(|place| if place % 4 == 3 { 0x3e } else { choices.number() as u8 }).collect::<Vec<_>>();
    whole(&header, &data)
}

fn changed_header(input: &[u8], choices: &mut Choices) -> Option<Vec<u8>> {
    let length = usize::try_from(u64::from_le_bytes(input.get(..8)?.try_into().ok()?)).ok()?;
    let end = length.checked_add(8)?;
    let mut header: Value = serde_json::from_slice(input.get(8..end)?).ok()?;
    json_change::change(&mut header, choices);
    Some(whole(&header, &input[end..]))
}

fn whole(header: &Value, data: &[u8]) -> Vec<u8> {
    let text = header.to_string().into_bytes();
    [&(text.len() as u64).to_le_bytes()[..], &text, data].concat()
}

/// The tiny model's safetensors file.
pub(crate) fn whole_safetensors() -> Vec<u8> {
    let (mut header, mut at) = (Map::new(), 0);
    for (name, _, shape) in tiny_model::tensors() {
        let bytes = shape.iter().product::<usize>() * 4;
        header.insert(name, json!({"dtype": "F32", "shape": shape, "data_offsets": [at, at + bytes]}));
        at += bytes;
    }
    whole(&Value::Object(header), &0.25f32.to_le_bytes().repeat(at / 4))
}

/// A GGUF file: of the tiny model with a vocabulary, with numbers changed here and there.
pub(crate) fn gguf(_: &[u8], choices: &mut Choices) -> Vec<u8> {
    let tensors = tiny_model::tensors();
    let odd = 4 + choices.below(60);
    let entries = metadata(odd, choices);
    let mut file = [b"GGUF", &3u32.to_le_bytes()[..]].concat();
    file.extend(wide(tensors.len() as u64, odd, choices));
    file.extend(wide(entries.len() as u64, odd, choices));
    entries.iter().for_each(|entry| file.extend(entry));
    let mut at = 0u64;
    for (_, name, shape) in &tensors {
        file.extend(text(name, odd, choices));
        file.extend((shape.len() as u32).to_le_bytes());
        for &size in shape.iter().rev() {
            file.extend(wide(size as u64, odd, choices));
        }
        let (kind, width) = *choices.pick(&[(0u32, 4), (0, 4), (1, 2), (30, 2)]);
        let kind = if choices.once_in(odd) { choices.below(40) as u32 } else { kind };
        file.extend(kind.to_le_bytes());
        file.extend(wide(at, odd, choices));
        at += (shape.iter().product::<usize>() as u64 * width).next_multiple_of(32);
    }
    file.resize(file.len().next_multiple_of(32), 0);
    file.resize(file.len() + at as usize, 0x3c);
    file
}

/// The metadata of a llama model with a vocabulary of one of the kinds that GGUF files have.
fn metadata(odd: usize, choices: &mut Choices) -> Vec<Vec<u8>> {
    let mut entries = vec![entry("general.architecture", string("llama", odd, choices))];
    for (key, value) in [
        ("vocab_size", 16u32),
        ("embedding_length", 8),
        ("feed_forward_length", 12),
        ("block_count", 2),
        ("attention.head_count", 2),
        ("attention.head_count_kv", 1),
        ("context_length", 32),
    ] {
        entries.push(entry(&format!("llama.{key}"), number(value, odd, choices)));
    }
    entries.push(entry(
        "llama.attention.layer_norm_rms_epsilon",
        [&6u32.to_le_bytes()[..], &1e-6f32.to_le_bytes()].concat(),
    ));
    let model = *choices.pick(&["llama", "gpt2", "bert", "t5", "none"]);
    let pre = *choices.pick(&["default", "llama-bpe", "gpt-2", "qwen2", "smollm", "tekken"]);
    let tokens: [&str; 16] = [
        "<unk>", "<s>", "</s>", "<0x41>", "▁", "a", "b", "▁a", "ab", "▁ab", "Ġ", "Ġa", "[CLS]", "[SEP]", "##b",
        "[MASK]",
    ];
    entries.push(entry("tokenizer.ggml.model", string(model, odd, choices)));
    entries.push(entry("tokenizer.ggml.pre", string(pre, odd, choices)));
    entries.push(entry("tokenizer.ggml.tokens", texts(&tokens, odd, choices)));
    let kinds: Vec<Vec<u8>> = (0..16).map(|_| (choices.below(7) as i32).to_le_bytes().to_vec()).collect();
    entries.push(entry("tokenizer.ggml.token_type", list(5, &kinds, odd, choices)));
    let scores: Vec<Vec<u8>> = (0..16).map(|id| (-(id as f32)).to_le_bytes().to_vec()).collect();
    entries.push(entry("tokenizer.ggml.scores", list(6, &scores, odd, choices)));
    entries.push(entry("tokenizer.ggml.merges", texts(&["a b", "▁ a", "Ġ a", "▁a b"], odd, choices)));
    for (key, id) in [("bos", 1), ("eos", 2), ("unknown", 0), ("padding", 0), ("seperator", 13), ("mask", 15)] {
        entries.push(entry(&format!("tokenizer.ggml.{key}_token_id"), number(id, odd, choices)));
    }
    let chat = "{% for m in messages %}{{ m.content }}{% endfor %}";
    entries.push(entry("tokenizer.chat_template", string(chat, odd, choices)));
    for _ in 0..choices.below(3) {
        let at = choices.below(entries.len());
        match choices.below(3) {
            0 => drop(entries.remove(at)),
            1 => entries.push(entry("general.alignment", number(1 << choices.below(24), odd, choices))),
            _ => entries.push(entry("x", nested(choices.below(8), choices))),
        }
    }
    entries
}

fn entry(key: &str, value: Vec<u8>) -> Vec<u8> {
    [&(key.len() as u64).to_le_bytes()[..], key.as_bytes(), &value].concat()
}

/// Eight bytes, at times others than are meant.
fn wide(meant: u64, odd: usize, choices: &mut Choices) -> [u8; 8] {
    let number = if choices.once_in(odd * 8) { choices.integer() as u64 } else { meant };
    number.to_le_bytes()
}

fn text(meant: &str, odd: usize, choices: &mut Choices) -> Vec<u8> {
    [&wide(meant.len() as u64, odd, choices)[..], meant.as_bytes()].concat()
}

fn string(meant: &str, odd: usize, choices: &mut Choices) -> Vec<u8> {
    let meant = if choices.once_in(odd) { choices.text() } else { meant.to_owned() };
    [&8u32.to_le_bytes()[..], &text(&meant, odd, choices)].concat()
}

fn number(meant: u32, odd: usize, choices: &mut Choices) -> Vec<u8> {
    let kind = if choices.once_in(odd) { choices.below(14) as u32 } else { 4 };
    let number = if choices.once_in(odd) { choices.integer() as u32 } else { meant };
    [kind.to_le_bytes(), number.to_le_bytes()].concat()
}

fn texts(meant: &[&str], odd: usize, choices: &mut Choices) -> Vec<u8> {
    let items: Vec<Vec<u8>> = meant
        .iter()
        .map(|item| {
            let item = if choices.once_in(odd * 4) { choices.text() } else { (*item).to_owned() };
            text(&item, odd * 4, choices)
        })
        .collect();
    list(8, &items, odd, choices)
}

fn list(kind: u32, items: &[Vec<u8>], odd: usize, choices: &mut Choices) -> Vec<u8> {
    let count = items.len() - usize::from(choices.once_in(odd));
    [&9u32.to_le_bytes()[..], &kind.to_le_bytes(), &wide(count as u64, odd, choices), &items[..count].concat()].concat()
}

/// Arrays in arrays.
fn nested(depth: usize, choices: &mut Choices) -> Vec<u8> {
    let mut value = 9u32.to_le_bytes().to_vec();
    for _ in 0..depth {
        value.extend(9u32.to_le_bytes());
        value.extend((1 + choices.below(2) as u64).to_le_bytes());
    }
    value.extend([&0u32.to_le_bytes()[..], &1u64.to_le_bytes(), &[7]].concat());
    value
}
