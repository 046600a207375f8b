use super::*;
use serde_json::json;

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
    for pre in ["gpt-2", "smollm", "llama-bpe", "qwen2"] {
        let tokenizer = Tokenizer::open(&TokenizerSource::Gguf(vocabulary(pre))).unwrap();
        assert_eq!(tokenizer.encode_prompt("ab ab").unwrap(), [4, 5], "{pre}");
        assert_eq!(tokenizer.decode(&[4, 5, 8]).unwrap(), "ab ab", "{pre}");
        assert_eq!(tokenizer.huggingface_files().len(), 2);
    }
}

#[test]
fn special_tokens_only_where_the_file_adds_them() {
    let mut with_bos = vocabulary("gpt-2");
    with_bos.add_bos = Some(true);
    let tokenizer = Tokenizer::open(&TokenizerSource::Gguf(with_bos)).unwrap();
    assert_eq!(tokenizer.encode_prompt("ab").unwrap(), [0, 4]);
    assert_eq!(tokenizer.encode_continuation("ab", " ab").unwrap(), [5]);
}

#[test]
fn no_second_blank_comes_before_an_answer() {
    // Llama 2's kind: every text gets a blank in front.
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "post_processor": null,
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "pre_tokenizer": null, "decoder": null,
        "model": {"type": "BPE", "vocab": {"▁": 0, "a": 1, "▁a": 2, "b": 3, "▁b": 4}, "merges": [["▁", "a"], ["▁", "b"]]},
    });
    let inner = parse(json.to_string().as_bytes()).unwrap();
    let tokenizer = Tokenizer { inner, files: Vec::new() };
    assert_eq!(tokenizer.encode_prompt("b a").unwrap(), [4, 2]);
    assert_eq!(tokenizer.encode_continuation("b", " a").unwrap(), [2]);
}

#[test]
fn what_is_not_read_is_named() {
    let unknown = Tokenizer::open(&TokenizerSource::Gguf(vocabulary("mystery"))).unwrap_err().to_string();
    assert!(unknown.contains("`mystery`") && !unknown.contains('\n'), "{unknown}");
    let mut sentencepiece = vocabulary("gpt-2");
    sentencepiece.model = "llama".into();
    assert!(Tokenizer::open(&TokenizerSource::Gguf(sentencepiece)).is_err());
    let mut torn = vocabulary("gpt-2");
    torn.merges = vec!["ab".into()];
    assert!(Tokenizer::open(&TokenizerSource::Gguf(torn)).is_err());
}
