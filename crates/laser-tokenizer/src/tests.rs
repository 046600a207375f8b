//! GGUF vocabularies, and settings beside a tokenizer.json.

use std::path::Path;

use serde_json::json;

use crate::{
    Tokenizer, definition::parse, gguf_vocabulary::GgufVocabulary, pre_tokenizer,
    sentence_piece_model::SentencePieceModel, small_files::read, tokenizer_source::TokenizerSource,
};

fn of_gguf(vocabulary: GgufVocabulary) -> crate::Result<Tokenizer> {
    Tokenizer::from_source(&TokenizerSource::Gguf(Box::new(vocabulary)))
}

fn vocabulary(pre: &str) -> GgufVocabulary {
    let tokens = ["<s>", "a", "b", "Ġ", "ab", "Ġab", "1", "2", "</s>"];
    GgufVocabulary {
        model: "gpt2".into(),
        pre: Some(pre.into()),
        tokens: tokens.iter().map(|t| (*t).to_owned()).collect(),
        token_types: vec![3, 1, 1, 1, 1, 1, 1, 1, 3],
        merges: vec!["a b".into(), "Ġ ab".into()],
        bos: Some(0),
        eos: Some(8),
        add_bos: Some(false),
        ..GgufVocabulary::default()
    }
}

#[test]
fn a_gguf_vocabulary_encodes_and_decodes() {
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2", "default", "falcon", "tekken", "deepseek-v3", "gpt-4o"] {
        let tokenizer = of_gguf(vocabulary(pre)).unwrap();
        assert_eq!(tokenizer.encode_prompt("ab ab").unwrap(), [4, 5], "{pre}");
        assert_eq!(tokenizer.decode(&[4, 5, 8]).unwrap(), "ab ab", "{pre}");
        assert_eq!(tokenizer.huggingface_files().len(), 2);
    }
}

#[test]
fn special_tokens_only_where_the_file_adds_them() {
    let mut with_bos = vocabulary("gpt-2");
    with_bos.add_bos = Some(true);
    let tokenizer = of_gguf(with_bos).unwrap();
    assert_eq!(tokenizer.encode_prompt("ab").unwrap(), [0, 4]);
    assert_eq!(tokenizer.encode_continuation("ab", " ab").unwrap(), [5]);
}

#[test]
fn a_chat_has_one_bos_token_whoever_brings_it() {
    let of = |add_bos: bool, template: &str| {
        let chat_template = Some(template.to_owned());
        of_gguf(GgufVocabulary { add_bos: Some(add_bos), chat_template, ..vocabulary("gpt-2") })
            .unwrap()
            .in_chat()
            .unwrap()
    };
    let (without, with) = ("{{ messages[0].content }}", "{{ bos_token }}{{ messages[0].content }}");
    for (add_bos, template, ids) in
        [(false, without, vec![4]), (true, without, vec![0, 4]), (false, with, vec![0, 4]), (true, with, vec![0, 4])]
    {
        let tokenizer = of(add_bos, template);
        assert_eq!(tokenizer.encode_context("ab").unwrap(), ids, "{add_bos} {template}");
        let pairs = tokenizer.encode_pairs("ab", &[" ab".to_owned()]).unwrap();
        assert_eq!((pairs.context, pairs.continuations), (ids, vec![vec![5]]), "{add_bos} {template}");
    }
}

#[test]
fn no_second_space_comes_before_an_answer() {
    // Llama 2's kind: every text gets a space in front.
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null, "decoder": null,
        "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "▁a": 2, "b": 3, "▁b": 4}, "merges": [["▁", "a"], ["▁", "b"]]},
    });
    let inner = parse(json.to_string().as_bytes()).unwrap();
    let tokenizer = Tokenizer::new(inner, Vec::new(), None, None).unwrap();
    assert_eq!(tokenizer.encode_prompt("b a").unwrap(), [4, 2]);
    assert_eq!(tokenizer.encode_continuation("b", " a").unwrap(), [2]);
}

#[test]
fn what_is_not_read_is_named() {
    let unknown = of_gguf(vocabulary("mystery")).unwrap_err().to_string();
    assert!(unknown.contains("`mystery`") && !unknown.contains('\n'), "{unknown}");
    let mut unread = vocabulary("gpt-2");
    unread.model = "rwkv".into();
    let unread = of_gguf(unread).unwrap_err().to_string();
    assert!(unread.contains("`rwkv`") && !unread.contains('\n'), "{unread}");
    let mut torn = vocabulary("gpt-2");
    torn.merges = vec!["ab".into()];
    assert!(of_gguf(torn).is_err());
}

#[test]
fn a_gguf_without_a_vocabulary_is_not_asked_for_a_folders_files() {
    let error = Tokenizer::open(Path::new("a.gguf"), Some(&serde_json::Map::new())).unwrap_err().to_string();
    assert!(error.contains("the GGUF file has no vocabulary") && !error.contains("config.json"), "{error}");
}

fn fixture(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tokenizers").join(path)
}

fn golden(path: &str) -> Vec<(String, Vec<u32>)> {
    let golden: serde_json::Value = serde_json::from_slice(&read(&fixture(path)).unwrap()).unwrap();
    let rows = golden["rows"].as_array().unwrap();
    rows.iter()
        .map(|row| (row["text"].as_str().unwrap().into(), serde_json::from_value(row["plain"].clone()).unwrap()))
        .collect()
}

/// A GGUF file's vocabulary with the pieces of a tokenizer.model.
fn gguf_of_sentencepiece(folder: &str) -> GgufVocabulary {
    let bytes = read(&fixture(&format!("{folder}/tokenizer.model"))).unwrap();
    let model = SentencePieceModel::parse(&bytes).unwrap();
    GgufVocabulary {
        model: "llama".into(),
        tokens: model.pieces.iter().map(|piece| piece.text.clone()).collect(),
        token_types: model.pieces.iter().map(|piece| piece.kind as i32 + 1).collect(),
        scores: model.pieces.iter().map(|piece| piece.score).collect(),
        bos: Some(1),
        eos: Some(2),
        unk: Some(0),
        add_space_prefix: Some(model.add_dummy_prefix),
        ..GgufVocabulary::default()
    }
}

#[test]
fn a_sentencepiece_vocabulary_in_gguf_gives_sentencepieces_own_ids() {
    for folder in ["llama", "llama_legacy", "gemma"] {
        let tokenizer = of_gguf(gguf_of_sentencepiece(folder)).unwrap();
        for (text, ids) in golden(&format!("{folder}/sentencepiece.json")) {
            assert_eq!(tokenizer.encode(&text, false).unwrap(), ids, "{folder}: {text:?}");
            assert_eq!(tokenizer.encode_prompt(&text).unwrap(), [&[1], &ids[..]].concat(), "{folder}: {text:?}");
            assert_eq!(tokenizer.decode(&ids).unwrap(), text, "{folder}");
        }
    }
}

#[test]
fn a_wordpiece_vocabulary_in_gguf_gives_the_ids_of_its_vocab_txt() {
    let text = String::from_utf8(read(&fixture("bert/vocab.txt")).unwrap()).unwrap();
    let phantom = |token: &str| match token.strip_prefix("##") {
        Some(rest) => rest.to_owned(),
        None if token.starts_with('[') && token.ends_with(']') => token.to_owned(),
        None => format!("▁{token}"),
    };
    let vocabulary = GgufVocabulary {
        model: "bert".into(),
        tokens: text.lines().map(phantom).collect(),
        token_types: text.lines().map(|token| if token.starts_with('[') && token.len() > 1 { 3 } else { 1 }).collect(),
        unk: Some(1),
        bos: Some(2),
        sep: Some(3),
        mask: Some(4),
        ..GgufVocabulary::default()
    };
    let tokenizer = of_gguf(vocabulary).unwrap();
    for (text, ids) in golden("bert/golden.json") {
        assert_eq!(tokenizer.encode_masked(&text).unwrap(), ([&[2], &ids[..]].concat(), vec![3]), "{text:?}");
    }
    assert_eq!(tokenizer.mask_token(), Some(4));
}

#[test]
fn a_byte_level_vocabulary_in_gguf_gives_the_ids_of_its_vocab_json() {
    for (folder, pre) in [("gpt2", "gpt-2"), ("qwen2", "qwen2")] {
        let vocab: std::collections::HashMap<String, usize> =
            serde_json::from_slice(&read(&fixture(&format!("{folder}/vocab.json"))).unwrap()).unwrap();
        let merges = String::from_utf8(read(&fixture(&format!("{folder}/merges.txt"))).unwrap()).unwrap();
        let mut tokens = vec![String::new(); vocab.len()];
        vocab.into_iter().for_each(|(token, id)| tokens[id] = token);
        let mut vocabulary = GgufVocabulary {
            model: "gpt2".into(),
            pre: Some(pre.into()),
            merges: merges.lines().skip(1).map(str::to_owned).collect(),
            ..GgufVocabulary::default()
        };
        if folder == "qwen2" {
            tokens.extend(["<|endoftext|>".to_owned(), "<tool>".to_owned()]);
        }
        vocabulary.token_types = tokens
            .iter()
            .map(|token| ["<|endoftext|>", "<tool>"].contains(&token.as_str()))
            .map(|added| if added { 3 } else { 1 })
            .collect();
        vocabulary.tokens = tokens;
        let tokenizer = of_gguf(vocabulary).unwrap();
        for (text, ids) in golden(&format!("{folder}/golden.json")) {
            assert_eq!(tokenizer.encode_prompt(&text).unwrap(), ids, "{folder}: {text:?}");
        }
    }
}

/// The words that the rules split a text into.
fn words(pre: &str, text: &str) -> Vec<String> {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};
    let rules = pre_tokenizer::named(pre).unwrap().pre_tokenizer;
    let rules: tokenizers::PreTokenizerWrapper = serde_json::from_value(rules).unwrap();
    let mut split = PreTokenizedString::from(text);
    rules.pre_tokenize(&mut split).unwrap();
    split
        .get_splits(OffsetReferential::Original, OffsetType::Byte)
        .iter()
        .map(|(_, (start, end), _)| text[*start..*end].to_owned())
        .collect()
}

#[test]
fn words_are_split_as_each_family_does() {
    let text = "It's 12345 aB!\n\n x";
    let cases: [(&str, &[&str]); 9] = [
        ("gpt-2", &["It", "'s", " 12345", " aB", "!", "\n\n", " x"]),
        ("starcoder", &["It", "'s", " ", "1", "2", "3", "4", "5", " aB", "!", "\n\n", " x"]),
        ("llama-bpe", &["It", "'s", " ", "123", "45", " aB", "!\n\n", " x"]),
        ("qwen2", &["It", "'s", " ", "1", "2", "3", "4", "5", " aB", "!\n\n", " x"]),
        ("tekken", &["It", "'s", " ", "1", "2", "3", "4", "5", " a", "B", "!\n\n", " x"]),
        ("gpt-4o", &["It's", " ", "123", "45", " a", "B", "!\n\n", " x"]),
        ("deepseek-v3", &["It", "'s", " ", "123", "45", " aB", "!\n\n", " x"]),
        ("falcon", &["It", "'", "s", " ", "123", "45", " aB", "!", "\n\n", " x"]),
        ("default", &["It", "'", "s", " ", "123", "45", " aB", "!", "\n\n", " x"]),
    ];
    for (pre, expected) in cases {
        assert_eq!(words(pre, text), expected, "{pre}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_there_and_is_no_file_is_refused_by_name() {
    for name in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(name);
        for (file, text) in [("tokenizer.json", "{}"), ("config.json", "{}")] {
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let refused = || TokenizerSource::find(folder.path(), None).unwrap_err().to_string();
        assert!(TokenizerSource::find(folder.path(), None).is_ok(), "{name}");
        std::fs::create_dir(&place).unwrap();
        assert!(refused().contains(name) && refused().contains("a folder"), "{}", refused());
        std::fs::remove_dir(&place).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &place).unwrap();
        assert!(refused().contains(name) && refused().contains("a device"), "{}", refused());
    }
}
