"""A session, as its users hold it."""

import json
import logging
import os
import signal
import threading
import time
from functools import partial

import laser_rank
import pytest
from laser_rank import Error, Session, _native


def test_a_search_finds_the_edit_and_tells_it(found):
    assert found.best == ["1.fc_in:0.02"]
    assert found.verdict.word == "real"
    assert "points more right on unseen examples" in found.verdict.because
    assert found.verdict.edited["accuracy"] > found.verdict.base["accuracy"] + 0.4
    for shown in (found._repr_html_(), found.verdict._repr_html_()):
        assert shown.startswith("<iframe") and "map-accuracy" in shown and "1.fc_in" in shown


def test_a_finished_search_is_judged_from_its_folder(found, session):
    again = laser_rank.verdict(found.run)
    assert again.document == session.verdict(found).document == found.verdict.document


def test_results_are_frames(found, session, demo):
    pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert {"edits", "split", "n", "accuracy", "log_loss"} <= set(frame.columns)
    assert set(frame["split"]) == {"validation", "test"}
    assert list(found.verdict.to_pandas()["model"]) == ["base", "base", "edited", "edited"]
    scored = session.evaluate(demo[1], found, limit=20)
    assert scored.to_pandas()["correct"].mean() == pytest.approx(scored.accuracy)


def test_an_evaluation_has_the_program_s_numbers(session, demo):
    base = session.evaluate(demo[1], limit=50)
    edited = session.evaluate(demo[1], "1.fc_in:0.02", limit=50)
    assert (base.n, edited.edits) == (50, ["1.fc_in:0.02"])
    assert edited.accuracy > base.accuracy
    assert base.metrics["exact_match,none"] == base.accuracy
    assert len(base.examples) == 50 and "accuracy" in base._repr_html_()


def test_rows_in_memory_are_a_task(session, rows, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert session.evaluate(rows).document["log_loss"] == session.evaluate(path).document["log_loss"]


def test_frames_and_data_sets_are_tasks(session, rows):
    pandas = pytest.importorskip("pandas")
    expected = session.evaluate(rows)
    frame = pandas.DataFrame([*rows, {"id": "more", "prompt": "a", "answers": ["b", "c"]}])
    assert session.evaluate(frame).n == expected.n + 1
    datasets = pytest.importorskip("datasets")
    assert session.evaluate(datasets.Dataset.from_list(rows)).accuracy == expected.accuracy


def holds_answer(row, text):
    return row["answer"].strip().lower() in text.lower()


def test_a_function_scores_generated_texts(session, rows, tmp_path):
    by_rule = session.evaluate(rows, "1.fc_in:0.02")
    by_function = session.evaluate(rows, "1.fc_in:0.02", scorer=holds_answer)
    assert by_function.accuracy == by_rule.accuracy
    assert by_function.log_loss == pytest.approx(by_rule.log_loss)
    options = {"strategy": "exhaustive", "rho": [0.02], "layers": "1", "no_costs": True, "validation": 0.5}
    found = session.search(rows, out=tmp_path / "binary", scorer=holds_answer, **options)
    plain = session.search(rows, out=tmp_path / "plain", **options)
    assert found.best == plain.best
    assert found.verdict.base == plain.verdict.base
    real = session.search(rows, out=tmp_path / "real", scorer=lambda row, text: -len(text), kind="real", **options)
    assert real.document["verdict"]["base"]["test"]["accuracy"] < 0


def test_a_function_that_raises_is_the_cause(session, rows):
    def fails(row, text):
        raise ZeroDivisionError("no score")

    with pytest.raises(Error, match="no score") as raised:
        session.evaluate(rows, scorer=fails)
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    with pytest.raises(Error, match="kind"):
        session.evaluate(rows, scorer=lambda row, text: 0.5)


def test_errors_are_the_program_s_lines(session, demo, tmp_path):
    with pytest.raises(Error) as raised:
        Session(tmp_path / "nothing")
    assert "nothing" in str(raised.value) and "\n" not in str(raised.value) and not str(raised.value).startswith("error")
    for call in (
        lambda: session.evaluate("no-such-task"),
        lambda: session.evaluate(demo[1], "99.fc_in:0.1"),
        lambda: session.search(demo[1], out=tmp_path / "run", strategy="guess"),
        lambda: session.search(demo[1], out=tmp_path / "run", width=3),
        lambda: session.evaluate(demo[1], chat=True),
        lambda: laser_rank.verdict(tmp_path),
        lambda: session.evaluate("lm_eval:no_such_task_at_all"),
    ):
        with pytest.raises(Error) as raised:
            call()
        assert "\n" not in str(raised.value), raised.value


def test_an_edited_model_is_written_and_speaks(session, found, demo, tmp_path):
    written = session.apply(found, tmp_path / "edited")
    assert written.format == "hf" and written.interventions[0]["kept_rank"] == 1
    prompt = "a b c"
    assert session.generate(prompt, found, max_tokens=3).text == Session(tmp_path / "edited").generate(prompt, max_tokens=3).text
    said = session.generate(prompt, max_tokens=2)
    assert str(said) == said.text and len(said.steps) <= 2


class Listener:
    """Counts, and does something when work has begun."""

    def __init__(self, act=None):
        self.steps, self.notes, self.act = 0, [], act

    def start(self, what, total, done):
        pass

    def advance(self, steps):
        self.steps += steps
        if self.act:
            self.act, act = None, self.act
            act()

    def finish(self):
        pass

    def best(self, text):
        pass

    def note(self, text):
        self.notes.append(text)


def test_ctrl_c_ends_a_search_that_resumes(demo, tmp_path, request):
    model, task = demo
    # A script's `&` has what it starts ignore SIGINT, and Python then leaves it so.
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    listener = Listener()
    session = _native.Session([model], listener)
    words = ["search", f"--task={task}", f"--out={tmp_path / 'run'}", "--strategy=exhaustive", "--no-costs"]
    listener.act = lambda: os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        session.command(words)
    # It goes on where it was, and later calls are not stopped.
    assert json.loads(session.command(words))["best"]


def test_ctrl_c_ends_a_slow_function_between_two_rows(session, rows, request):
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    scored = []

    def slow(row, text):
        scored.append(row)
        if len(scored) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.5)
        return True

    with pytest.raises(KeyboardInterrupt):
        session.evaluate(rows, scorer=slow)
    assert len(scored) < len(rows)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    # Later calls are not stopped.
    assert session.evaluate(rows, scorer=lambda row, text: True).accuracy == 1


def test_ctrl_c_ends_a_call_that_waits_for_its_turn(demo, request):
    request.addfinalizer(partial(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT)))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    begun, go_on, done = threading.Event(), threading.Event(), []
    session = Session(demo[0])

    def holds(row, text):
        begun.set()
        assert go_on.wait(60)
        return 1.0

    rows = [{"prompt": "a b c", "answer": "a"}]
    other = threading.Thread(target=lambda: done.append(session.evaluate(rows, scorer=holds)))
    other.start()
    assert begun.wait(60)
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        session.evaluate(rows)
    # The other call is not ended by it.
    assert not done
    go_on.set()
    other.join()
    assert done[0].accuracy == 1.0


def test_a_scorer_cannot_use_the_session_that_asks_it(session, llama, found):
    rows = [{"prompt": "a b c", "answer": "a"}]
    other, causes = Session(llama), []

    def asks(row, text):
        for call in (lambda: session.evaluate(rows), lambda: session.edits(found.run), lambda: session.generate("a b")):
            with pytest.raises(Error, match="open another session"):
                call()
        # By way of another session, too.
        with pytest.raises(Error, match="open another session") as raised:
            other.evaluate(rows, scorer=lambda row, text: session.evaluate(rows).accuracy)
        causes.append(raised.value.__cause__)
        return other.evaluate(rows).n

    assert session.evaluate(rows, scorer=asks).accuracy == 1.0
    assert isinstance(causes[0], Error)


def test_rows_need_no_answer_where_a_function_judges(session, llama):
    for one in (session, Session(llama)):
        scored = one.evaluate([{"prompt": "a b c"}, {"prompt": "d e", "answer": "f"}], scorer=lambda row, text: len(row) == 1)
        assert scored.accuracy == 0.5


def test_other_threads_go_on_meanwhile(session, demo):
    ticks = []
    stop = threading.Event()

    def tick():
        while not stop.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.005)

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    session.evaluate(demo[1])
    ended = time.monotonic()
    stop.set()
    thread.join()
    during = [begun, *(at for at in ticks if begun < at < ended), ended]
    assert max(after - before for before, after in zip(during, during[1:])) < 0.5 * (ended - begun) + 0.1


def test_notes_are_logged(session, rows, caplog, tmp_path):
    logger = logging.getLogger("laser_rank")
    logger.setLevel(logging.WARNING)
    with caplog.at_level(logging.WARNING, logger="laser_rank"):
        session.search(rows, out=tmp_path / "run", rho=[0.02], layers="1", matrices="fc_in", no_costs=True)
    assert "use more examples" in caplog.text
