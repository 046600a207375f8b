"""Searches by the workers of a Ray cluster of three nodes, all on this machine."""

import json
import logging
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest
from laser_rank import Error, _native

pytest.importorskip("ray", reason="searches on Ray were not tested: there is no ray (pip install ray)")

import ray  # noqa: E402
from laser_rank import ray as fleet  # noqa: E402
from laser_rank._listener import Listener  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

SEARCH = {"rho": [0.02, 0.5], "limit": 400, "no_costs": True}


@pytest.fixture(scope="module")
def cluster():
    # Ray's workers are otherwise at the bottom of a busy machine's queue.
    os.environ.setdefault("RAY_worker_niceness", "0")
    cluster = Cluster()
    for _ in range(3):
        cluster.add_node(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False)
    ray.init(address=cluster.address, log_to_driver=False, logging_level=logging.ERROR)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def outcomes(run):
    """The lines of the journal, in no order, and the verdict."""
    folder = pathlib.Path(run)
    return sorted((folder / "journal.jsonl").read_text().splitlines()), (folder / "verdict.json").read_text()


@pytest.fixture(scope="module")
def alone(session, demo, tmp_path_factory):
    """The search of one process."""
    return session.search(demo[1], out=tmp_path_factory.mktemp("alone") / "run", strategy="race", **SEARCH)


def test_workers_give_what_one_process_gives(cluster, demo, alone, tmp_path):
    found = fleet.search(demo[0], demo[1], out=tmp_path / "run", strategy="race", workers=3, **SEARCH)
    assert found.best == alone.best and outcomes(found.run) == outcomes(alone.run)
    # Finished, it is read back; another search in the folder is refused.
    again = fleet.search(demo[0], demo[1], out=tmp_path / "run", strategy="race", workers=1, **SEARCH)
    assert again.document == found.document
    with pytest.raises(Error, match="search.strategy differs"):
        fleet.search(demo[0], demo[1], out=tmp_path / "run", strategy="exhaustive", workers=1, **SEARCH)


def test_the_jobs_of_a_worker_that_dies_are_done_again(cluster, demo, alone, tmp_path):
    words = ["search", f"--task={demo[1]}", f"--out={tmp_path / 'run'}", "--strategy=race", "--rho=0.02", "--rho=0.5"]
    pool = fleet.Pool([*words, "--limit=400", "--no-costs", "--", demo[0]], 3)

    def kill():
        while len(pool.times) < 3 or not pool.busy:
            time.sleep(0.001)
        member, _ = next(iter(pool.busy.values()))
        os.kill(member.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        _native.search_on(pool._opening[0], pool, Listener(False))
    finally:
        thread.join()
        pool.close()
    assert outcomes(tmp_path / "run") == outcomes(alone.run)


def test_the_program_s_driver_is_killed_and_resumes(cluster, demo, alone, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "laser_rank", "search", demo[0], "--task", demo[1], "--out", str(run)]
    command += ["--strategy", "race", "--rho", "0.02,0.5", "--limit", "400", "--no-costs", "--quiet", "--json"]
    command += ["--engine", "ray", "--workers", "2"]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as driver:
        while driver.poll() is None and not (run / "journal.jsonl").exists():
            time.sleep(0.01)
        driver.kill()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == alone.document["verdict"]
    assert outcomes(run) == outcomes(alone.run)


def test_tasks_in_memory_are_sent(cluster, session, demo, rows, tmp_path):
    def shortness(row, text):
        return -len(text)

    options = {"layers": "1", "matrices": "fc_in", "scorer": shortness, "kind": "real", "validation": 0.5, **SEARCH}
    one = session.search(rows, out=tmp_path / "one", strategy="exhaustive", **options)
    found = fleet.search(demo[0], rows, out=tmp_path / "run", strategy="exhaustive", workers=1, **options)
    assert outcomes(found.run) == outcomes(one.run)
    assert json.loads((tmp_path / "run/run.json").read_text())["task"]["results"] == "real"


def test_errors_are_lines(cluster, demo, tmp_path):
    for model, task, expected in (
        (tmp_path / "nothing", demo[1], "nothing"),
        (demo[0], "no-such-task", "no-such-task"),
    ):
        with pytest.raises(Error, match=expected) as raised:
            fleet.search(model, task, out=tmp_path / "run", workers=2, **SEARCH)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("workers", [0, -1, 10**9, 1.5, "two"])
def test_numbers_of_workers(demo, tmp_path, workers):
    with pytest.raises(ValueError, match="workers: .* is not a number of workers"):
        fleet.search(demo[0], demo[1], out=tmp_path / "run", workers=workers)


@pytest.mark.parametrize("name", ["cpus_per_worker", "gpus_per_worker"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "one"])
def test_what_a_worker_has(demo, tmp_path, name, value):
    with pytest.raises(ValueError, match=name):
        fleet.search(demo[0], demo[1], out=tmp_path / "run", **{name: value})


def test_ctrl_c_ends_the_wait_for_a_first_worker(cluster, demo, tmp_path, request):
    # A script's `&` has what it starts ignore SIGINT, and Python then leaves it so.
    request.addfinalizer(lambda before=signal.getsignal(signal.SIGINT): signal.signal(signal.SIGINT, before))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    # No node has room for such a worker.
    with pytest.raises(KeyboardInterrupt):
        fleet.search(demo[0], demo[1], out=tmp_path / "run", workers=1, cpus_per_worker=99, **SEARCH)


def test_rows_that_come_one_by_one_are_sent(cluster, session, demo, rows, tmp_path):
    options = {"layers": "1", "matrices": "fc_in", "strategy": "exhaustive", "validation": 0.5, **SEARCH}
    one = session.search(rows, out=tmp_path / "one", **options)
    found = fleet.search(demo[0], iter(rows), out=tmp_path / "run", workers=1, **options)
    assert outcomes(found.run) == outcomes(one.run)


def test_what_a_worker_s_failure_says():
    class Failed(Exception):
        cause = None

    error = Failed()
    assert fleet._line(error) == "Failed"
    error.cause = ValueError("two\nlines")
    assert fleet._line(error) == "ValueError: two lines"
    error.cause = Error("odd: no such task")
    assert fleet._line(error) == "odd: no such task"


def test_two_drivers_at_one_run(cluster, demo, tmp_path):
    go_on = threading.Event()

    class Held(fleet.Pool):
        """Gives no answer before it may."""

        def work(self, jobs):
            for answer in super().work(jobs):
                assert go_on.wait(60)
                yield answer

    run = tmp_path / "run"
    words = ["search", f"--task={demo[1]}", f"--out={run}", "--strategy=race", "--rho=0.02", "--rho=0.5", "--limit=400"]
    words += ["--no-costs", "--", demo[0]]
    one = Held(words, 1)
    thread = threading.Thread(target=_native.search_on, args=(words, one, Listener(False)))
    thread.start()
    while not (run / "journal.jsonl").exists():
        time.sleep(0.01)
    with pytest.raises(Error, match="another search is running"):
        fleet.search(demo[0], demo[1], out=run, strategy="race", workers=1, **SEARCH)
    go_on.set()
    thread.join()
    one.close()
    assert (run / "verdict.json").exists()
