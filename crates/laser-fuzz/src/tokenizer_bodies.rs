//! Tokenizers of every format, opened and used.

use laser_tokenizer::{Message, Prompt, Role, Tokenizer};

use crate::{scratch::with_files, sections::parts};

const TEXTS: [&str; 6] = [
    "",
    "a",
    "Hello world, it's 1234!",
    "  é\u{301} \u{1f600}\u{1f468}\u{200d}\u{1f469} ",
    "<s></s>[MASK]",
    "\u{0}\n\t▁ab",
];

/// The files that a tokenizer is read from.
pub(crate) const NAMES: [&str; 11] = [
    "config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "chat_template.jinja",
    "generation_config.json",
];

pub(crate) fn tokenizer(input: &[u8]) {
    let mut files = parts(input);
    files.retain(|(name, _)| NAMES.contains(&&**name));
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (&**name, &**content)).collect();
    with_files(&files, |folder| {
        if let Ok(tokenizer) = Tokenizer::open(folder, None) {
            use_tokenizer(tokenizer);
        }
    });
}

pub(crate) fn sentencepiece(input: &[u8]) {
    for class in ["{\"model_type\":\"llama\"}", "{\"model_type\":\"t5\"}"] {
        with_files(&[("config.json", class.as_bytes()), ("tokenizer.model", input)], |folder| {
            if let Ok(tokenizer) = Tokenizer::open(folder, None) {
                use_tokenizer(tokenizer);
            }
        });
    }
}

/// The input is a chat template.
pub(crate) fn chat(input: &[u8]) {
    const VOCABULARY: &[u8] = b"[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n##a\nhello\n";
    let files =
        [("config.json", &b"{\"model_type\":\"bert\"}"[..]), ("vocab.txt", VOCABULARY), ("chat_template.jinja", input)];
    with_files(&files, |folder| {
        if let Ok(tokenizer) = Tokenizer::open(folder, None) {
            use_chat(tokenizer);
        }
    });
}

pub(crate) fn use_tokenizer(tokenizer: Tokenizer) {
    for text in TEXTS {
        let Ok(ids) = tokenizer.encode_prompt(text) else { continue };
        let _ = (tokenizer.decode(&ids), tokenizer.encode_text(text), tokenizer.encode_masked(text));
        let _ = tokenizer.encode_continuation(text, " answer");
        ids.iter().for_each(|&id| drop(tokenizer.token_text(id)));
    }
    let _ = tokenizer.decode(&[0, 1, 2, 3, 1 << 20, u32::MAX]);
    let _ = (tokenizer.mask_token(), tokenizer.is_sentencepiece(), tokenizer.gguf_entries(64));
    use_chat(tokenizer);
}

fn use_chat(tokenizer: Tokenizer) {
    let Ok(tokenizer) = tokenizer.in_chat() else { return };
    let said = |role, content: &'static str| Message { role, content: content.into(), delimiter: " " };
    let prompt = Prompt {
        messages: vec![
            said(Role::System, "Be brief."),
            said(Role::User, "Why is <b>it</b> so?"),
            said(Role::Assistant, "Because "),
        ],
    };
    let _ = (tokenizer.chat("a question"), tokenizer.encode_prompt(prompt));
    let _ = tokenizer.encode_continuation("a question", " an answer");
    let _ = tokenizer.encode_next_turn(&[("Hi".to_owned(), "Hello".to_owned())], "And you?");
}
