#!/usr/bin/env python3
"""Makes examples with the metrics that scipy, scikit-learn and numpy compute for them.

    scripts/make-metrics-reference.py > tests/fixtures/metrics/reference.json

Needs scipy and scikit-learn. Everything is random with a fixed seed; no model is involved.
"""

import json
import re
import string

import numpy as np
import scipy
import sklearn
from scipy.special import log_softmax, softmax
from scipy.stats import binomtest, permutation_test
from sklearn import metrics

CLASSES = 3
POSITIVE = 1
TOP = (1, 5, 10)
SWITCHES = {
    "strict": [], "case": ["ignore_case"], "punctuation": ["ignore_case", "ignore_punctuation"],
    "all": ["ignore_case", "ignore_punctuation", "ignore_numbers"],
}
ANSWERS = [
    ["Paris"], ["New York City", "New York"], ["the Danube"], ["1969", "July 1969"], ["Marie Curie"], ["don't know"],
    ["well-known author"], ["42"], ["Île-de-France"], ["St. Peter's Basilica", "Saint Peter’s"], ["a b c d"], ["C++"],
]

random = np.random.default_rng(20240707)


def rounded(values):
    """As written, so that the reference and its reader start from the same numbers."""
    return np.round(values, 6)


def choice_logprobs(scores):
    """Normalised over the choices, less a number of each example's own: the rest of a vocabulary has its share too."""
    return rounded(log_softmax(scores, axis=1) - random.uniform(0, 3, (len(scores), 1)))


def classification(n=60):
    truth = random.choice(CLASSES, n, p=[0.5, 0.3, 0.2])
    signal = np.eye(CLASSES)[truth]
    bias = np.array([0.0, 1.2, -0.4])
    base = choice_logprobs(random.normal(0, 1, (n, CLASSES)) + 0.8 * signal + bias)
    edited = choice_logprobs(random.normal(0, 1, (n, CLASSES)) + 1.6 * signal + bias)
    blank = choice_logprobs(random.normal(0, 0.5, (n, CLASSES)) + bias)
    lengths = random.integers(2, 15, (n, CLASSES))
    weights = random.integers(0, 4, n)
    examples = [
        {"truth": t, "base": b, "edited": e, "blank": q, "characters": c, "group": g}
        for t, b, e, q, c, g in zip(truth, base, edited, blank, lengths, np.arange(n) // 2)
    ]

    def of(logprobs):
        predicted = logprobs.argmax(1)
        ratio = softmax(logprobs, axis=1) / softmax(blank, axis=1)
        one_blank = softmax(logprobs, axis=1) / softmax(blank[0])
        labels = list(range(CLASSES))
        return {
            "predicted": predicted,
            "histogram": np.bincount(predicted, minlength=CLASSES),
            "accuracy": metrics.accuracy_score(truth, predicted),
            "accuracy_normalised": metrics.accuracy_score(truth, (logprobs / lengths).argmax(1)),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "weighted_balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted, sample_weight=weights),
            "macro_f1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
            "weighted_macro_f1": metrics.f1_score(
                truth, predicted, average="macro", zero_division=0, sample_weight=weights),
            "binary_f1": metrics.f1_score(truth == POSITIVE, predicted == POSITIVE, zero_division=0),
            "f1_by_class": metrics.f1_score(truth, predicted, average=None, labels=labels, zero_division=0),
            "calibrated": ratio.argmax(1),
            "calibrated_accuracy": metrics.accuracy_score(truth, ratio.argmax(1)),
            "calibrated_accuracy_one_blank": metrics.accuracy_score(truth, one_blank.argmax(1)),
        }

    class_, count = max(enumerate(np.bincount(truth)), key=lambda pair: pair[1])
    return {
        "classes": CLASSES, "positive": POSITIVE, "examples": examples, "weights": weights,
        "majority_class": class_, "majority_share": count / n, "base": of(base), "edited": of(edited),
    }


def words(text):
    return set(re.findall(r"[^\W_]+(?:['’‐-][^\W_]+)*|\S", text.strip().lower()))


def overlap(text, answers):
    best = None
    for answer in answers:
        g, a = words(text), words(answer)
        p, r = len(g & a) / max(1, len(g)), len(g & a) / max(1, len(a))
        f1 = 0.0 if p + r == 0 else 2 * p * r / (p + r)
        if best is None or f1 > best["f1"]:
            best = {"f1": f1, "precision": p, "recall": r}
    return best


def exact_match(text, answers, switches):
    def compared(text):
        if "ignore_case" in switches:
            text = text.lower()
        removed = string.punctuation if "ignore_punctuation" in switches else ""
        removed += string.digits if "ignore_numbers" in switches else ""
        return text.translate(str.maketrans("", "", removed))

    return any(compared(answer) == compared(text) for answer in answers)


def generated(answers, i):
    """A text that has the answer in it more or less."""
    answer = answers[random.integers(len(answers))]
    forms = [
        answer, f" {answer}\n", answer.upper(), f"{answer}.", f'"{answer.lower()}"', f"{answer} {i}",
        f"It is {answer}, I think.", f"the {answer.split()[0]}", "something else entirely",
        f"{answer} {answer}-{answer}", "", f"(2) {answer}",
    ]
    return forms[random.integers(len(forms))]


def generation(n=40):
    examples = []
    for i in range(n):
        answers = ANSWERS[i % len(ANSWERS)]
        tokens = random.integers(1, 6)
        examples.append({
            "answers": answers, "text": generated(answers, i), "tokens": tokens,
            "logprob": rounded(-random.gamma(2.0, 1.0) * tokens), "rank": 1 + int(random.gamma(0.7, 8.0)),
        })
    for example in examples:
        example["overlap"] = overlap(example["text"], example["answers"])
        example["exact_match"] = {
            name: exact_match(example["text"], example["answers"], switches) for name, switches in SWITCHES.items()}
    ranks = np.array([example["rank"] for example in examples])
    logprobs = np.array([example["logprob"] for example in examples])
    tokens = np.array([example["tokens"] for example in examples])
    return {
        "switches": SWITCHES, "examples": examples,
        "log_loss": np.mean(-logprobs / tokens),
        "top": {str(k): np.mean(ranks <= k) for k in TOP},
        "overlap": {key: np.mean([e["overlap"][key] for e in examples]) for key in ("f1", "precision", "recall")},
        "exact_match": {name: np.mean([e["exact_match"][name] for e in examples]) for name in SWITCHES},
        "trimmed_match": np.mean([
            any(a.strip().lower() == e["text"].strip().lower() for a in e["answers"]) for e in examples]),
    }


def paired(n=200):
    base = random.random(n) < 0.4
    edited = np.where(random.random(n) < 0.25, random.random(n) < 0.7, base)
    gained, lost = int(np.sum(edited & ~base)), int(np.sum(base & ~edited))
    differences = rounded(random.normal(0.4, 1, 12))
    flips = permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
    intervals = {}
    for name, right in (("base", base), ("edited", edited)):
        interval = binomtest(int(right.sum()), n).proportion_ci(method="wilson")
        intervals[name] = {"low": interval.low, "high": interval.high}
    return {
        "base": "".join("01"[right] for right in base.astype(int)),
        "edited": "".join("01"[right] for right in edited.astype(int)),
        "gained": gained, "lost": lost, "gain": (gained - lost) / n,
        "mcnemar_p": binomtest(gained, gained + lost).pvalue, "wilson": intervals,
        "differences": differences, "sign_flip_p": flips.pvalue,
    }


def written(value, indent=""):
    """JSON with one line for each example and each number."""
    inner = indent + " "
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(key)}: {written(part, inner)}" for key, part in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + ",\n".join(inner + line(row) for row in value) + f"\n{indent}]"
    return line(value)


def line(value):
    return json.dumps(value, ensure_ascii=False, default=lambda number: number.tolist())


print(written({
    "scipy": scipy.__version__, "scikit_learn": sklearn.__version__, "numpy": np.__version__,
    "classification": classification(), "generation": generation(), "paired": paired(),
}))
