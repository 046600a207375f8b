//! Damaged files: each is refused in one line or opens as a checkpoint; nothing panics, nothing allocates what a header claims.
#![allow(missing_docs)]

mod common;

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
};

use common::gguf::gguf_of;
use common::gguf_write::{GgufValue, GgufWriter};
use common::{copy_of, error_of, fixture, open_and_read, save};
use laser_checkpoint::Checkpoint;

fn overwrite(path: &Path, at: usize, bytes: &[u8]) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(bytes).unwrap();
}

/// Changes each of the first `count` bytes of `file` in turn, and opens `checkpoint`. Gives how often that failed.
fn flip_each(file: &Path, checkpoint: &Path, count: usize) -> usize {
    let original = fs::read(file).unwrap();
    let mut failures = 0;
    for (at, &byte) in original.iter().enumerate().take(count) {
        for mask in [1 << (at % 8), 0xff] {
            overwrite(file, at, &[byte ^ mask]);
            failures += usize::from(open_and_read(checkpoint).is_err());
        }
        overwrite(file, at, &[byte]);
    }
    failures
}

fn truncate_often(file: &Path, checkpoint: &Path) {
    let original = fs::read(file).unwrap();
    for part in 0..40 {
        fs::write(file, &original[..original.len() * part / 40]).unwrap();
        error_of(checkpoint);
    }
    fs::write(file, &original[..original.len() - 1]).unwrap();
    error_of(checkpoint);
}

#[test]
fn a_truncated_safetensors_is_refused() {
    let folder = copy_of("llama");
    truncate_often(&folder.path().join("model.safetensors"), folder.path());
}

#[test]
fn a_flipped_safetensors_header_never_panics() {
    let folder = copy_of("qwen2");
    let file = folder.path().join("model.safetensors");
    let header = 8 + u64::from_le_bytes(fs::read(&file).unwrap()[..8].try_into().unwrap()) as usize;
    assert!(flip_each(&file, folder.path(), header) > header);
}

#[test]
fn a_truncated_gguf_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&gguf_of(&Checkpoint::open(&fixture("llama")).unwrap()), folder.path());
    truncate_often(&path, &path);
}

#[test]
fn a_flipped_gguf_header_never_panics() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&gguf_of(&Checkpoint::open(&fixture("qwen2")).unwrap()), folder.path());
    let bytes = fs::read(&path).unwrap();
    let last = b"blk.2.ffn_down.weight";
    let header = bytes.windows(last.len()).position(|window| window == last).unwrap() + last.len() + 32;
    assert!(flip_each(&path, &path, header) > header);
}

#[test]
fn a_flipped_exponent_is_named() {
    let folder = copy_of("llama");
    let file = folder.path().join("model.safetensors");
    let length = fs::metadata(&file).unwrap().len() as usize;
    // The last tensor is the final norm; its third value from the end becomes infinite.
    overwrite(&file, length - 12, &f32::INFINITY.to_le_bytes());
    let error = error_of(folder.path());
    assert!(error.contains("\"model.norm.weight\"") && error.contains("not finite at element 45"), "{error}");
}

#[test]
fn a_safetensors_header_that_claims_2_to_the_60_is_refused() {
    let folder = copy_of("llama");
    let file = folder.path().join("model.safetensors");
    let size = 1_u64 << 60;
    for header in [
        format!(r#"{{"lm_head.weight":{{"dtype":"F32","shape":[{size}],"data_offsets":[0,{}]}}}}"#, size * 4),
        format!(r#"{{"lm_head.weight":{{"dtype":"F32","shape":[{size},{size}],"data_offsets":[0,16]}}}}"#),
        format!(r#"{{"lm_head.weight":{{"dtype":"F32","shape":[{size}],"data_offsets":[0,16]}}}}"#),
    ] {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.extend([0; 16]);
        fs::write(&file, bytes).unwrap();
        assert!(error_of(folder.path()).contains("is damaged"));
    }
    fs::write(&file, size.to_le_bytes()).unwrap();
    assert!(error_of(folder.path()).contains("is damaged"));
}

#[test]
fn gguf_counts_of_2_to_the_60_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    let size = (1_u64 << 60).to_le_bytes();
    let mut counts = b"GGUF\x03\0\0\0".to_vec();
    let mut no_tensors = [counts.clone(), vec![0; 8]].concat();
    counts.extend(size);
    counts.extend([0; 8]);
    no_tensors.extend(size);
    // One metadata entry "k" that is a text, or an array of bytes or texts, of 2^60.
    let entry = |kind: &[u32]| {
        let mut bytes = b"GGUF\x03\0\0\0".to_vec();
        bytes.extend(0_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(1_u64.to_le_bytes());
        bytes.push(b'k');
        bytes.extend(kind.iter().flat_map(|word| word.to_le_bytes()));
        bytes.extend(size);
        bytes
    };
    let nested: Vec<u32> = [9].into_iter().chain([9, 1, 0].into_iter().cycle().take(300)).collect();
    for bytes in [counts, no_tensors, entry(&[8]), entry(&[9, 0]), entry(&[9, 8]), entry(&nested), entry(&[77])] {
        fs::write(&path, bytes).unwrap();
        assert!(error_of(&path).contains("is damaged"));
    }
    for shape in [vec![1 << 60], vec![1 << 60, 1 << 60], vec![1 << 31, 1 << 31]] {
        let mut gguf = GgufWriter::new();
        gguf.metadata("general.architecture", GgufValue::Text("llama".into()));
        gguf.floats("token_embd.weight", &[4], &[0.0; 4]);
        gguf.tensor("output.weight", &shape, laser_checkpoint::Precision::F32, vec![]);
        assert!(error_of(&save(&gguf, folder.path())).contains("more than the file holds"));
    }
    for (bytes, expected) in [
        (&b"GGML\x03\0\0\0"[..], "letters GGUF"),
        (b"GGUF\x01\0\0\0", "version 1"),
        (b"GGUF\0\0\0\x03", "big-endian"),
        (b"GGUF\x04\0\0\0", "version 4"),
    ] {
        fs::write(&path, bytes).unwrap();
        assert!(error_of(&path).contains(expected));
    }
}

#[test]
fn gguf_tensors_may_not_overlap_or_come_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut gguf = GgufWriter::new();
    gguf.floats("a", &[8], &[0.0; 8]).floats("b", &[8], &[0.0; 8]);
    let path = save(&gguf, folder.path());
    let bytes = fs::read(&path).unwrap();
    let name = bytes.windows(9).position(|window| window == b"\x01\0\0\0\0\0\0\0b").unwrap();
    overwrite(&path, name + 8, b"a");
    assert!(error_of(&path).contains("\"a\" comes twice"));
    overwrite(&path, name + 8, b"b");
    overwrite(&path, name + 9 + 4 + 8 + 4, &[0; 8]);
    assert!(error_of(&path).contains("overlap"));
}

#[test]
fn an_index_must_be_true() {
    let folder = copy_of("llama");
    let path = |name: &str| folder.path().join(name);
    fs::rename(path("model.safetensors"), path("a.safetensors")).unwrap();
    let index = |entries: &str| fs::write(path("model.safetensors.index.json"), entries).unwrap();
    for (entries, expected) in [
        ("{", "no JSON"),
        ("{}", "weight_map"),
        (r#"{"weight_map": {"model.norm.weight": "b.safetensors"}}"#, "shard \"b.safetensors\" is missing"),
        (r#"{"weight_map": {"model.norm.weight": "../a.safetensors"}}"#, "not a plain file name"),
        (r#"{"weight_map": {"model.norm.weight": ".."}}"#, "not a plain file name"),
    ] {
        index(entries);
        let error = error_of(folder.path());
        assert!(error.contains(expected), "{entries}: {error}");
    }
    // As in transformers, the shards say what they have.
    for entries in
        [r#"{"weight_map": {"model.norm.weight": "a.safetensors"}}"#, r#"{"weight_map": {"nothing": "a.safetensors"}}"#]
    {
        index(entries);
        open_and_read(folder.path()).unwrap();
    }
    fs::copy(path("a.safetensors"), path("b.safetensors")).unwrap();
    index(r#"{"weight_map": {"model.norm.weight": "b.safetensors", "lm_head.weight": "a.safetensors"}}"#);
    open_and_read(folder.path()).unwrap();
    let length = fs::metadata(path("b.safetensors")).unwrap().len() as usize;
    overwrite(&path("b.safetensors"), length - 12, &1_f32.to_le_bytes());
    assert!(error_of(folder.path()).contains("another shard, too, with other values"));
}

/// What is written to while it is read is noticed, whatever became of it.
#[test]
fn a_file_that_changes_under_its_reader_is_refused() {
    type Change = fn(&Path, &[u8]);
    let changes: [(&str, Change); 3] = [
        ("overwritten", |path, bytes| overwrite(path, bytes.len() - 4, &[0; 4])),
        ("cut", |path, bytes| fs::write(path, &bytes[..bytes.len() / 2]).unwrap()),
        ("longer", |path, _| OpenOptions::new().append(true).open(path).unwrap().write_all(b"x").unwrap()),
    ];
    for (what, change) in changes {
        let folder = copy_of("llama");
        let path = folder.path().join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        checkpoint.matrix(0, laser_edit::MatrixKind::FcIn).unwrap();
        // A clock's tick, by which the time of the change differs.
        std::thread::sleep(std::time::Duration::from_millis(20));
        change(&path, &bytes);
        let name = checkpoint.tensor_names()[0].to_owned();
        let stored = checkpoint.stored(&name).unwrap();
        let messages = [
            checkpoint.matrix(0, laser_edit::MatrixKind::FcIn).unwrap_err().to_string(),
            stored.pieces(|_| Ok::<(), laser_checkpoint::CheckpointError>(())).unwrap_err().to_string(),
            checkpoint.fingerprint().unwrap_err().to_string(),
        ];
        assert!(messages.iter().all(|message| message.contains("changed while")), "{what}: {messages:?}");
    }
    // Another file in its place does no harm to who reads the old one, but is not the one that was opened.
    let folder = copy_of("llama");
    let path = folder.path().join("model.safetensors");
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    fs::copy(&path, folder.path().join("new")).unwrap();
    fs::rename(folder.path().join("new"), &path).unwrap();
    checkpoint.matrix(0, laser_edit::MatrixKind::FcIn).unwrap();
    assert!(cfg!(not(unix)) || checkpoint.fingerprint().unwrap_err().to_string().contains("changed while"));
}
