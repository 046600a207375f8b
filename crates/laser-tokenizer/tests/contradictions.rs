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

/// A folder with the llama fixture's tokenizer.json, its class, and what is said of its special tokens.
fn llama_as(class: &str, tokens: Value, change: impl Fn(&mut Value)) -> Result<Tokenizer, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/llama/tokenizer.json"));
    change(&mut whole);
    let mut config =
        json!({"tokenizer_class": class, "chat_template": "{{ bos_token }}|{{ eos_token }}|{{ messages[0].content }}"});
    config.as_object_mut().unwrap().extend(tokens.as_object().unwrap().clone());
    fs::write(folder.path().join("tokenizer.json"), whole.to_string()).unwrap();
    fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    fs::write(folder.path().join("config.json"), "{}").unwrap();
    Tokenizer::open(folder.path(), None).map_err(|error| error.to_string())
}

/// As transformers 5 has `bos_token` and `eos_token`: those that files name, and in a class of its own those of the class.
#[test]
fn special_tokens_are_those_that_a_file_or_the_class_names() {
    let names = |class: &str, tokens: Value| llama_as(class, tokens, |_| {}).unwrap().chat("a").unwrap();
    assert_eq!(names("PreTrainedTokenizerFast", json!({})), "||a");
    assert_eq!(names("PreTrainedTokenizerFast", json!({"eos_token": "</s>"})), "|</s>|a");
    assert_eq!(names("LlamaTokenizer", json!({})), "||a");
    assert_eq!(names("GPT2Tokenizer", json!({"eos_token": "</s>"})), "<|endoftext|>|</s>|a");
    assert_eq!(names("Qwen2Tokenizer", json!({})), "|<|endoftext|>|a");
    let plain = llama_as("PreTrainedTokenizerFast", json!({}), |_| {}).unwrap();
    assert!(plain.prefix_token().unwrap_err().to_string().contains("no BOS or EOS token"));
}

/// Most of these made the library panic.
#[test]
fn a_tokenizer_json_that_the_library_asserts_about_is_an_error_of_one_line() {
    let replace = json!({"type": "Replace", "pattern": {"String": ""}, "content": "x"});
    let charsmap = json!({"type": "Precompiled", "precompiled_charsmap": "/////wAAAAAAAAAA"});
    let template = json!({
        "type": "TemplateProcessing", "pair": [], "special_tokens": {},
        "single": [{"SpecialToken": {"id": "<none>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
    });
    let cases = [
        ("normalizer", replace),
        ("normalizer", charsmap),
        ("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": ""})),
        ("normalizer", json!({"type": "Precompiled", "precompiled_charsmap": "CAAAAAEAAAACAAAAAA=="})),
        ("post_processor", template),
        ("pre_tokenizer", json!({"type": "FixedLength", "length": 0})),
        ("decoder", json!({"type": "Strip", "content": "a", "start": 9, "stop": 9})),
        ("decoder", json!({"type": "WordPiece", "prefix": "", "cleanup": true})),
        ("model", json!({"type": "Unigram", "unk_id": 9, "vocab": [["a", 0.0]]})),
        (
            "model",
            json!({"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "", "max_input_chars_per_word": 0, "vocab": {}}),
        ),
        ("model", json!({"type": "BPE", "vocab": {"a": 4294967295u32}, "merges": []})),
        ("truncation", json!({"direction": "Right", "max_length": 0, "strategy": "LongestFirst", "stride": 9})),
        (
            "padding",
            json!({"strategy": {"Fixed": 9}, "direction": "Left", "pad_to_multiple_of": 0, "pad_id": 0, "pad_type_id": 0, "pad_token": ""}),
        ),
    ];
    let mut caught = 0;
    for (key, value) in cases {
        let opened = llama_as("PreTrainedTokenizerFast", json!({}), |whole| whole[key] = value.clone());
        let used = opened.and_then(|tokenizer| {
            let texts = ["", "a", "Ünïcode \u{fb01} \u{3000} text", "</s><s>"];
            let ids = texts.iter().map(|text| tokenizer.encode_text(text)).collect::<Result<Vec<_>, _>>();
            let ids = ids.map_err(|error| error.to_string())?.concat();
            tokenizer.decode(&ids).map_err(|error| error.to_string())
        });
        if let Err(line) = used {
            caught += usize::from(line.contains("contradict each other") || line.contains("cannot join tokens"));
            assert!(line.starts_with("tokenizer: ") && !line.contains('\n') && line.len() < 400, "{key}: {line}");
        }
    }
    assert!(caught >= 6, "{caught}");
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
