"""Makes the small tokenizers in this folder, in the file formats of older repositories, and golden.json in each: what transformers (or,
where a file says so, sentencepiece itself) gives for awkward texts.

    python -m venv venv && venv/bin/pip install transformers==5.23.0 tokenizers sentencepiece==0.2.3 protobuf jinja2
    venv/bin/python crates/laser-model/tests/tokenizers/make.py
"""

import io
import json
import shutil
import tempfile
from pathlib import Path

import sentencepiece
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

HERE = Path(__file__).parent
TRAINING = [
    "The quick brown fox jumps over the lazy dog.",
    "Paris is the capital of France, and it has 2,161,000 inhabitants.",
    "What is the capital of Peru? It's Lima; they've known that since 1535.",
    "A naïve café owner in Zürich said: \"Déjà vu!\"",
    "def add(a, b):\n    return a + b\n",
    "東京は日本の首都です。 北京是中国的首都。",
    "hello world, hello there, hello again",
] * 8
TEXTS = [
    "",
    "a",
    "Hello world",
    " leading blank",
    "trailing blank ",
    "two  blanks   and\ttabs",
    "line\none\n\nthree\r\n",
    "   ",
    "naïve café, Zürich: Déjà vu",
    "e\u0301 combining, ﬁ ligature, ½",
    "東京は日本の首都です。mixed with latin",
    "emoji 🙂👩‍👩‍👧 and flags 🇨🇭",
    "digits 7 42 1535 2,161,000 3.14159",
    "It's they've I'LL don't",
    "def add(a, b):\n    return a + b",
    "<s> special </s> tokens <unk> in <mask> text <|endoftext|>!",
    "[CLS] and [SEP] in [MASK] text [UNK]",
    "<tool> custom <tool>",
    "▁underscore▁ and Ġ",
    "\u00a0no-break\u200bzero-width\u2003em\u0000nul\ufffd",
    "ÀÉÎ UPPER lower MiXeD",
]
CHAT = (
    "{{ bos_token }}{% for message in messages %}\n"
    "    {%- if message['role'] not in ['user', 'assistant'] %}{{ raise_exception('roles') }}{% endif %}\n"
    "<|{{ message.role.upper() }}|>\n"
    "{{ message['content'].strip() + eos_token }}\n"
    "{% endfor %}\n"
    "{% if add_generation_prompt %}\n"
    "<|ASSISTANT|>\n"
    "{% endif %}\n"
)


def save(folder, name, content):
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    (folder / name).write_text(text, encoding="utf-8")


def fresh(name, config, model_type):
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    save(folder, "config.json", {"model_type": model_type})
    save(folder, "tokenizer_config.json", config)
    return folder


def golden(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    rows = []
    for text in TEXTS:
        ids = tokenizer(text).input_ids
        plain = tokenizer(text, add_special_tokens=False).input_ids
        decoded = tokenizer.decode(plain, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        rows.append({"text": text, "ids": ids, "plain": plain, "decoded": decoded})
    made = {"made_by": type(tokenizer).__name__, "mask": tokenizer.mask_token_id, "rows": rows}
    if tokenizer.chat_template:
        said = [{"role": "user", "content": "  What is <this>? "}]
        chat = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        made["chat"] = {"text": chat, "ids": tokenizer(chat, add_special_tokens=False).input_ids}
    save(folder, "golden.json", made)
    print(folder.name, type(tokenizer).__name__, len(tokenizer))


def byte_level(name, model_type, config, specials, extra=None, size=380):
    """vocab.json and merges.txt."""
    folder = fresh(name, config, model_type)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(TRAINING, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    save(folder, "vocab.json", model["vocab"])
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    save(folder, "merges.txt", "#version: 0.2\n" + "\n".join(merges) + "\n")
    for file, content in (extra or {}).items():
        save(folder, file, content(len(model["vocab"])) if callable(content) else content)
    golden(folder)


def word_piece(name, config, lowercase):
    """vocab.txt."""
    folder = fresh(name, config, "bert")
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(TRAINING, trainer)
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    save(folder, "vocab.txt", "".join(token + "\n" for token, _ in vocab))
    golden(folder)


def sentence_piece(name, config, model_type, kind, size=420, **options):
    """tokenizer.model."""
    folder = fresh(name, config, model_type)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_writer=model, model_type=kind, vocab_size=size, minloglevel=2,
        hard_vocab_limit=False, **options,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    # What sentencepiece itself makes of a text, which special tokens do not stand in.
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    rows = []
    for text in TEXTS:
        if "<" not in text and "▁" not in text and "\0" not in text:
            ids = processor.encode(text)
            rows.append({"text": text, "plain": ids, "decoded": processor.decode(ids)})
    save(folder, "sentencepiece.json", {"made_by": "sentencepiece", "rows": rows})
    return folder


def token(content, lstrip=False, special=True):
    flags = {"lstrip": lstrip, "rstrip": False, "normalized": False, "single_word": False, "special": special}
    return {"__type": "AddedToken", "content": content} | flags


def main():
    end = "<|endoftext|>"
    byte_level("gpt2", "gpt2", {"tokenizer_class": "GPT2Tokenizer", "chat_template": CHAT, "bos_token": end, "eos_token": end}, [end])
    byte_level(
        "gptj",
        "gptj",
        {"tokenizer_class": "GPT2Tokenizer", "bos_token": token(end), "eos_token": token(end), "unk_token": token(end)},
        [],
        {"added_tokens.json": lambda size: {end: size, "<tool>": size + 1}},
    )
    byte_level(
        "opt",
        "opt",
        {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "bos_token": "</s>", "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"},
        ["<s>", "<pad>", "</s>", "<unk>"],
    )
    roberta = ["<s>", "<pad>", "</s>", "<unk>"]
    mask = token("<mask>", lstrip=True)
    byte_level("roberta", "roberta", {"mask_token": mask}, roberta + ["<mask>"])
    byte_level("qwen2", "qwen2", {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "eos_token": end,
               "added_tokens_decoder": {"390": token(end), "391": token("<tool>", special=False)}}, [], size=390)
    word_piece("bert", {"tokenizer_class": "BertTokenizer", "do_lower_case": True}, True)
    word_piece("bert_cased", {"do_lower_case": False, "tokenize_chinese_chars": False, "strip_accents": False}, False)

    identity = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "character_coverage": 1.0, "byte_fallback": True}
    llama = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": False}
    golden(sentence_piece("llama", llama | {"chat_template": CHAT}, "llama", "bpe", user_defined_symbols=["<tool>"], **identity))
    golden(sentence_piece("llama_legacy", llama | {"legacy": True, "add_eos_token": True}, "llama", "bpe", **identity))
    gemma = {"tokenizer_class": "GemmaTokenizer", "add_bos_token": True}
    golden(sentence_piece("gemma", gemma, "gemma", "bpe", pad_id=0, eos_id=1, bos_id=2, unk_id=3, pad_piece="<pad>",
                          bos_piece="<bos>", eos_piece="<eos>", user_defined_symbols=["<mask>"], **(identity | {"add_dummy_prefix": False})))
    # The default rules (nmt_nfkc) take 240 kB of each file; a few of them do for a test.
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for old, new in [("\t", " "), ("\n", " "), ("\r", " "), ("\u00a0", " "), ("\u200b", ""), ("ﬁ", "fi"), ("½", "1⁄2"), ("e\u0301", "é")]:
            rules.write(f"{' '.join(f'{ord(c):X}' for c in old)}\t{' '.join(f'{ord(c):X}' for c in new)}\n")
        rules.flush()
        sentence_piece("unigram", {}, "gpt2", "unigram", size=300, normalization_rule_tsv=rules.name)
        sentence_piece("bpe_rules", {}, "gpt2", "bpe", size=300, normalization_rule_tsv=rules.name)
    sentence_piece("unigram_bytes", {}, "gpt2", "unigram", **identity)


if __name__ == "__main__":
    main()
