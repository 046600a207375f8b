//! The same rows in every format, what Parquet has more, and files that are none of it.

use serde_json::{Value, json};

use super::*;
use crate::OnBadRow;
use laser_example::SplitMix64;

const SNAPPY: &[u8] = include_bytes!("../../tests/fixtures/data/same-snappy.parquet");
const NESTED: &[u8] = include_bytes!("../../tests/fixtures/data/nested.parquet");

fn source(name: &str, bytes: &[u8]) -> Source {
    Source { name: name.to_owned(), bytes: bytes.to_vec() }
}

/// The objects of a file.
fn objects(name: &str, bytes: &[u8]) -> Result<Vec<Value>, String> {
    let rows = rows(&source(name, bytes), &BadRows::new(OnBadRow::Error)).map_err(|error| error.to_string())?;
    Ok(rows.into_iter().map(|row| Value::Object(row.fields)).collect())
}

#[test]
fn every_format_gives_the_same_rows() {
    let same = json!([
        {"prompt": "The capital of France is", "answer": "Paris", "choices": ["Paris", "Rome"]},
        {"prompt": "Say \"no\",\nor é:", "answer": "no", "choices": ["yes", "no"]},
        {"prompt": "Tab\there:", "answer": "x", "choices": ["x", "y", "z"]},
    ]);
    let records = same.as_array().unwrap();
    let lines: Vec<String> = records.iter().map(Value::to_string).collect();
    let viewer: Vec<Value> =
        records.iter().enumerate().map(|(i, row)| json!({"row_idx": i, "row": row, "truncated_cells": []})).collect();
    let csv = "\u{feff}prompt,answer,choices\r\n\
        The capital of France is,Paris,\"[\"\"Paris\"\", \"\"Rome\"\"]\"\r\n\
        \r\n\
        \"Say \"\"no\"\",\nor é:\",no,\"[\"\"yes\"\", \"\"no\"\"]\"\r\n\
        Tab\there:,x,\"[\"\"x\"\",\"\"y\"\",\"\"z\"\"]\"";
    let tsv = "prompt\tanswer\tchoices\n\
        The capital of France is\tParis\t[\"Paris\", \"Rome\"]\n\
        \"Say \"\"no\"\",\nor é:\"\tno\t[\"yes\", \"no\"]\n\n\
        \"Tab\there:\"\tx\t[\"x\", \"y\", \"z\"]\n";
    for (name, bytes) in [
        ("a.jsonl", lines.join("\n").as_bytes()),
        ("a.NDJSON", lines.join("\r\n\n").as_bytes()),
        ("a.of/lines.txt", lines.join("\n").as_bytes()),
        ("a.json", format!("\u{feff}{same:#}").as_bytes()),
        ("a.json", json!({"name": "t", "version": {"data": [0]}, "examples": same}).to_string().as_bytes()),
        ("a.json", json!({"data": same, "rows": 3}).to_string().as_bytes()),
        ("a.json", json!({"features": [1], "rows": viewer, "num_rows_total": 3}).to_string().as_bytes()),
        ("a.json", json!({"rows": same}).to_string().as_bytes()),
        ("a.csv", csv.as_bytes()),
        ("a.tsv", tsv.as_bytes()),
        ("a.parquet", SNAPPY),
        ("a.parquet", include_bytes!("../../tests/fixtures/data/same-none.parquet")),
        ("a.parquet", include_bytes!("../../tests/fixtures/data/same-zstd.parquet")),
        ("a.parquet", include_bytes!("../../tests/fixtures/data/same-gzip.parquet")),
        ("a.parquet", include_bytes!("../../tests/fixtures/data/same-lz4.parquet")),
        ("a.parquet", include_bytes!("../../tests/fixtures/data/same-brotli.parquet")),
    ] {
        assert_eq!(objects(name, bytes).as_ref(), Ok(records), "{name} {}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn parquet_keeps_types_and_nesting() {
    let expected = json!([
        {
            "question": "Is it?", "mc2_targets": {"choices": ["yes", "no"], "labels": [1, 0]},
            "parts": [{"n": 1, "text": "one"}, {"n": 2, "text": null}], "matrix": [[1, 2], [3]], "counts": {"x": 1},
            "true": true, "big": i64::MAX, "unsigned": u64::MAX, "score": 0.5, "day": "2024-02-29", "price": "-1.50",
            "bytes": "AP8=", "kind": "a", "none": null,
        },
        {
            "question": "Was it?", "mc2_targets": {"choices": ["a", null, "c"], "labels": [0, 0, 1]},
            "parts": [], "matrix": [[]], "counts": {"x": 1, "y": null},
            "true": false, "big": i64::MIN, "unsigned": 0, "score": -1e300, "day": null, "price": null,
            "bytes": "dGV4dA==", "kind": "b", "none": null,
        },
        {
            "question": "Is it?", "mc2_targets": {"choices": [], "labels": null},
            "parts": null, "matrix": [], "counts": {},
            "true": null, "big": 0, "unsigned": 1, "score": null, "day": null, "price": null,
            "bytes": "", "kind": "a", "none": null,
        },
        {
            "question": null, "mc2_targets": null,
            "parts": [null], "matrix": null, "counts": null,
            "true": true, "big": null, "unsigned": null, "score": null, "day": null, "price": null,
            "bytes": null, "kind": null, "none": null,
        },
    ]);
    assert_eq!(objects("a.parquet", NESTED).as_ref(), Ok(expected.as_array().unwrap()));
}

#[test]
fn a_csv_value_is_text_or_a_list() {
    let expected = json!([{"a": "1", "b": "", "c": "[x]", "d": "{}", "e": [1, ["y", null]], "f": " [1]", "g": "[1, {\"a\":1,\"a\":2}]"}]);
    let csv = "a,b,c,d,e,f,g\n1,,[x],{},\"[1, [\"\"y\"\", null]]\",\" [1]\",\"[1, {\"\"a\"\":1,\"\"a\"\":2}]\"\n";
    assert_eq!(objects("a.csv", csv.as_bytes()).as_ref(), Ok(expected.as_array().unwrap()));
}

#[test]
fn a_row_knows_its_place() {
    let places = |name: &str, bytes: &[u8]| -> Vec<(RowLocation, String)> {
        rows(&source(name, bytes), &BadRows::new(OnBadRow::Error))
            .unwrap()
            .iter()
            .map(|row| (row.place, row.default_id()))
            .collect()
    };
    let line = |line, id: &str| (RowLocation::Line(line), id.to_owned());
    let record = |record, id: &str| (RowLocation::Record(record), id.to_owned());
    assert_eq!(places("a.jsonl", b"{}\n\n{}"), [line(1, "0"), line(3, "2")]);
    assert_eq!(places("a.json", b"[{},\n\n{}]"), [record(1, "0"), record(2, "1")]);
    for end in ["\n", "\r\n"] {
        let text = ["", "a,b", "1,2", "", "", "\"1", "1\",2", "3,4", ""].join(end);
        assert_eq!(places("a.csv", text.as_bytes()), [line(3, "0"), line(6, "1"), line(8, "2")]);
    }
    assert_eq!(places("a.parquet", SNAPPY), [record(1, "0"), record(2, "1"), record(3, "2")]);
}

#[test]
fn a_malformed_file_is_refused_in_one_line() {
    let shapes = "write a list of objects, or an object with one such list under data, examples or rows";
    let columns = "write one for each, in quotes where it contains the separator";
    let again = "write or fetch the file again";
    let cases: &[(&str, &[u8], String)] = &[
        ("a", b"{}", "a: its name does not say what it is: let it end in .jsonl, .json, .csv, .tsv or .parquet".into()),
        (
            "a.txt",
            b"a b",
            "a.txt:1: invalid JSON at column 1: expected value: write one JSON object on each line".into(),
        ),
        (
            "a.jsonl",
            b"{\"a\": {\"b\": 1, \"b\": 1}}",
            "a.jsonl:1: the key `b` is there twice: write one JSON object on each line, each key once".into(),
        ),
        ("a.json", b"", "a.json:1: invalid JSON at column 0: EOF while parsing a value: correct it".into()),
        ("a.json", b"[{\n}, \xff]", "a.json: invalid UTF-8: save the file as UTF-8".into()),
        ("a.json", b"[]", "a.json: no records: write at least one".into()),
        ("a.json", b"[\n{},\n{]", "a.json:3: invalid JSON at column 2: key must be a string: correct it".into()),
        ("a.json", b"[{\"a\": NaN}]", "a.json:1: invalid JSON at column 8: expected value: correct it".into()),
        ("a.json", b"{}\n{}", "a.json:2: invalid JSON at column 1: trailing characters: correct it".into()),
        (
            "a.json",
            b"[{},\n{\"a\": [{\"b\\n\": 1, \"b\\n\": 2}]}]",
            "a.json:2: invalid JSON at column 23: the key `b\\n` is there twice: correct it".into(),
        ),
        ("a.json", b"3", format!("a.json: a number and no records: {shapes}")),
        ("a.json", b"{\"0\": {}}", format!("a.json: an object that has no list of records: {shapes}")),
        ("a.json", b"{\"data\": {\"0\": []}}", format!("a.json: an object that has no list of records: {shapes}")),
        (
            "a.json",
            b"{\"data\": [{}], \"rows\": [{}]}",
            format!("a.json: an object with more than one list of records: data, rows: {shapes}"),
        ),
        ("a.json", b"[{}, [1]]", format!("a.json: record 2: a list and no object: {shapes}")),
        (
            "a.json",
            b"{\"rows\": [{\"row\": {}, \"truncated_cells\": [\"a\", \"b\"]}]}",
            "a.json: record 1: the hub has cut `a`, `b` short: fetch the data set's Parquet file".into(),
        ),
        ("a.csv", b"", "a.csv: no records: write at least one".into()),
        ("a.csv", b"\xef\xbb\xbfa,b\r\n\r\n", "a.csv: no records: write at least one".into()),
        ("a.csv", b"a,b\n\n1,2\n3\n", format!("a.csv:4: 1 values for 2 columns: {columns}")),
        ("a.csv", b"a,b\r\n1,\"2\r\n\"\r\n1,2,3", format!("a.csv:4: 3 values for 2 columns: {columns}")),
        ("a.tsv", b"a\tb\n1,2\n", format!("a.tsv:2: 1 values for 2 columns: {columns}")),
        ("a.csv", b"\na,b,a\n1,2,3", "a.csv:2: the column `a` is there twice: give every column its own name".into()),
        ("a.csv", b"a, ,b\n1,2,3", "a.csv:1: column 2 has no name: name every column on the first line".into()),
        ("a.csv", b"a,b\n1,2\n\n3,\xff\n", "a.csv:4: invalid UTF-8: save the file as UTF-8".into()),
        (
            "a.csv",
            b"a,b\n1,2\n3,\"4\n5,6\n7,8\n",
            "a.csv:3: a quote is opened and not closed: close it, and write a quote inside of quotes twice".into(),
        ),
        (
            "a.parquet",
            b"",
            format!("a.parquet: cannot be read as Parquet: Parquet file too small. Size is 0 but need 8: {again}"),
        ),
        (
            "a.parquet",
            b"{\"prompt\": 1}",
            format!("a.parquet: cannot be read as Parquet: Invalid Parquet file. Corrupt footer: {again}"),
        ),
        (
            "a.parquet",
            include_bytes!("../../tests/fixtures/data/twice.parquet"),
            "a.parquet: the column `a` is there twice: give every column its own name".into(),
        ),
        (
            "a.parquet",
            include_bytes!("../../tests/fixtures/data/empty.parquet"),
            "a.parquet: no records: write at least one".into(),
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(&objects(name, bytes).unwrap_err(), expected);
    }
}

#[test]
fn damaged_parquet_is_an_error() {
    for whole in [SNAPPY, NESTED] {
        for length in 0..whole.len() {
            objects("a.parquet", &whole[..length]).unwrap_err();
        }
        let mut random = SplitMix64::new(0);
        for _ in 0..2000 {
            let mut bytes = whole.to_vec();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << random.below(8);
            }
            // What is damaged may be a letter of a text.
            if let Err(error) = objects("a.parquet", &bytes) {
                assert!(error.starts_with("a.parquet: ") && !error.contains('\n') && error.len() < 900, "{error}");
            }
        }
    }
}

#[test]
fn a_row_of_very_much_text_is_refused() {
    let text = "a".repeat(33 << 20);
    for (name, file) in [
        ("a.jsonl", format!("{{}}\n{{\"a\":\"{text}\"}}")),
        ("a.json", format!("[{{}}, {{\"a\": [\"{text}\"]}}]")),
        ("a.csv", format!("a\n1\n{text}\n")),
    ] {
        let error = objects(name, file.as_bytes()).unwrap_err();
        assert!(error.contains("a row of more than 33554432 bytes") && error.len() < 200, "{name}");
    }
}

#[test]
fn parquet_that_makes_much_of_little_is_refused() {
    let error = objects("a.parquet", include_bytes!("../../tests/fixtures/data/bomb.parquet")).unwrap_err();
    assert!(error.starts_with("a.parquet: ") && error.contains("too many for a file of 247"), "{error}");
}
