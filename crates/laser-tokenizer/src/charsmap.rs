//! The check of a sentencepiece model's compiled rewriting rules. The code that applies them
//! indexes without asking.
//!
//! Layout: the trie's length in bytes (u32), the trie (u32 each; darts-clone's double array), then
//! the texts that it points into, each ended by a zero byte.

use base64::{Engine, engine::general_purpose::STANDARD};

const LEAF: u32 = 1 << 8;

/// The rules in base64, as tokenizer.json has them.
pub(crate) fn checked_base64(charsmap: &[u8]) -> Result<String, String> {
    check(charsmap).ok_or("its rewriting rules are damaged")?;
    Ok(STANDARD.encode(charsmap))
}

/// The longest text, in bytes, that rules in base64 put in the place of a letter; 1 where they are none.
pub(crate) fn longest_replacement(base64: &str) -> usize {
    let texts = |charsmap: &[u8]| -> Option<usize> {
        let (length, rest) = charsmap.split_first_chunk::<4>()?;
        let (_, texts) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        texts.split(|&byte| byte == 0).map(<[u8]>::len).max()
    };
    STANDARD.decode(base64).ok().and_then(|charsmap| texts(&charsmap)).unwrap_or(1).max(1)
}

fn check(charsmap: &[u8]) -> Option<()> {
    let (length, rest) = charsmap.split_first_chunk::<4>()?;
    let (trie, texts) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    let texts = std::str::from_utf8(texts).ok()?;
    let (units, rest) = trie.as_chunks::<4>();
    let units: Vec<u32> = units.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
    if !rest.is_empty() {
        return None;
    }
    // Every node that some text leads to.
    let mut seen = vec![false; units.len()];
    let mut nodes = vec![offset(*units.first()?)];
    while let Some(node) = nodes.pop() {
        for byte in 1..256 {
            let child = node ^ byte;
            let unit = *units.get(child)?;
            if unit & (1 << 31 | 0xff) != byte as u32 || std::mem::replace(&mut seen[child], true) {
                continue;
            }
            let next = child ^ offset(unit);
            if unit & LEAF != 0 {
                let start = (units.get(next)? & !(1 << 31)) as usize;
                texts.get(start..)?;
            }
            nodes.push(next);
        }
    }
    Some(())
}

fn offset(unit: u32) -> usize {
    ((unit >> 10) as usize) << ((unit & (1 << 9)) >> 6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_point_nowhere_are_refused() {
        assert!(checked_base64(&[]).is_err());
        assert!(checked_base64(&[0, 0, 0, 0]).is_err());
        assert!(checked_base64(&[8, 0, 0, 0, 0, 0, 0, 0]).is_err());
        let mut one_node = 4_u32.to_le_bytes().to_vec();
        one_node.extend(u32::MAX.to_le_bytes());
        assert!(checked_base64(&one_node).is_err());
        let mut no_rule = (4 * 256_u32).to_le_bytes().to_vec();
        no_rule.resize(4 + 4 * 256, 0);
        let text = checked_base64(&no_rule).unwrap();
        assert!(text.starts_with("AAQAAAAA") && text.ends_with("AAA="), "{text}");
    }
}
