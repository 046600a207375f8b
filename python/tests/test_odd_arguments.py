"""What callers give by mistake: it is refused in one line that says what to do."""

import functools
import math
import os
import sys

import laser_rank
import pytest
from laser_rank import Error, Session, _tasks


def says(error, *words):
    text = str(error.value)
    assert "\n" not in text and all(word in text for word in words), text


@pytest.mark.parametrize("task", [5, b"rows", {"prompt": "a", "answer": "b"}, [5], [None], [["prompt"]], iter([5])])
def test_what_is_no_task(session, task):
    with pytest.raises(TypeError) as raised:
        session.evaluate(task)
    says(raised, "dict")


def test_rows_may_come_one_by_one_and_lack_values(session, rows):
    expected = session.evaluate(rows).document["log_loss"]
    assert session.evaluate({**row, "group": math.nan} for row in rows).document["log_loss"] == expected
    for value in (math.inf, {1, 2}):
        with pytest.raises((TypeError, ValueError), match="row 1: "):
            session.evaluate([rows[0], {"prompt": "a", "answer": value}])


def test_what_a_frame_has_in_place_of_a_value(session, rows):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows).assign(group=pandas.array([pandas.NA] * len(rows), dtype="string"))
    assert session.evaluate(frame).document["log_loss"] == session.evaluate(rows).document["log_loss"]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"kind": kind}, "kind") for kind in ("odd", 5, None, (1,), (1, 0), ("a", "b"), (math.nan, 1), (0, math.inf))]
    + [({"max_new_tokens": tokens}, "max_new_tokens") for tokens in (0, -1, 10**30, 1.5, "x", None)]
    + [({"until": until}, "until") for until in (5, [5], None)]
    + [({"scorer": scorer}, "scorer") for scorer in (5, "x")]
    + [({"name": 5}, "name")],
)
def test_what_says_how_a_function_scores(session, options, word):
    with pytest.raises((TypeError, ValueError)) as raised:
        session.evaluate([{"prompt": "a"}], **{"scorer": lambda row, text: True, **options})
    says(raised, word)


@pytest.mark.parametrize("row", [{"prompt": 5}, {"prompt": "a", "answers": "bc"}, {"prompt": "a", "answers": 5}, {"answer": "a"}])
def test_rows_that_a_function_cannot_score(session, row):
    with pytest.raises((TypeError, ValueError), match="row 1: .*prompt"):
        session.evaluate([{"prompt": "a"}, row], scorer=lambda row, text: True)


def test_a_function_that_uses_the_session_that_asks_it(session, demo):
    rows = [{"prompt": "a"}]
    with pytest.raises(Error, match="open another session"):
        session.evaluate(rows, scorer=lambda row, text: session.generate("a", max_tokens=1).text == text)
    other = Session(demo[0])
    assert session.evaluate(rows, scorer=lambda row, text: bool(other.generate("a", max_tokens=1).text)).accuracy == 1


def test_two_rows_of_one_id(session):
    with pytest.raises(ValueError, match="id q"):
        session.evaluate([{"prompt": "a", "id": "q"}, {"prompt": "b", "id": "q"}], scorer=lambda row, text: True)


@pytest.mark.parametrize("edits", ["1.fc_in", "no-such-run", ["1.fc_in"], b"1.fc_in"])
def test_what_is_no_edit(session, demo, tmp_path, edits):
    for call in (
        lambda: session.evaluate(demo[1], edits),
        lambda: session.apply(edits, tmp_path / "out"),
        lambda: laser_rank._torch._edits(edits),
    ):
        with pytest.raises(Error) as raised:
            call()
        says(raised, "not a RUN folder", "27.fc_in:0.01")


def test_edits_of_other_types(session, demo):
    for edits in (5, math.nan):
        with pytest.raises(TypeError, match="27.fc_in:0.01"):
            session.evaluate(demo[1], edits)
    assert session.edits("") == session.edits([]) == session.edits(None) == []
    assert session.edits(b"1.fc_in:0.1 0.fc_in:0.2") == ["1.fc_in:0.1", "0.fc_in:0.2"]


def test_recipes_that_are_none_for_a_module(tmp_path):
    (tmp_path / "best.json").write_text("{}")
    with pytest.raises(Error, match="not a recipe"):
        laser_rank._torch._edits(tmp_path)
    (tmp_path / "best.json").unlink()
    with pytest.raises(Error, match="finished search's RUN folder"):
        laser_rank._torch._edits(tmp_path)


@pytest.mark.parametrize("module", [object(), None, "gpt2"])
def test_what_is_no_module(module):
    pytest.importorskip("torch")
    for call in (lambda: laser_rank.from_torch(module, None), lambda: laser_rank.apply_to(module, "1.fc_in:0.1")):
        with pytest.raises(TypeError) as raised:
            call()
        says(raised, "transformers model")


def test_paths_may_be_bytes_and_must_be_unicode(session, demo, tmp_path):
    assert Session(os.fsencode(demo[0])).evaluate(demo[1], limit=2).n == 2
    assert session.apply("1.fc_in:0.1", os.fsencode(tmp_path / "out")).out == str(tmp_path / "out")
    odd = os.fsdecode(b"\xe9")
    for call in (
        lambda: Session(odd),
        lambda: session.evaluate(odd),
        lambda: session.search(demo[1], out=odd),
        lambda: session.generate("\ud800"),
    ):
        with pytest.raises(Error) as raised:
            call()
        says(raised, "not valid Unicode")


def test_a_dry_run_is_refused(session, demo, tmp_path):
    with pytest.raises(Error, match="laser search --dry-run"):
        session.search(demo[1], out=tmp_path / "run", dry_run=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes were not forked: this system has no fork")
def test_a_forked_process_says_that_it_cannot_compute(session, demo):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for call in (
                lambda: session.evaluate(demo[1], limit=2),
                lambda: Session(demo[0]),
                lambda: laser_rank.verdict("run"),
            ):
                with pytest.raises(Error, match="forked"):
                    call()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert session.evaluate(demo[1], limit=2).n == 2


def defined(source):
    """A function without a source file, as in `python -c`."""
    names = {}
    exec(source, names)
    return names["score"]


def longer_than(least):
    return lambda row, text: len(text) > least


def test_other_functions_have_other_rules():
    def counts():
        calls = 0

        def score(row, text):
            nonlocal calls
            calls += 1
            return True

        return score

    def several(row, text, least=1):
        return len(text) > least

    rule = _tasks.rule_of
    one = "def score(row, text): return text in {'a', 'b', 'c'}"
    assert rule(defined(one)) == rule(defined("\n" + one)) != rule(defined(one.replace("'c'", "'d'")))
    assert rule(longer_than(1)) == rule(longer_than(1)) != rule(longer_than(2))
    assert rule(functools.partial(several, least=1)) != rule(functools.partial(several, least=2))
    counting = counts()
    before = rule(counting)
    counting({}, "")
    assert rule(counting) == before


def test_packages_that_are_missing_are_named(found, monkeypatch):
    for package, call, extra in (
        ("pandas", found.to_pandas, "pandas"),
        ("torch", lambda: laser_rank.apply_to(object(), found), "torch"),
        ("lm_eval", lambda: _tasks.make("lm_eval:hellaswag", None), "lm-eval"),
    ):
        for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(ImportError) as raised:
            call()
        says(raised, "pip install", f"laser-rank[{extra}]")
        monkeypatch.undo()
