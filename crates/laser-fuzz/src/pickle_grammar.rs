//! Pickles of opcodes that mean something: programs of tensors, dictionaries and calls.

use crate::{choices::Choices, mutation};

/// A legacy file's beginning: magic number, version, machine.
const HEAD: &[u8] =
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";

const STORAGE: &[u8] = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04NtQ";

const OPCODES: &[&[u8]] = &[
    b"(",
    b")",
    b"t",
    b"\x85",
    b"\x86",
    b"\x87",
    b"]",
    b"}",
    b"a",
    b"e",
    b"s",
    b"u",
    b"d",
    b"l",
    b"0",
    b"1",
    b"2",
    b"N",
    b"\x88",
    b"\x89",
    b"K\x00",
    b"K\x02",
    b"M\x00\x10",
    b"J\xff\xff\xff\xff",
    b"\x8a\x00",
    b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"q\x00",
    b"h\x00",
    b"q\x01",
    b"h\x01",
    b"\x94",
    b"U\x01w",
    b"U\x02vv",
    b"U\x07storage",
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"ctorch._utils\n_rebuild_parameter\n",
    b"ccollections\nOrderedDict\n",
    b"ctorch\nSize\n",
    STORAGE,
    b"R",
    b"Q",
    b"b",
    b"\x8c\x01w",
    b"\x93",
    b"\x8f",
    b"\x90",
    b"\x95\x10\x00\x00\x00\x00\x00\x00\x00",
    b".",
];

/// A legacy file around a program, or another file with some opcodes put in.
pub(crate) fn pickle(input: &[u8], choices: &mut Choices) -> Vec<u8> {
    let mut program: Vec<u8> = b"\x80\x02}".to_vec();
    while choices.goes_on() {
        match choices.rule(1, 6) {
            0 => program.extend(*choices.pick(OPCODES)),
            1 => program.extend(choices.pick(OPCODES).repeat(choices.times())),
            _ => program.extend(tensor(choices)),
        }
    }
    program.push(b'.');
    if choices.once_in(5) {
        let at = choices.below(input.len() + 1);
        return [&input[..at], &program, &input[at..]].concat();
    }
    let elements: u64 = if choices.once_in(8) { choices.integer() as u64 } else { 4 };
    let storage: Vec<u8> = (1..=4u8).flat_map(|value| f32::from(value).to_le_bytes()).collect();
    let file = [HEAD, &program, b"\x80\x02](X\x01\x00\x00\x000e.", &elements.to_le_bytes(), &storage].concat();
    if choices.once_in(4) { mutation::reshaped(&file, choices) } else { file }
}

/// `w = _rebuild_tensor(storage, offset, shape, strides)`, whose numbers may lie.
fn tensor(choices: &mut Choices) -> Vec<u8> {
    let size = |choices: &mut Choices| match choices.below(8) {
        0 => [b"\x8a\x08", &(choices.integer() as i64).to_le_bytes()[..]].concat(),
        1 => [b"J", &(choices.integer() as i32).to_le_bytes()[..]].concat(),
        _ => vec![b'K', choices.below(4) as u8],
    };
    let sizes = |choices: &mut Choices| {
        let count = choices.below(4);
        let mut sizes = b"(".to_vec();
        for _ in 0..count {
            sizes.extend(size(choices));
        }
        sizes.push(b't');
        sizes
    };
    let name = format!("w{}", choices.below(3));
    let (offset, shape, strides) = (size(choices), sizes(choices), sizes(choices));
    let name = [&[b'U', name.len() as u8], name.as_bytes()].concat();
    [&name[..], b"ctorch._utils\n_rebuild_tensor\n(", STORAGE, &offset, &shape, &strides, b"tRs"].concat()
}
