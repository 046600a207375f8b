//! Files that PyTorch wrote (`tests/pytorch/make.py`), damaged ones, and ones that want something
//! else than tensors.

use std::{borrow::Cow, fs, path::Path};

use proptest::prelude::*;

use super::{INDEX, SINGLE, file::tensors};
use crate::{
    CheckpointError, Precision,
    sharded_weights::ShardedWeights,
    weight_file::{TensorEntry, WeightFile},
};

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pytorch").join(name)).unwrap()
}

fn folder_of(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

fn open(bytes: &[u8]) -> Result<ShardedWeights, CheckpointError> {
    ShardedWeights::open(folder_of(&[(SINGLE, bytes)]).path())
}

/// The error's text, which must be one line.
fn error_of(bytes: &[u8]) -> String {
    let error = open(bytes).unwrap_err().to_string();
    assert!(!error.contains('\n'), "{error}");
    error
}

fn values(files: &ShardedWeights, name: &str) -> Vec<f32> {
    let tensor = files.tensor(name).unwrap();
    tensor.precision().unwrap().decode(&tensor.bytes())
}

fn is_borrowed(files: &ShardedWeights, name: &str) -> bool {
    matches!(files.tensor(name).unwrap().bytes(), Cow::Borrowed(_))
}

/// What `make.py` puts into its files.
fn check_tensors(files: &ShardedWeights) {
    let shape = |name: &str| files.tensor(name).unwrap().shape();
    let grid: Vec<f32> = (0..12).map(|index| index as f32 - 5.5).collect();
    for (name, precision) in [("f32", Precision::F32), ("f16", Precision::F16), ("bf16", Precision::BF16)] {
        assert_eq!(shape(name), [3, 4]);
        assert_eq!(files.tensor(name).unwrap().precision().unwrap(), precision);
        assert_eq!(values(files, name), grid);
        assert!(is_borrowed(files, name));
    }
    assert_eq!(shape("transposed"), [4, 3]);
    assert_eq!(values(files, "transposed"), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map(|index| grid[index]));
    assert!(!is_borrowed(files, "transposed"));
    assert_eq!(shape("offset"), [2, 4]);
    assert_eq!(values(files, "offset"), grid[4..]);
    assert!(is_borrowed(files, "offset"));
    assert_eq!(values(files, "corner"), [6, 7, 10, 11].map(|index| grid[index]));

    let cube = |block, row, column| (12 * block + 4 * row + column) as f32;
    let mut permuted = Vec::new();
    for column in 0..4 {
        for block in 0..2 {
            permuted.extend((0..3).map(|row| cube(block, row, column)));
        }
    }
    assert_eq!(shape("permuted"), [4, 2, 3]);
    assert_eq!(values(files, "permuted"), permuted);
    assert_eq!(shape("every_second"), [2, 2, 2]);
    assert_eq!(values(files, "every_second"), [1.0, 2.0, 9.0, 10.0, 13.0, 14.0, 21.0, 22.0]);

    let embedding: Vec<f32> = (0..10).map(|index| index as f32 / 4.0).collect();
    for tied in ["embed.weight", "head.weight"] {
        assert_eq!(shape(tied), [5, 2]);
        assert_eq!(values(files, tied), embedding);
    }
    assert_eq!(values(files, "parameter"), [1.0, 2.0]);
    assert_eq!((shape("scalar"), values(files, "scalar")), (&[][..], vec![2.5]));
    assert_eq!((shape("empty"), values(files, "empty")), (&[0, 3][..], vec![]));
    assert_eq!(shape("f64"), [1]);
    assert!(files.tensor("f64").unwrap().precision().is_ok());
    for (name, found, shape) in [("i64", "I64", &[1, 3][..]), ("mask", "BOOL", &[1, 2])] {
        let tensor = files.tensor(name).unwrap();
        assert!(tensor.precision().unwrap_err().to_string().contains(&format!("has type {found}")), "{found}");
        assert_eq!(tensor.shape(), shape);
    }
    assert_eq!(files.names().len(), 16);
    assert!(files.tensor("steps").is_none());
}

#[test]
fn both_containers_and_a_later_protocol_give_the_same_tensors() {
    for name in ["tensors-zip.bin", "tensors-legacy.bin", "protocol4-zip.bin"] {
        let folder = folder_of(&[(SINGLE, &fixture(name))]);
        let files = ShardedWeights::open(folder.path()).unwrap();
        check_tensors(&files);
        assert_eq!(files.listing(), folder.path().join(SINGLE));
        assert_eq!(files.paths(), [files.listing()]);
        assert_eq!(files.tensor("f32").unwrap().path(), files.listing());
    }
}

#[test]
fn anything_but_tensors_is_named_and_not_run() {
    for (name, asked) in [
        ("evil-zip.bin", "\"posix.system\""),
        ("evil-legacy.bin", "\"posix.system\""),
        ("module-zip.bin", "\"torch.nn.modules.linear.Linear\""),
    ] {
        let error = error_of(&fixture(name));
        assert!(error.contains(asked) && error.contains("nothing was run") && error.contains("safetensors"), "{error}");
    }
    // A bare pickle, as in `pickle.dumps`: the module and the function may also come from the
    // stack.
    for pickle in [&b"cbuiltins\neval\n(X\x01\x00\x00\x001tR."[..], b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93."] {
        assert!(error_of(pickle).contains("\"builtins.eval\""));
    }
    // A name from a file can neither break the line nor fill the screen.
    let error = error_of(&[b"c\x1b[2J\rx\n", &[b'y'; 5000][..], b"\n."].concat());
    assert!(error.contains(r"\u{1b}[2J\rx.yyy") && error.len() < 600, "{error}");
}

#[test]
fn a_training_checkpoint_says_where_its_tensors_are() {
    for name in ["nested-zip.bin", "nested-legacy.bin"] {
        let error = error_of(&fixture(name));
        assert!(error.contains("only [\"epoch\", \"state_dict\"]: save the model's state_dict alone"), "{error}");
    }
}

#[test]
fn other_files_are_refused() {
    for bytes in [&b"version https://git-lfs.github.com/spec/v1\n"[..], b"\x93NUMPY", b"\x80\x02.", b"PK\x03\x04"] {
        assert!(error_of(bytes).contains("is damaged"));
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(ShardedWeights::open(folder.path()).unwrap_err().to_string().contains("pytorch_model.bin.index.json"));
}

#[test]
fn shards_are_read_under_their_index() {
    let index = |text: &str| {
        let (tensors, one) = (fixture("tensors-zip.bin"), one_tensor(b"K\x00", b"K\x02\x85", b"K\x01\x85"));
        folder_of(&[("a.bin", &tensors), ("b.bin", &one), (INDEX, text.as_bytes())])
    };
    let folder = index(r#"{"metadata": {}, "weight_map": {"f32": "a.bin", "w": "b.bin"}}"#);
    let files = ShardedWeights::open(folder.path()).unwrap();
    assert_eq!(files.listing(), folder.path().join(INDEX));
    assert_eq!(files.paths(), ["a.bin", "b.bin", INDEX].map(|name| folder.path().join(name)));
    assert_eq!(files.tensor("w").unwrap().path(), folder.path().join("b.bin"));
    assert_eq!(values(&files, "w"), [1.0, 2.0]);
    for (text, expected) in [
        ("{", "no JSON"),
        (r#"{"weight_map": {"f32": "c.bin"}}"#, "shard \"c.bin\" is missing"),
        (r#"{"weight_map": {"f32": "../a.bin"}}"#, "not a plain file name"),
    ] {
        let error = ShardedWeights::open(index(text).path()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let (one, index) = (fixture("tensors-zip.bin"), r#"{"weight_map": {"f32": "a.bin", "f16": "b.bin"}}"#);
    let twice = folder_of(&[("a.bin", &one), ("b.bin", &one), (INDEX, index.as_bytes())]);
    assert_eq!(ShardedWeights::open(twice.path()).unwrap().names().len(), 16);
}

/// A legacy file's beginning: magic number, version, machine.
const HEAD: &[u8] =
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";

/// A legacy file around a pickle, with storage "0" of the four elements 1, 2, 3 and 4.
fn legacy_around(pickle: &[u8]) -> Vec<u8> {
    let storage: Vec<u8> = [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    [HEAD, pickle, b"\x80\x02](X\x01\x00\x00\x000e.", &4_i64.to_le_bytes(), &storage].concat()
}

/// The same with a tensor "w"; the arguments are opcodes.
fn one_tensor(offset: &[u8], shape: &[u8], strides: &[u8]) -> Vec<u8> {
    let storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04NtQ";
    let call = [b"ctorch._utils\n_rebuild_tensor\n(", &storage[..], offset, shape, strides, b"tR"].concat();
    legacy_around(&[b"\x80\x02}U\x01w", &call[..], b"s."].concat())
}

#[test]
fn a_view_must_lie_in_its_storage() {
    open(&one_tensor(b"K\x00", b"K\x04\x85", b"K\x01\x85")).unwrap();
    let far = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
    let far_shape = [&far[..], far, b"\x86"].concat();
    for (offset, shape, strides) in [
        (&b"K\x01"[..], &b"K\x04\x85"[..], &b"K\x01\x85"[..]),
        (b"K\x04", b")", b")"),
        (b"K\x00", b"K\x03\x85", b"K\x02\x85"),
        // Strides of 0 would make a large tensor of a small storage.
        (b"K\x00", b"J\x00\x00\x00\x40\x85", b"K\x00\x85"),
        (b"K\x00", b"K\x02K\x02\x86", b"K\x01\x85"),
        (b"K\x00", &far_shape, b"K\x00K\x00\x86"),
        (b"K\x00", b"K\x02K\x02\x86", &far_shape),
        (far, b"K\x02\x85", b"K\x01\x85"),
    ] {
        let error = error_of(&one_tensor(offset, shape, strides));
        assert!(error.contains("tensor \"w\"") && error.contains("more than storage \"0\" holds"), "{error}");
    }
    assert!(error_of(&one_tensor(b"J\xff\xff\xff\xff", b")", b")")).contains("-1 where a size belongs"));
}

#[test]
fn entries_may_come_as_a_list_of_pairs_and_storages_in_parts() {
    // OrderedDict([["w", tensor]]), as Python 2 writes it; the storage is elements 1 and 2 of
    // storage "0".
    let storage = b"(U\x07storagectorch\nFloatStorage\nU\x010U\x03cpuK\x04(U\x011K\x01K\x02ttQ";
    let tensor = [b"ctorch._utils\n_rebuild_tensor\n(", &storage[..], b"K\x00K\x02\x85K\x01\x85tR"].concat();
    let pickle = [b"\x80\x02ccollections\nOrderedDict\n](](U\x01w", &tensor[..], b"ee\x85R."].concat();
    assert_eq!(values(&open(&legacy_around(&pickle)).unwrap(), "w"), [2.0, 3.0]);
}

#[test]
fn a_hostile_pickle_costs_little() {
    let around = |middle: &[u8]| error_of(&legacy_around(&[b"\x80\x02", middle, b"."].concat()));
    // A million tuples in each other, and a list in itself: neither overflows the stack.
    assert!(around(&[b")", &[0x85; 1_000_000][..]].concat()).contains("storage that no tensor has"));
    assert!(around(b"]q\x00h\x00a").contains("storage that no tensor has"));
    // A large list of pairs, made into a dictionary again and again.
    let pairs = [b"](".as_slice(), &b"NN\x86".repeat(100_000), b"e\x85q\x00"].concat();
    let again = b"ccollections\nOrderedDict\nh\x00R".repeat(1000);
    assert!(around(&[pairs, again].concat()).contains("more than 8388608 steps"));
    assert!(around(&b"N0".repeat(4_500_000)).contains("more than 8388608 steps"));
    for held in [b"N".as_slice(), b"}", b")", b"N\x94\x94\x94"] {
        assert!(around(&held.repeat(4_200_000)).contains("more than 4194304 values"), "{held:?}");
    }
    assert!(around(b"X\xff\xff\xff\x7f").contains("a text of 2147483647 bytes"));
    assert!(around(&[b"\x8a\x20".as_slice(), &[1; 32]].concat()).contains("a number of 32 bytes"));
    assert!(around(b"\x8a\xff").contains("ends too early"));
    for (middle, expected) in [
        (&b"0"[..], "empty stack"),
        (b"N(0", "empty stack"),
        (b"t", "mark that was not set"),
        (b"h\x07", "value 7, which was not kept"),
        (b"}Ns", "empty stack"),
        (b"}(Nu", "a key without a value"),
        (b"]NNs", "not a dictionary"),
        (b"}Na", "not a list"),
        (b"NNb", "not a dictionary"),
        (b"N)R", "not a function"),
        (b"ctorch\nSize\nNR", "tuple of arguments"),
        (b"NQ", "not a storage"),
        (b"\xff", "opcode 0xff"),
        (b"\x80\x09", "version 9"),
        (b"X\x01\x00\x00\x00\xff", "no UTF-8"),
    ] {
        let error = around(middle);
        assert!(error.contains(expected), "{middle:?}: {error}");
    }
}

/// Reads every tensor, where the file can be read: whatever it gives, it may not panic.
fn read_all(file: &[u8]) -> bool {
    let Ok(found) = tensors(file) else { return false };
    for TensorEntry { shape, bytes, .. } in &found {
        let count: usize = shape.iter().product();
        let bytes = bytes.of(shape, file);
        assert!(bytes.len() <= file.len() && bytes.len().is_multiple_of(count.max(1)));
    }
    true
}

#[test]
fn a_damaged_file_never_panics() {
    for name in ["tensors-zip.bin", "tensors-legacy.bin"] {
        let mut file = fixture(name);
        let mut failures = 0;
        for at in 0..file.len() {
            for mask in [1 << (at % 8), 0xff] {
                file[at] ^= mask;
                failures += usize::from(!read_all(&file));
                file[at] ^= mask;
            }
        }
        assert!(failures > 500, "{name}: {failures}");
        for length in 0..file.len() {
            assert!(!read_all(&file[..length]), "{name} cut to {length} bytes");
        }
    }
}

proptest! {
    #![proptest_config(laser_testing::cases())]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
        for bytes in [bytes.clone(), legacy_around(&bytes), [b"PK\x03\x04", &bytes[..]].concat()] {
            read_all(&bytes);
        }
    }
}
