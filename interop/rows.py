"""Made-up rows for real task files of lm-evaluation-harness: the fields that their templates use."""

import random

WORDS = """the a red lamp river stone bird house child garden winter market letter engine window paper
cloud teacher doctor bread salt music island bridge forest wheel coat bottle mirror candle ladder""".split()
VERBS = "sees finds opens carries paints moves breaks hears follows leaves keeps sells".split()


class Words:
    """Sentences by a seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def word(self):
        return self.random.choice(WORDS[2:])

    def phrase(self, low=2, high=5):
        return " ".join(self.random.choice(WORDS) for _ in range(self.random.randint(low, high)))

    def sentence(self):
        text = f"The {self.word()} {self.random.choice(VERBS)} {self.phrase()}"
        return text + self.random.choice([".", ".", "!", ", and then it stops."])

    def sentences(self, count):
        return " ".join(self.sentence() for _ in range(count))

    def question(self):
        return f"What does the {self.word()} do with {self.phrase(1, 3)}"

    def different(self, count):
        return self.random.sample(WORDS[2:], count)

    def below(self, n):
        return self.random.randrange(n)


def letters(text, count):
    return {"text": [text.phrase(1, 3) for _ in range(count)], "label": list("ABCDE")[:count]}


def named(text, names):
    return dict(zip(names, (text.phrase(1, 3) for _ in names)))


def arc(text):
    return {"question": text.question() + "?", "choices": letters(text, 4), "answerKey": "ABCD"[text.below(4)]}


def letters_question(text, question="question", answer="answer"):
    return {question: f" {text.question()}? ", **named(text, "ABCD"), answer: "ABCD"[text.below(4)]}


def pair(first, second):
    return lambda text: {first: text.sentence(), second: text.sentence(), "label": text.below(2)}


def labelled(*fields):
    return lambda text: {field: text.sentence() for field in fields} | {"label": text.below(2)}


def good_and_bad(good, bad):
    return lambda text: {good: text.sentence(), bad: text.sentence()}


def story(text):
    lines = {f"input_sentence_{i}": text.sentence() for i in range(1, 5)}
    quiz = {"sentence_quiz1": text.sentence(), "sentence_quiz2": text.sentence()}
    return lines | quiz | {"answer_right_ending": 1 + text.below(2)}


def multiple_choice(count):
    return lambda text: {
        "question": text.question() + "? ",
        "choices": [text.phrase(1, 3) for _ in range(count)],
        "answer": text.below(count),
        "subject": "anatomy",
    }


def wic(text):
    sentence = text.sentence()
    start = sentence.index(" ") + 1
    return {"sentence1": sentence, "sentence2": text.sentence(), "label": text.below(2), "start1": start, "end1": start + 5}


# The task's name, and what gives one of its rows.
TASKS = {
    "arc_easy": arc,
    "piqa": lambda t: {"goal": t.sentence(), "sol1": t.phrase(), "sol2": t.phrase(), "label": t.below(2)},
    "boolq": lambda t: {"passage": t.sentences(2), "question": t.question().lower(), "label": t.below(2)},
    "openbookqa": lambda t: {
        "question_stem": t.sentence()[:-1],
        "choices": letters(t, 4),
        "answerKey": t.random.choice(["A", " B", "C ", "D"])[:2].rstrip(),
    },
    "mmlu_anatomy": multiple_choice(4),
    "gsm8k": lambda t: {"question": t.sentences(2), "answer": f"{t.sentence()}\n#### {t.below(90)}"},
    "truthfulqa_mc1": lambda t: {
        "question": t.question() + "?",
        "mc1_targets": {"choices": [t.sentence() for _ in range(4)], "labels": [1, 0, 0, 0]},
    },
    "triviaqa": lambda t: {"question": t.question(), "answer": {"aliases": t.different(2), "value": t.word()}},
    "nq_open": lambda t: {"question": t.question().lower(), "answer": [t.word(), "The " + t.word()]},
    "lambada_openai": lambda t: {"text": t.sentences(3)[:-1]},
    "sciq": lambda t: {
        "support": " " + t.sentences(2),
        "question": t.question() + "?",
        **named(t, ["distractor1", "distractor2", "distractor3", "correct_answer"]),
    },
    "rte": pair("sentence1", "sentence2"),
    "wic": wic,
    "multirc": lambda t: {
        "paragraph": t.sentences(3),
        "question": t.question() + "?",
        "answer": t.phrase(),
        "label": t.below(2),
    },
    "cola": labelled("sentence"),
    "mrpc": pair("sentence1", "sentence2"),
    "qqp": pair("question1", "question2"),
    "sst2": lambda t: {"sentence": t.sentence() + " ", "label": t.below(2)},
    "anli_r1": lambda t: {"premise": t.sentences(2), "hypothesis": t.sentence(), "label": t.below(3)},
    "commonsense_qa": lambda t: {"question": t.question() + "?", "choices": letters(t, 5), "answerKey": "ABCDE"[t.below(5)]},
    "social_iqa": lambda t: {
        "context": t.sentence(),
        "question": t.question() + "?",
        **named(t, ["answerA", "answerB", "answerC"]),
        "label": str(1 + t.below(3)),
    },
    "asdiv": lambda t: {"body": t.sentences(2), "question": t.question() + "?", "answer": f"{t.below(90)} (stones)"},
    "blimp_adjunct_island": good_and_bad("sentence_good", "sentence_bad"),
    "swag": lambda t: {
        "startphrase": t.sentence() + " The " + t.word(),
        **named(t, [f"ending{i}" for i in range(4)]),
        "label": t.below(4),
    },
    "bbh_fewshot_boolean_expressions": lambda t: {
        "input": f"not ( {t.random.choice(['True', 'False'])} ) and True is",
        "target": t.random.choice(["True", "False"]),
    },
    "xnli_en": lambda t: {"premise": t.sentence()[:-1], "hypothesis": t.sentence(), "label": t.below(3)},
    "headqa_en": lambda t: {
        "qtext": t.question() + "?",
        "answers": [{"aid": i, "atext": t.phrase(1, 3)} for i in (1, 2, 3, 4)],
        "ra": 1 + t.below(4),
    },
    "belebele_eng_Latn": lambda t: {
        "flores_passage": t.sentences(2),
        "question": t.question() + "? ",
        **named(t, [f"mc_answer{i}" for i in (1, 2, 3, 4)]),
        "correct_answer_num": str(1 + t.below(4)),
    },
    "ethics_cm": labelled("input"),
    "mc_taco": labelled("sentence", "question", "answer"),
    "storycloze_2016": story,
    "ceval-valid_accountant": letters_question,
    "kmmlu_direct_accounting": lambda t: letters_question(t) | {"answer": 1 + t.below(4)},
    "anagrams1": lambda t: {"context": "Unscramble: " + "".join(sorted(t.word())), "completion": t.word()},
    "mgsm_direct_en": lambda t: {
        "question": t.sentences(2),
        "answer": t.random.choice([None, "Step-by-Step Answer: " + t.sentence()]),
        "answer_number": t.below(90),
    },
    "multiblimp_deu": good_and_bad("sen", "wrong_sen"),
    "pile_10k": lambda t: {"text": t.sentences(30)},
    "leaderboard_bbh_boolean_expressions": lambda t: {
        "input": f"not ( {t.random.choice(['True', 'False'])} ) is",
        "target": t.random.choice(["True", "False"]),
    },
}
