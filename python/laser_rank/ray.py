"""Searches on a Ray cluster (``pip install laser-rank[ray]``).

    from laser_rank import ray

    found = ray.search("SmolLM2-135M-Instruct.gguf", "facts", out="run", workers=8)

This process asks the strategy, sends jobs and writes the journal. Workers, which are Ray's actors, hold the model and score. Ray
places them, and notices when one dies: its job is done again by another.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any

try:
    import ray
except ImportError:
    raise ImportError("there is no ray in this environment: pip install 'laser-rank[ray]'") from None

from . import _native, _results, _tasks
from ._listener import Listener
from ._results import Search
from ._session import PathLike, arguments, refuse_forked

LOGGER = logging.getLogger("laser_rank")

#: A job whose worker has died so often is not tried again.
LOST = 4
#: So often may workers die while they open the model, for each that is wanted.
OPENINGS = 3
#: Seconds after which it is said that no worker is ready.
PATIENCE = 60.0
#: Seconds after which it is seen again for how many workers the cluster has room.
LOOK = 10.0
#: More workers than this would be asked of Ray for hours.
MOST_WORKERS = 10_000

#: A job: its first edited layer, how much work it is, and what is to be done.
Job = tuple[int, float, str]


class _Worker:
    """An actor: a model in memory, and a search that it has opened."""

    def open(
        self, words: list[str], folder: str, environment: dict[str, str], made: _tasks.Shipped | None
    ) -> tuple[str, str, str, int]:
        os.chdir(folder)
        os.environ.update(environment)
        if made is not None:
            _tasks.unpack(made)
        self._native = _native.Worker(words)
        node = ray.get_runtime_context().get_node_id()
        return self._native.opened, ray.util.get_node_ip_address(), node, os.getpid()

    def work(self, job: str) -> tuple[str, float, float]:
        begun, used = time.perf_counter(), time.process_time()
        return self._native.work(job), time.perf_counter() - begun, time.process_time() - used


class _Member:
    """A worker, as the pool sees it."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.node = ""
        self.node_id = ""
        self.pid = 0
        #: Whose matrices it has decomposed.
        self.layers: set[int] = set()


class Pool:
    """Workers that have each opened the search of these arguments of the program."""

    def __init__(
        self,
        words: list[str],
        workers: int | None = None,
        cpus: float = 1,
        gpus: float = 0,
        *,
        made: _tasks.Shipped | None = None,
    ) -> None:
        _check(workers, cpus, gpus)
        self._started_ray = not ray.is_initialized()
        #: What each worker needs, in words.
        self._need = f"{cpus:g} CPUs and {gpus:g} GPUs" if gpus else f"{cpus:g} CPUs"
        if self._started_ray:
            try:
                ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
            except Exception as error:
                why = "no cluster can be reached or started: see RAY_ADDRESS, and what `ray status` says"
                raise _native.Error(f"Ray: {_words(error)}: {why}") from error
        #: What a worker takes, where there are to be as many as the cluster has room for.
        self._each = (cpus, gpus) if workers is None else None
        self._look_at = time.monotonic() + LOOK
        #: Since when no worker is ready.
        self._none_since: float | None = None
        self._opened: str | None = None
        #: The kernels that count, where a search that was begun says so.
        self._kernels: str | None = None
        self._coming: dict[Any, _Member] = {}
        #: How many workers in a row have died while they opened the model.
        self._deaths = 0
        self.idle: list[_Member] = []
        self.busy: dict[Any, tuple[_Member, int]] = {}
        #: Of each job that was done: its batch, layer and size, and its seconds by the clock and of the worker's processors.
        self.times: list[tuple[int, int, float, float, float]] = []
        #: How many jobs each node has done, by its id.
        self.jobs_of_node: Counter[str] = Counter()
        self._batches = 0
        try:
            #: How many workers there are to be; jobs are cut for so many.
            self.workers = self._room(cpus, gpus) if workers is None else workers
            # A worker that is gone is started anew by the pool, wherever there is room then.
            self._actor = ray.remote(num_cpus=cpus, num_gpus=gpus, max_restarts=0, max_task_retries=0)(_Worker)
            self._opening = (words, os.getcwd(), _environment(cpus), None if made is None else ray.put(made))
            for _ in range(self.workers):
                self._start()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def _room(cpus: float, gpus: float) -> int:
        has = ray.cluster_resources()
        room = [has.get(name, 0.0) // each for name, each in (("CPU", cpus), ("GPU", gpus)) if each]
        return max(1, int(min(room, default=1)))

    def _start(self) -> None:
        member = _Member(self._actor.remote())
        self._coming[member.actor.open.remote(*self._opening)] = member

    def _grow(self) -> None:
        """Starts more workers where nodes have joined, unless their number was given."""
        if self._each is None or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK
        more = self._room(*self._each) - self.workers
        for _ in range(more):
            self._start()
        self.workers += max(0, more)

    def _wait(self) -> list[Any]:
        """What is ready within a second, of jobs and of workers that open the search."""
        self._grow()
        ready: list[Any]
        ready, _ = ray.wait([*self.busy, *self._coming], timeout=1)
        now = time.monotonic()
        if ready or self.busy or self.idle:
            self._none_since = None
        elif self._none_since is None:
            self._none_since = now
        elif now - self._none_since > PATIENCE:
            all_of = ray.cluster_resources()
            has = f"{all_of.get('CPU', 0):g} CPUs and {all_of.get('GPU', 0):g} GPUs"
            LOGGER.warning("no worker is ready yet: each needs %s, and the cluster has %s", self._need, has)
            # Once is enough.
            self._none_since = math.inf
        return ready

    def opened(self, kernels: str | None = None) -> str | None:
        """The search as the first of the workers has opened it, of those that have ``kernels``, if they are given. It waits for a
        second at most, and gives nothing if there is none yet.
        """
        self._kernels = kernels
        if self._opened is None:
            for reference in self._wait():
                self._arrived(reference)
        return self._opened

    def _left_out(self, why: str) -> None:
        """Goes on without a worker, if there are others."""
        if not (self._coming or self.idle or self.busy):
            raise _native.Error(why) from None
        LOGGER.warning("a worker is left out: %s", why)

    def _arrived(self, reference: Any) -> None:
        """Takes a worker that has opened the search, or not."""
        member = self._coming.pop(reference)
        try:
            opened, member.node, member.node_id, member.pid = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            self._left_out(_line(error))
            return
        except ray.exceptions.RayError as error:
            self._deaths += 1
            LOGGER.info("a worker has died while it opened the model: %s", _words(error))
            if self._deaths > OPENINGS * self.workers:
                why = "the workers die while they open the model: give each more memory, or start fewer on a node"
                self._left_out(f"{why}: the last one: {_words(error)}")
                return
            self._start()
            return
        self._deaths = 0
        differs = self._difference(opened)
        if differs is not None:
            ray.kill(member.actor)
            advice = "use nodes with processors of one kind, the same files and the same version"
            self._left_out(f"{differs} differs on {member.node} from what this search has: {advice}")
            return
        self._opened = self._opened or opened
        self.idle.append(member)
        LOGGER.info("a worker on %s, process %s, has opened the search", member.node, member.pid)

    def _difference(self, opened: str) -> str | None:
        """What keeps a worker from this search."""
        if self._opened is not None:
            return _native.difference(self._opened, opened)
        other = self._kernels not in (None, json.loads(opened)["search"]["kernel_path"])
        return "search.kernel_path" if other else None

    def work(self, jobs: list[Job]) -> Iterator[tuple[int, str] | None]:
        """Has jobs done: gives the number and the answer of each, in any order, and now and then nothing."""
        waiting: dict[int, deque[int]] = {}
        for number, (layer, _, _) in enumerate(jobs):
            waiting.setdefault(layer, deque()).append(number)
        lost = [0] * len(jobs)
        self._batches += 1
        while waiting or self.busy:
            while waiting and self.idle:
                member = self.idle.pop()
                layer = self._layer_for(member, waiting)
                number = waiting[layer].popleft()
                if not waiting[layer]:
                    del waiting[layer]
                member.layers.add(layer)
                self.busy[member.actor.work.remote(jobs[number][2])] = (member, number)
            ready = self._wait()
            if not ready:
                yield None
            for reference in ready:
                if reference in self._coming:
                    self._arrived(reference)
                    continue
                member, number = self.busy.pop(reference)
                try:
                    answer, *seconds = ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise _native.Error(_line(error)) from None
                except ray.exceptions.RayError:
                    lost[number] += 1
                    LOGGER.warning("the worker on %s, process %s, is gone: its job is done again", member.node, member.pid)
                    if lost[number] >= LOST:
                        line = f"the workers of one job died {LOST} times: give each more memory, or start fewer on a node"
                        raise _native.Error(line) from None
                    waiting.setdefault(jobs[number][0], deque()).appendleft(number)
                    self._start()
                    continue
                self.idle.append(member)
                self.jobs_of_node[member.node_id] += 1
                self.times.append((self._batches, *jobs[number][:2], *seconds))
                yield number, answer

    def _layer_for(self, member: _Member, waiting: dict[int, deque[int]]) -> int:
        """The layer of a worker's next job: one whose matrices it has decomposed, or nobody who is at work has."""
        own = next((layer for layer in member.layers if layer in waiting), None)
        if own is not None:
            return own
        others = {layer for other, _ in self.busy.values() for layer in other.layers}
        return next((layer for layer in waiting if layer not in others), next(iter(waiting)))

    def close(self) -> None:
        """Ends the workers, and Ray if it was started for them."""
        members = [*self._coming.values(), *self.idle, *(member for member, _ in self.busy.values())]
        for member in members:
            ray.kill(member.actor)
        if self._started_ray:
            ray.shutdown()


def _environment(cpus: float) -> dict[str, str]:
    """The variables that workers are given. Where this machine keeps its files says nothing of another one."""
    ours = {name: value for name, value in os.environ.items() if name.startswith(("LASER_", "HF_"))}
    kept = {name: value for name, value in ours.items() if not os.path.isabs(os.path.expanduser(value))}
    return {**kept, "RAYON_NUM_THREADS": str(max(1, int(cpus)))}


def _line(error: Any) -> str:
    """Why a worker failed, in one line."""
    cause = getattr(error, "cause", None)
    if cause is not None:
        return str(cause) if isinstance(cause, _native.Error) else f"{type(cause).__name__}: {_words(cause)}"
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__


def _words(error: BaseException) -> str:
    """What an error says, in one line that is not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else f"{text[:300]}..."


def _check(workers: int | None, cpus: float, gpus: float) -> None:
    """Refuses numbers of which Ray makes nothing, or never an end."""
    if workers is not None and not (isinstance(workers, int) and 1 <= workers <= MOST_WORKERS):
        most = f"1 to {MOST_WORKERS}, or None for as many as there is room for"
        raise ValueError(f"workers: {workers!r} is not a number of workers: give {most}")
    for name, value in (("cpus_per_worker", cpus), ("gpus_per_worker", gpus)):
        if not isinstance(value, (int, float)) or not 0 <= value < 1e6:
            raise ValueError(f"{name}: {value!r} is not how many a worker has: give 0 or more")


def search(
    model: PathLike,
    task: _tasks.TaskLike = None,
    *,
    out: PathLike,
    workers: int | None = None,
    gpus_per_worker: float = 0,
    cpus_per_worker: float = 1,
    strategy: str = "race",
    progress: bool | None = None,
    **options: Any,
) -> Search:
    """As :meth:`laser_rank.Session.search`, with workers on the nodes of a Ray cluster that score candidates.

    ``workers`` are as many as the cluster has room for, if nothing is said, and more when nodes join. Of a given number, those
    that find no room begin when nodes join. Each has the model in memory, and computes on ``cpus_per_worker`` cores or on the GPU.
    The model, the task and this folder must be where they are here on every node. Results are those of one process, bit for bit, on
    nodes with processors of one kind.

    Ray is used as the process has initialised it, else ``RAY_ADDRESS`` or a cluster on this machine, else one is started.
    """
    refuse_forked()
    _check(workers, cpus_per_worker, gpus_per_worker)
    options = {"device": "cuda" if gpus_per_worker else "cpu", **options}
    made = _tasks.shipped(task, options)
    if made is not None:
        # Rows that come one by one are taken once.
        task = made["task"]
    with _tasks.named(task, options) as name:
        if made is not None:
            made["spec"] = name
        words = ["search", *arguments({"task": name, "out": out, "strategy": strategy, **options}), "--", os.fspath(model)]
        pool = Pool(words, workers, cpus_per_worker, gpus_per_worker, made=made)
        try:
            document = json.loads(_native.search_on(words, pool, Listener(progress)))
        finally:
            pool.close()
    return _results.search(document)
