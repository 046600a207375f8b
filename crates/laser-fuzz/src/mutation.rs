//! Inputs made from others by bytes, for where no coverage-guided fuzzer runs.

use crate::{Target, choices::Choices};

/// A new input of a target from `input` and `other`: by its structure or by bytes.
pub fn mutated(target: &Target, input: &[u8], other: &[u8], choices: &mut Choices) -> Vec<u8> {
    match choices.below(4) {
        0 => (target.reshape)(input, choices),
        1 => by_bytes(&(target.reshape)(input, choices), other, choices),
        _ => by_bytes(input, other, choices),
    }
}

/// For formats without a structure of their own here.
pub(crate) fn reshaped(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    by_bytes(input, input, choices)
}

/// No input grows beyond so many bytes.
const LONGEST: usize = 1 << 18;

fn by_bytes(input: &[u8], other: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=choices.below(6) {
        let at = choices.below(bytes.len() + 1);
        let length = choices.below(32).min(bytes.len() - at);
        match choices.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << choices.below(8),
            1 if at < bytes.len() => bytes[at] = choices.number() as u8,
            2 => drop(bytes.drain(at..at + length)),
            3 => bytes.insert(at, choices.number() as u8),
            4 => {
                // A number near a limit, in either order of bytes and any width.
                let width = [1, 2, 4, 8][choices.below(4)];
                let number = (choices.integer() as u64).to_le_bytes();
                for (offset, byte) in number[..width].iter().enumerate() {
                    if let Some(place) = bytes.get_mut(at + offset) {
                        *place = *byte;
                    }
                }
            }
            5 => {
                let piece = bytes[at..at + length].repeat(choices.times());
                bytes.splice(at..at, piece);
            }
            6 => {
                let from = choices.below(other.len() + 1);
                let until = from + choices.below(64).min(other.len() - from);
                bytes.splice(at..at + length, other[from..until].iter().copied());
            }
            7 => bytes.truncate(at),
            _ => {
                let text = choices.integer().to_string();
                bytes.splice(at..at + length.min(4), text.into_bytes());
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}
