"""What lm-evaluation-harness's filters and metrics give, as JSON for crates/laser-example/tests/lm_eval.rs.

    python3 interop/filters_and_metrics.py > crates/laser-example/tests/fixtures/lm_eval.json

Needs lm_eval (see requirements.txt). Every value is computed by the harness's own classes and functions.
"""

import json
import math
import random
import types
from importlib.metadata import version

from lm_eval.api import metrics
from lm_eval.api.registry import get_aggregation, get_filter
from lm_eval.api.task import ConfigurableTask

TEXTS = [
    "", " ", "The answer is 42.", "The answer is 1,234.50.\n\nQ: next", "#### 7", "a #### -3,000.5 b #### 12",
    "So 3 + 4 = 7, and 7 * 2 = 14. The final answer is 14", "$1,000 or (B)", "(A) or (C)", "Answer: (b)", "B", " B ",
    "answer is (D).", "the answer is  no", "Yes, of course.", "no\n", "It costs $5 - no, $6.5!", "x = -0.25; y = .5",
    "The Best Answer is option C", "\\boxed{17} and \\boxed{A}", "ANSWER : d", "Paris", "paris.", "PARIS, France",
    "It is the sky", "the sky is: blue", ": A", ":\tC", "naïve café", "东京 答案是 15。", "Ответ — 3", "٣ and ½ and ²",
    "[('The', 'DET'), ('cat', 'NOUN')]", "('a', 'b') ('c', '')", "person: ann, bob $$ loc: kenya, None $$ date: 1990",
    "ORG: un\nLocation: paris, rome$$", "a\u00a0b\u2003c", "\x1f7\x1f", "line one\nline two\r\nline three", "aaa", "baac",
    "İstanbul ΟΔΟΣ ß", "don't -- well-known", "1 000 000", "\"quoted\" 'single'", "{1} <2> [3]", "the cat. the answer. 9",
]
PATTERNS = [
    r"#### (\-?[0-9\.\,]+)", r"(-?[$0-9.,]{2,})|(-?[0-9]+)", r"The answer is (\-?[0-9\.\,]+).", r"(\([A-Z]\))",
    r"((?<=The answer is )(.*)(?=.)|(?<=the answer is )(.*)(?=.)|(?<=The final answer: )(.*)(?=.))", r"\b(Yes|No|yes|no)\b",
    r"([A-E]).*", r"answer is \(?([ABCDEFGHIJ])\)?", r"(?<= )([\" \[\(<{}>\)\]]+)|([\" \[\(<{}>\)\]]+)",
    r"(-?[0-9]+([ .,][0-9.,]+)?)", r"(?i)answer\s*:\s*\(?([A-D])\)?", r"a*", r"|a", r"\d+", r"\w+", r"\W", r"\s+", r"\S+$",
    r"(?m)^.*$", r"(?s).*#### ", r"^\s+|\s+$", r"[^\W\d_]+", r"\$?\d[\d,]*(?:\.\d+)?", r"\\boxed\{([^}]*)\}", r"\\boxed{(.*?)}",
    r"(?P<q>['\"]).*?(?P=q)", r"(a)|(b)|()", r"[[(]|[&~-]", r"x{,2}", r"(\S+) (?=\S)", r"\bthe\b.*?\.", r"(?x) [0-9]+ # digits",
    r"答案是 (\-?[0-9\.\,]+)。", r"[Tt]he (?:[Bb]est [Aa]nswer|[Aa]nswer)[^A-D]*([A-D])|[Aa]nswer\s*:[^A-D]*([A-D])",
]
CHOICES = [
    ["the sky", "the floor", "no"], ["Paris", "paris.", "Paris, France", "Rome"], ["yes", "no", "yes"],
    ["1", "14", "7", "42"], ["a+b", "(A)", "c.d"], ["blue", "", "red"],
]
RULES = [
    {}, {"ignore_case": True}, {"ignore_punctuation": True}, {"ignore_numbers": True},
    {"ignore_case": True, "ignore_punctuation": True, "ignore_numbers": True},
    {"regexes_to_ignore": [",", r"\$", r"(?s).*#### ", r"\.$"]},
    {"regexes_to_ignore": [r"\b(?:The |the |An |A |The |a |an )"], "ignore_case": True},
    {"regexes_to_ignore": [r"^\s+", r"\s+$"], "ignore_punctuation": True},
]


def applied(name, arguments, text, choices):
    found = list(get_filter(name)(**arguments).apply([[text]], [{"choices": choices}]))
    return list(found[0])[0]


def filters():
    steps = []
    for pattern in PATTERNS:
        for select in (0, -1):
            ours = {"function": "regex", "pattern": pattern, "select": select, "fallback": "[invalid]"}
            steps.append((ours, "regex", {"regex_pattern": pattern, "group_select": select}, []))
    for choices in CHOICES:
        for switches in ({}, {"ignore_case": True, "ignore_punctuation": True},
                         {"regexes_to_ignore": [r"[0-9]+"], "ignore_case": True}):
            pattern = r"(\([A-Z]\))"
            extract = {"pattern": pattern, "select": 0, "fallback": "[invalid]"}
            ours = {"function": "multi_choice_regex", "extract": extract, **switches}
            steps.append((ours, "multi_choice_regex", {"regex_pattern": pattern, **switches}, choices))
    table = {"A": "one", "Paris": "two", "": "none"}
    steps += [
        ({"function": "regex_pos", "fallback": ["invalid"]}, "regex_pos", {}, []),
        ({"function": "remove_whitespace"}, "remove_whitespace", {}, []),
        ({"function": "lowercase"}, "lowercase", {}, []),
        ({"function": "uppercase"}, "uppercase", {}, []),
        ({"function": "format_span"}, "format_span", {}, []),
        ({"function": "map", "mapping": table, "default": None}, "map", {"mapping_dict": table}, []),
        ({"function": "map", "mapping": table, "default": "?"}, "map", {"mapping_dict": table, "default_value": "?"}, []),
    ]
    all = []
    for ours, name, arguments, choices in steps:
        if name == "multi_choice_regex":
            # All texts at once: each call makes a table of Unicode's punctuation.
            found = get_filter(name)(**arguments).apply([TEXTS], [{"choices": choices}])
            all.append({"filter": ours, "choices": choices, "cases": list(map(list, zip(TEXTS, list(found)[0])))})
            continue
        cases = []
        for text in TEXTS:
            try:
                cases.append([text, applied(name, arguments, text, choices)])
            except IndexError:
                pass  # fewer matches than group_select asks for: the harness stops there
        all.append({"filter": ours, "choices": choices, "cases": cases})
    return all


def exact_match():
    answers = [["42"], ["Paris", "paris"], ["the sky"], ["7"], ["1000"], ["no"], ["naïve café"], ["x = -0.25; y = .5", ""]]
    all = []
    for rule in RULES:
        cases = []
        for text in TEXTS:
            for references in answers + [[text.strip()]]:
                found = metrics.exact_match_fn(predictions=[text] * len(references), references=references, **rule)
                cases.append([text, references, bool(found["exact_match"] > 0)])
        all.append({"rule": rule, "cases": cases})
    return all


def fake(output_type, names, doc_to_target, doc_to_choice=None, several=0):
    """What ConfigurableTask.process_results looks at."""
    config = types.SimpleNamespace(process_results=None, doc_to_choice=doc_to_choice)
    return types.SimpleNamespace(
        config=config, OUTPUT_TYPE=output_type, _metric_fn_list={name: None for name in names}, multiple_input=0,
        multiple_target=several, doc_to_target=lambda doc: doc["gold"], doc_to_choice=lambda doc: doc["choices"],
        count_words=ConfigurableTask.count_words if hasattr(ConfigurableTask, "count_words") else None,
        count_bytes=lambda text: len(text.encode()),
    )


def aggregated(task, names, docs, results, aggregations):
    rows = [ConfigurableTask.process_results(task, doc, result) for doc, result in zip(docs, results)]
    values = {}
    for name in names:
        for aggregation in aggregations[name]:
            values[f"{name} {aggregation}"] = float(get_aggregation(aggregation)([row[name] for row in rows]))
    return values


def choices():
    plain = ["mean", "nanmean", "median"]
    how = {"acc": plain, "acc_norm": plain, "acc_bytes": plain, "exact_match": ["mean"], "acc_mutual_info": ["mean"],
           "f1": ["f1"], "mcc": ["matthews_corrcoef"], "brier_score": ["brier_score"]}
    sets = []
    for seed in range(12):
        rng = random.Random(seed)
        count = 2 if seed % 2 else 4
        words = ["a", "ein", "été", "東京", "long answer", "b b b", " x", "yes"]
        several = seed in (4, 8)
        docs, results, rows = [], [], []
        for _ in range(rng.randrange(1, 40)):
            texts = [rng.choice(words) for _ in range(count)]
            gold = rng.randrange(count) if seed < 10 else (rng.randrange(count + 1))
            gold = sorted(rng.sample(range(count), 2)) if several else gold
            logprobs = [round(-rng.expovariate(0.1), 6) for _ in texts]
            alone = [round(-rng.expovariate(0.1), 6) for _ in texts]
            greedy = [rng.random() < 0.3 for _ in texts]
            docs.append({"choices": texts, "gold": gold})
            results.append(list(zip(logprobs, greedy)) + [(value, False) for value in alone])
            rows.append({"choices": texts, "gold": gold, "logprobs": logprobs, "alone": alone, "greedy": greedy})
        names = [name for name in how if name != "f1" or (count == 2 and seed < 10)]
        if several:
            names = ["acc", "acc_norm", "acc_bytes", "exact_match"]
        if seed >= 10:
            names.remove("brier_score")
        if "acc_mutual_info" not in names:
            results = [result[:count] for result in results]
        task = fake("multiple_choice", names, None, "choices", 2 if several else 0)
        sets.append({"rows": rows, "values": aggregated(task, names, docs, results, how)})
    return sets


def texts():
    import re

    sets = []
    for seed in range(4):
        rng = random.Random(100 + seed)
        rows = [{"text": rng.choice(TEXTS) + rng.choice(["", " and more", "\n\n東京"]), "logprob": round(-rng.uniform(1, 90), 6)}
                for _ in range(rng.randrange(1, 9))]
        rows = [row for row in rows if row["text"]]
        words = [(row["logprob"], len(re.split(r"\s+", row["text"]))) for row in rows]
        size = [(row["logprob"], len(row["text"].encode())) for row in rows]
        sets.append({"rows": rows, "values": {
            "word_perplexity weighted_perplexity": metrics.weighted_perplexity(words),
            "byte_perplexity weighted_perplexity": metrics.weighted_perplexity(size),
            "bits_per_byte bits_per_byte": metrics.bits_per_byte(size),
            "perplexity perplexity": metrics.perplexity([row["logprob"] / 50 for row in rows]),
        }})
        assert all(math.isfinite(value) for value in sets[-1]["values"].values())
    return sets


def main():
    print(json.dumps({
        "lm_eval": version("lm_eval"), "filters": filters(), "exact_match": exact_match(),
        "choices": choices(), "texts": texts(),
    }, ensure_ascii=False))


main()
