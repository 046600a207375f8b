//! Folders whose tokenizer files contradict each other, or say in one what another lacks, against
//! the ids of transformers 5 (`interop/tokenizer_cases.py` makes contradictions.json).

#![allow(missing_docs)]

use std::{fs, path::Path};

use laser_tokenizer::Tokenizer;
use serde_json::{Value, json};

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn folder_of(case: &Value, pieces: &Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = match case["base"].as_str().unwrap() {
        "pieces" => pieces.clone(),
        _ => read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/llama/tokenizer.json")),
    };
    whole.as_object_mut().unwrap().extend(case["json"].as_object().unwrap().clone());
    let write = |name: &str, content: &Value| fs::write(folder.path().join(name), content.to_string()).unwrap();
    write("tokenizer.json", &whole);
    write("config.json", &json!({"model_type": case["model_type"]}));
    case["files"].as_object().unwrap().iter().for_each(|(name, content)| write(name, content));
    folder
}

#[test]
fn ids_are_those_of_transformers_whatever_the_files_say() {
    let file = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contradictions.json"));
    let texts: Vec<String> = serde_json::from_value(file["texts"].clone()).unwrap();
    let mut wrong = Vec::new();
    for case in file["cases"].as_array().unwrap() {
        let folder = folder_of(case, &file["pieces"]);
        let tokenizer = Tokenizer::open(folder.path(), None).unwrap();
        let ids: Vec<Vec<u32>> = texts.iter().map(|text| tokenizer.encode_text(text).unwrap()).collect();
        let expected: Vec<Vec<u32>> = serde_json::from_value(case["ids"].clone()).unwrap();
        for ((text, ids), expected) in
            texts.iter().zip(&ids).zip(&expected).filter(|((_, ids), expected)| ids != expected)
        {
            wrong.push(format!("{}: {text:?}: {ids:?}, but transformers gives {expected:?}", case["name"]));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_is_decided_against_a_file_is_told() {
    let file = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contradictions.json"));
    let notes = |name: &str| {
        let case = file["cases"].as_array().unwrap().iter().find(|case| case["name"] == name).unwrap();
        Tokenizer::open(folder_of(case, &file["pieces"]).path(), None).unwrap().notes().to_vec()
    };
    assert_eq!(notes("decoder_PreTrainedTokenizerFast"), [""; 0]);
    let gaps = notes("decoder_gaps");
    assert!(gaps.len() == 2 && gaps[0].contains("\"<other>\" the id 403: it has 400, as in transformers"), "{gaps:?}");
    let bos = notes("pieces_LlamaTokenizer_add_bos_token_False");
    assert!(bos.len() == 1 && bos[0].contains("add_bos_token is false (LlamaTokenizer)"), "{bos:?}");
    assert_eq!(notes("no_bos_PreTrainedTokenizerFast"), [""; 0]);
}
