import logging
import pathlib

import laser_rank
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def llama():
    """A tiny random model."""
    return ROOT / "tests/fixtures/llama"


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The demo's model and task."""
    return laser_rank.demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def session(demo):
    return laser_rank.Session(demo[0])


@pytest.fixture(scope="session")
def found(session, demo, tmp_path_factory):
    """A search that finds the demo's edit."""
    run = tmp_path_factory.mktemp("search") / "run"
    return session.search(demo[1], out=run, strategy="exhaustive", rho=[0.02, 0.5], limit=400)


@pytest.fixture
def rows(demo):
    """Some rows of the demo's task, as a bare task has them."""
    import json

    lines = pathlib.Path(demo[1]).with_suffix(".jsonl").read_text().splitlines()[:60]
    return [{"id": str(number), **bare(json.loads(line))} for number, line in enumerate(lines)]


def bare(row):
    return {"prompt": row["prompt"], "answer": row["answer"]}


logging.getLogger("laser_rank").setLevel(logging.ERROR)
