//! transformers' tokenizer classes, as far as they differ in what they do with a vocabulary.

use serde_json::Value;

use crate::tokenizer_source::{TokenizerSettings, VocabularyFile};

/// The classes of transformers that differ in what they do with a vocabulary, each with its kin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Bert,
    Gemma,
    Gpt2,
    GptNeoX,
    Llama,
    Qwen2,
    /// Byte-level like GPT-2's, but masked models, which read `<s> text </s>`.
    Roberta,
    /// PreTrainedTokenizerFast, now TokenizersBackend, which runs a tokenizer.json as it is and knows
    /// the special tokens that files name.
    AsWritten,
    Other,
}

const END: &str = "<|endoftext|>";

impl Class {
    /// The class of a tokenizer without tokenizer.json: by `tokenizer_class`, else by the
    /// `model_type` of config.json, else by the kind of vocabulary.
    pub(crate) fn of(files: &TokenizerSettings, vocabulary: &VocabularyFile) -> Self {
        let by_name = match Self::declared(files).unwrap_or("") {
            // The class that any tokenizer.json is given says nothing.
            "" | "PreTrainedTokenizer" | "TokenizersBackend" => {
                let model_type = files.model_type.as_deref().unwrap_or("");
                match model_type {
                    "llama" | "mistral" | "mixtral" | "phi3" => Self::Llama,
                    "olmo" | "gpt_neox" | "mpt" => Self::Other,
                    _ => registered(model_type).map_or(Self::Other, Self::named),
                }
            }
            name => Self::named(name),
        };
        match (by_name, vocabulary) {
            (Self::Other | Self::GptNeoX, VocabularyFile::ByteLevel { .. }) => Self::Gpt2,
            (Self::Other, VocabularyFile::WordPiece(_)) => Self::Bert,
            _ => by_name,
        }
    }

    /// The class of a tokenizer with a tokenizer.json, as AutoTokenizer of transformers 5 chooses it;
    /// `byte_level` tells whether that file is one of bytes.
    pub(crate) fn of_json(files: &TokenizerSettings, byte_level: bool) -> Self {
        let model_type = files.model_type.as_deref().unwrap_or("");
        // Its repositories name wrong classes.
        let mistaken = model_type == "qwen2";
        let class = match (Self::declared(files), registered(model_type)) {
            (Some("LlamaTokenizer"), _) if byte_level && !mistaken => Self::AsWritten,
            (Some(declared), Some(registered)) if declared != registered => match registered {
                GENERIC => Self::AsWritten,
                registered if mistaken => Self::named(registered),
                _ => Self::named(declared),
            },
            (Some(name), _) | (None, Some(name)) => Self::named(name),
            (None, None) => Self::AsWritten,
        };
        if class == Self::Other { Self::AsWritten } else { class }
    }

    /// `tokenizer_class`, without the ending that earlier versions gave those of tokenizer.json.
    pub(crate) fn declared(files: &TokenizerSettings) -> Option<&str> {
        let name = files.config.as_ref().and_then(|config| config.get("tokenizer_class")).and_then(Value::as_str);
        name.or(files.model_class.as_deref()).map(|name| name.strip_suffix("Fast").unwrap_or(name))
    }

    fn named(name: &str) -> Self {
        match name {
            name if starts(name, &["Bert", "DistilBert", "Electra", "MobileBert"]) => Self::Bert,
            name if starts(name, &["Gemma"]) => Self::Gemma,
            name if starts(name, &["GPT2", "CodeGen"]) => Self::Gpt2,
            name if starts(name, &["GPTNeoX"]) => Self::GptNeoX,
            name if starts(name, &["Llama", "CodeLlama"]) => Self::Llama,
            name if starts(name, &["Qwen2"]) => Self::Qwen2,
            name if starts(name, &["Roberta", "Bart", "Longformer", "LED"]) => Self::Roberta,
            _ => Self::Other,
        }
    }

    /// The special tokens that it has where no file names them.
    pub(crate) fn tokens(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Bert => &[
                ("unk_token", "[UNK]"),
                ("sep_token", "[SEP]"),
                ("pad_token", "[PAD]"),
                ("cls_token", "[CLS]"),
                ("mask_token", "[MASK]"),
            ],
            Self::Gemma => &[
                ("bos_token", "<bos>"),
                ("eos_token", "<eos>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::Gpt2 => &[("bos_token", END), ("eos_token", END), ("unk_token", END)],
            Self::GptNeoX => {
                &[("bos_token", END), ("eos_token", END), ("unk_token", END), ("pad_token", "<|padding|>")]
            }
            Self::Qwen2 => &[("eos_token", END), ("unk_token", END), ("pad_token", END)],
            Self::Roberta => &[
                ("bos_token", "<s>"),
                ("eos_token", "</s>"),
                ("sep_token", "</s>"),
                ("cls_token", "<s>"),
                ("unk_token", "<unk>"),
                ("pad_token", "<pad>"),
                ("mask_token", "<mask>"),
            ],
            Self::AsWritten => &[],
            Self::Llama | Self::Other => &[("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")],
        }
    }
}

const GENERIC: &str = "TokenizersBackend";

/// The class that transformers 5 registers for a family of models.
fn registered(model_type: &str) -> Option<&'static str> {
    Some(match model_type {
        "bert" | "distilbert" | "electra" | "mobilebert" => "BertTokenizer",
        "gpt2" | "gptj" | "gpt_neo" | "codegen" | "phi" | "opt" | "starcoder2" => "GPT2Tokenizer",
        "gpt_neox" | "olmo" | "mpt" => "GPTNeoXTokenizer",
        "roberta" | "roberta-prelayernorm" | "bart" | "longformer" | "led" => "RobertaTokenizer",
        "cohere" | "cohere2" => "CohereTokenizer",
        model if starts(model, &["gemma"]) => "GemmaTokenizer",
        model if starts(model, &["qwen2", "qwen3"]) => "Qwen2Tokenizer",
        "gpt_bigcode" | "glm" | "glm4" | "granite" | "internlm2" | "llava" | "mistral" | "mistral3" | "mixtral"
        | "nemotron" | "olmo2" | "olmo3" | "persimmon" | "phi3" | "phimoe" | "stablelm" => GENERIC,
        _ => return None,
    })
}

fn starts(name: &str, beginnings: &[&str]) -> bool {
    beginnings.iter().any(|beginning| name.starts_with(beginning))
}
