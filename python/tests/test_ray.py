"""Searches by the workers of a Ray cluster of three nodes, all on this machine."""

import json
import logging
import os
import pathlib
import shutil
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


def hold_and_kill(pool):
    """Kills a worker that has a job in hand."""
    while True:
        time.sleep(0.001)
        at_work = list(pool.busy.items()) if len(pool.times) >= 3 else []
        for reference, (member, _) in at_work:
            os.kill(member.pid, signal.SIGSTOP)
            # An answer that was on its way has come by then.
            time.sleep(0.5)
            if reference in pool.busy:
                os.kill(member.pid, signal.SIGKILL)
                return
            os.kill(member.pid, signal.SIGCONT)


def test_the_jobs_of_a_worker_that_dies_are_done_again(cluster, demo, alone, tmp_path, caplog):
    logging.getLogger("laser_rank").setLevel(logging.WARNING)
    words = ["search", f"--task={demo[1]}", f"--out={tmp_path / 'run'}", "--strategy=race", "--rho=0.02", "--rho=0.5"]
    pool = fleet.Pool([*words, "--limit=400", "--no-costs", "--", demo[0]], 3)

    thread = threading.Thread(target=hold_and_kill, args=(pool,))
    thread.start()
    try:
        _native.search_on(pool._opening[0], pool, Listener(False))
    finally:
        thread.join()
        pool.close()
    assert "its job is done again" in caplog.text
    assert outcomes(tmp_path / "run") == outcomes(alone.run)


def test_the_program_s_driver_is_killed_and_resumes(cluster, demo, alone, tmp_path):
    run = tmp_path / "run"
    command = [sys.executable, "-m", "laser_rank", "search", demo[0], "--task", demo[1], "--out", str(run)]
    command += ["--strategy", "race", "--rho", "0.02,0.5", "--limit", "400", "--no-costs", "--quiet", "--json"]
    command += ["--engine", "ray", "--workers", "2"]
    environment = {**os.environ, "RAY_ADDRESS": cluster.address}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as driver:
        journal = run / "journal.jsonl"
        while driver.poll() is None and not (journal.exists() and journal.read_text().count("\n")):
            time.sleep(0.002)
        driver.kill()
    assert driver.returncode == -signal.SIGKILL and not (run / "verdict.json").exists()
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
        # No node has room for such a worker: it is not waited for.
        fleet.search(demo[0], demo[1], out=run, strategy="race", workers=1, cpus_per_worker=99, **SEARCH)
    go_on.set()
    thread.join()
    one.close()
    assert (run / "verdict.json").exists()


def test_a_search_that_was_begun_says_which_kernels_count(cluster, demo, alone, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(alone.run, run)
    described = json.loads((run / "run.json").read_text())
    described["search"]["kernel_path"] = "another"
    (run / "run.json").write_text(json.dumps(described))
    with pytest.raises(Error, match="search.kernel_path differs on .* from what this search has"):
        fleet.search(demo[0], demo[1], out=run, strategy="race", workers=1, **SEARCH)


@pytest.fixture
def pools(cluster, alone, tmp_path, monkeypatch):
    """Makes pools of workers without a model, which open what a file holds, and die where it holds nothing."""
    file = tmp_path / "opened"
    file.write_text((pathlib.Path(alone.run) / "run.json").read_text())

    class Light:
        def open(self, words, folder, environment, made):
            import os
            import pathlib

            import ray

            self.made = made
            opened = pathlib.Path(words[0]).read_text()
            return (opened, "here", ray.get_runtime_context().get_node_id(), os.getpid()) if opened else os._exit(1)

        def work(self, job):
            import time

            time.sleep(float(job))
            return str(self.made), 0.0, 0.0

    monkeypatch.setattr(fleet, "_Worker", Light)
    logging.getLogger("laser_rank").setLevel(logging.WARNING)
    made = []

    def pool(*size, **options):
        made.append(fleet.Pool([str(file)], *size, **options))
        return file, made[-1]

    yield pool
    for one in made:
        one.close()


def until_idle(pool, workers):
    while len(pool.idle) < workers:
        for reference in pool._wait():
            pool._arrived(reference)


def test_no_worker_is_left_that_has_opened_this_search(pools):
    file, pool = pools(1)
    until_idle(pool, 1)
    pool.opened()
    other = json.loads(file.read_text())
    other["search"]["kernel_path"] = "another"
    file.write_text(json.dumps(other))
    os.kill(pool.idle[0].pid, signal.SIGKILL)
    with pytest.raises(Error, match="search.kernel_path differs on here"):
        list(pool.work([(0, 1.0, "0")]))


def test_workers_that_die_as_they_open_end_a_search_only_if_none_is_left(pools, monkeypatch, caplog):
    monkeypatch.setattr(fleet, "OPENINGS", 0)
    file, pool = pools(2)
    until_idle(pool, 2)
    file.write_text("")
    os.kill(pool.idle[-1].pid, signal.SIGKILL)
    answers = [answer for answer in pool.work([(layer, 1.0, "2") for layer in range(5)]) if answer is not None]
    assert sorted(number for number, _ in answers) == [0, 1, 2, 3, 4]
    assert "a worker is left out: the workers die while they open the model" in caplog.text
    os.kill(pool.idle[0].pid, signal.SIGKILL)
    with pytest.raises(Error, match="the workers die while they open the model"):
        list(pool.work([(0, 1.0, "0")]))


def test_nodes_that_join_get_work(pools, cluster, monkeypatch):
    monkeypatch.setattr(fleet, "LOOK", 0.5)
    _, pool = pools(made={"rows": 1})
    assert pool.workers == 3
    node = cluster.add_node(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False)
    try:
        for answer in pool.work([(number, 1.0, "0.2") for number in range(10_000)]):
            assert answer is None or answer[1] == "{'rows': 1}"
            if len(pool.jobs_of_node) == 4:
                break
        assert pool.workers == 4
    finally:
        pool.close()
        cluster.remove_node(node)


def test_that_no_worker_is_ready_is_said_once(pools, monkeypatch, caplog):
    monkeypatch.setattr(fleet, "PATIENCE", 0.5)
    _, pool = pools(1, 99)
    assert [pool.opened() for _ in range(4)] == [None] * 4
    assert caplog.text.count("no worker is ready yet: each needs 99 CPUs, and the cluster has 3 CPUs") == 1


def test_variables_that_hold_paths_stay_here(monkeypatch):
    for name, value in (("HF_HOME", "/cache"), ("HF_TOKEN_PATH", "~/token"), ("HF_TOKEN", "t"), ("HF_ENDPOINT", "https://hub/a")):
        monkeypatch.setenv(name, value)
    given = fleet._environment(0.5)
    assert (given["HF_TOKEN"], given["HF_ENDPOINT"], given["RAYON_NUM_THREADS"]) == ("t", "https://hub/a", "1")
    assert not {"HF_HOME", "HF_TOKEN_PATH", "PATH"} & given.keys()


def test_a_ray_that_was_started_in_vain_is_ended(monkeypatch):
    told = []

    def fails(**options):
        raise ValueError("no such options")

    monkeypatch.setattr(fleet.ray, "is_initialized", lambda: False)
    monkeypatch.setattr(fleet.ray, "init", lambda **options: told.append("init"))
    monkeypatch.setattr(fleet.ray, "shutdown", lambda: told.append("shutdown"))
    monkeypatch.setattr(fleet.ray, "remote", fails)
    with pytest.raises(ValueError, match="no such options"):
        fleet.Pool(["search"], 1)
    assert told == ["init", "shutdown"]
