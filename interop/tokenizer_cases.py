#!/usr/bin/env python3
"""Tokenizer folders whose files contradict each other, and the ids that transformers 5 gives for each.

    python3 interop/tokenizer_cases.py     writes crates/laser-tokenizer/tests/contradictions.json

Needs transformers 5, tokenizers and sentencepiece. A case is one of two tokenizer.json (that of tests/fixtures/llama, and
the tokenizer.model of crates/laser-tokenizer/tests/tokenizers/llama as transformers 4 wrote such ones), keys of it to
replace, and the files beside it.
"""

import json
import pathlib
import sys
import tempfile

import transformers
from transformers import AutoConfig, AutoTokenizer, LlamaTokenizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "crates/laser-tokenizer/tests"
TEXTS = ["The capital <new>of <other> France", "<|im_start|>user is<|im_end|> x", "a <new> b<new>c  <other>", " lead  two", "<s>in</s> it", "in 1234 <mask>"]
SPECIAL = dict(bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>")


def token(content, **flags):
    base = dict(content=content, lstrip=False, rstrip=False, normalized=False, single_word=False, special=True)
    return {**base, **flags}


def template(*, before=None, after=None):
    around = lambda kind: (
        [{"SpecialToken": {"id": before, "type_id": 0}}] * (before is not None) + [{"Sequence": {"id": kind, "type_id": 0}}]
        + [{"SpecialToken": {"id": after, "type_id": 0}}] * (after is not None))
    ids = {"<s>": 1, "</s>": 2}
    return {"type": "TemplateProcessing", "single": around("A"), "pair": around("A") + around("B"),
            "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in (before, after) if name}}


def bases():
    bytes_ = json.loads((ROOT / "tests/fixtures/llama/tokenizer.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        LlamaTokenizer.from_pretrained(TESTS / "tokenizers/llama").save_pretrained(folder)
        pieces = json.loads((pathlib.Path(folder) / "tokenizer.json").read_text())
    # As transformers 4 wrote them.
    pieces["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}
    pieces["pre_tokenizer"] = None
    pieces["post_processor"] = template(before="<s>")
    return {"bytes": bytes_, "pieces": pieces}


def cases():
    """(name, base, model_type, keys of tokenizer.json, files beside it)"""
    out = []

    def add(name, config, base="bytes", model="llama", json_keys=None, **files):
        out.append((name, base, model, json_keys or {}, {"tokenizer_config.json": config, **files}))

    fast = dict(tokenizer_class="PreTrainedTokenizerFast", **SPECIAL)
    decoder = {"400": token("<|im_start|>"), "401": token("<|im_end|>")}
    for kind in ["PreTrainedTokenizerFast", "TokenizersBackend", "GPT2Tokenizer", "GPT2TokenizerFast", "LlamaTokenizerFast", None]:
        config = {**SPECIAL, "added_tokens_decoder": decoder}
        if kind:
            config["tokenizer_class"] = kind
        add(f"decoder_{kind}", config)
    for model in ["gpt2", "qwen2", "qwen3", "gpt_neox", "mistral", "phi3", "olmo2"]:
        add(f"decoder_{model}", {**fast, "added_tokens_decoder": decoder}, model=model)
    add("decoder_flags", {**fast, "added_tokens_decoder": {
        "400": token("<new>", lstrip=True), "401": token("<other>", rstrip=True, special=False, normalized=True),
        "402": token("<|im_start|>", single_word=True), "403": token("<|im_end|>", special=False)}})
    add("decoder_gaps", {**fast, "added_tokens_decoder": {"405": token("<new>"), "403": token("<other>")}})
    add("decoder_other_ids", {**fast, "added_tokens_decoder": {"401": token("<new>"), "400": token("<other>"), "399": token("<|im_end|>")}})
    add("decoder_known_flags", {**fast, "added_tokens_decoder": {"2": token("</s>", lstrip=True), "3": token("<mask>", lstrip=True)}})
    add("decoder_of_word", {**fast, "added_tokens_decoder": {"300": token("capital", special=False, normalized=True)}})
    add("decoder_and_map", {**fast, "added_tokens_decoder": {"400": token("<new>")}},
        **{"special_tokens_map.json": {"additional_special_tokens": ["<other>"]}, "added_tokens.json": {"<|im_start|>": 401}})
    add("added_tokens_json", fast, **{"added_tokens.json": {"<new>": 400, "<other>": 401}})
    add("added_tokens_json_reverse", fast, **{"added_tokens.json": {"<new>": 401, "<other>": 400}})
    add("added_tokens_json_special", {**fast, "additional_special_tokens": ["<new>"]}, **{"added_tokens.json": {"<new>": 400, "<other>": 401}})
    add("additional", {**fast, "additional_special_tokens": ["<new>", "<other>"]})
    add("additional_objects", {**fast, "additional_special_tokens": [
        {"__type": "AddedToken", **token("<new>", lstrip=True)}, {"__type": "AddedToken", **token("<other>", rstrip=True)}]})
    add("extra", {**fast, "extra_special_tokens": ["<new>", "<other>"]})
    add("extra_named", {**fast, "extra_special_tokens": {"image_token": "<new>", "boi_token": "<other>"}})
    add("both_lists", {**fast, "additional_special_tokens": ["<new>"], "extra_special_tokens": ["<other>"]})
    add("own_named", {**fast, "image_token": "<new>"})
    add("new_bos", {**fast, "bos_token": "<new>", "pad_token": "<other>"})
    add("new_bos_object", {**fast, "bos_token": {"__type": "AddedToken", **token("<new>", lstrip=True)}})
    add("bos_object_without_type", {**fast, "bos_token": "<s>"}, **{"special_tokens_map.json": {"bos_token": token("<new>", rstrip=True)}})
    add("map_alone", {"tokenizer_class": "PreTrainedTokenizerFast"}, **{"special_tokens_map.json": {
        **SPECIAL, "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}})
    add("map_lists", fast, **{"special_tokens_map.json": {"additional_special_tokens": ["<new>"]}})
    add("map_and_config_lists", {**fast, "additional_special_tokens": ["<other>"]}, **{"special_tokens_map.json": {"additional_special_tokens": ["<new>"]}})
    add("map_says_another_bos", fast, **{"special_tokens_map.json": {"bos_token": "<new>"}})
    # What stands around a text.
    for kind in ["PreTrainedTokenizerFast", "TokenizersBackend", "LlamaTokenizer", "LlamaTokenizerFast", "GPT2Tokenizer", "GPTNeoXTokenizer", "Qwen2Tokenizer", None]:
        of = lambda **more: {**SPECIAL, **more, **({"tokenizer_class": kind} if kind else {})}
        add(f"add_bos_{kind}", of(add_bos_token=True))
        add(f"no_bos_{kind}", of(add_bos_token=False), json_keys={"post_processor": template(before="<s>")})
        add(f"add_eos_{kind}", of(add_eos_token=True), json_keys={"post_processor": template(before="<s>")})
    for model in ["gpt2", "gpt_neox", "mistral", "gemma", "opt", "qwen2", "olmo"]:
        add(f"add_bos_of_{model}", {**SPECIAL, "add_bos_token": True}, model=model)
        add(f"no_bos_of_{model}", {**SPECIAL, "add_bos_token": False}, model=model, json_keys={"post_processor": template(before="<s>", after="</s>")})
    # Sentencepiece's kind.
    for kind in ["LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast", "GemmaTokenizer", None]:
        for more in [{}, {"legacy": True}, {"legacy": False}, {"add_prefix_space": False}, {"add_bos_token": False}, {"add_eos_token": True}]:
            config = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", **more}
            if kind:
                config["tokenizer_class"] = kind
            add(f"pieces_{kind}_{'_'.join(f'{key}_{value}' for key, value in more.items())}", config, base="pieces")
    add("pieces_mistral", {"tokenizer_class": "LlamaTokenizer", "legacy": False, "add_bos_token": False}, base="pieces", model="mistral")
    add("pieces_gemma_type", {"tokenizer_class": "GemmaTokenizer", "bos_token": "<s>", "eos_token": "</s>"}, base="pieces", model="gemma")
    add("pieces_decoder", {"tokenizer_class": "LlamaTokenizer", "legacy": False, "bos_token": "<s>", "eos_token": "</s>",
        "added_tokens_decoder": {"0": token("<unk>"), "1": token("<s>"), "2": token("</s>"), "600": token("<new>"), "601": token("<other>", special=False)}}, base="pieces")
    return out


def main():
    transformers.logging.set_verbosity_error()
    wanted, lines, base_files = sys.argv[1:], [], bases()
    for name, base, model, json_keys, files in cases():
        if wanted and name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "tokenizer.json").write_text(json.dumps({**base_files[base], **json_keys}))
            (folder / "config.json").write_text(json.dumps({"model_type": model}))
            for file, content in files.items():
                (folder / file).write_text(json.dumps(content))
            try:
                tokenizer = AutoTokenizer.from_pretrained(folder)
                ids, kind = [tokenizer(text).input_ids for text in TEXTS], type(tokenizer).__name__
            except Exception as error:
                ids, kind = None, f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
        print(name, kind, ids, flush=True)
        lines.append(json.dumps({"name": name, "base": base, "model_type": model, "json": json_keys, "files": files, "ids": ids}, ensure_ascii=False))
    if not wanted:
        head = {"transformers": transformers.__version__, "texts": TEXTS, "pieces": base_files["pieces"]}
        text = json.dumps(head, ensure_ascii=False)[:-1] + ', "cases": [\n' + ",\n".join(lines) + "\n]}\n"
        (TESTS / "contradictions.json").write_text(text)


if __name__ == "__main__":
    main()
