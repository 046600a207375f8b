#!/usr/bin/env python3
"""How an exhaustive search on Ray scales: measured with 1 and 2 workers, simulated for more.

    python3 bench/fleet_scaling.py --model MODEL --task TASK

Each job's processor seconds are noted, and a line is fitted to them: seconds for each pass of an example through a layer, and for
each matrix that is decomposed. The simulated search has more candidates and examples. It is cut by the driver's rule, each worker
takes the jobs of its own layers first, and the driver needs the time that it was measured to need for a job and for a candidate.
Needs `pip install './python[ray]'`.
"""

import argparse
import heapq
import json
import logging
import os
import pathlib
import sys
import tempfile
import time
from collections import defaultdict, deque

PIECES, EXAMPLES = 4, 8  # as in crates/laser-fleet/src/cut.rs


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--task", required=True)
    arguments.add_argument("--layers", type=int, default=30, help="layers of the model [30]")
    arguments.add_argument("--limit", type=int, default=60, help="examples of the measured search, of which a fifth serves choosing")
    arguments.add_argument("--simulate", default="1,2,8,64,512")
    arguments.add_argument("--matrices", type=int, default=7, help="matrices of a layer in the simulated search [7]")
    arguments.add_argument("--rhos", type=int, default=7, help="and rhos of each [7]")
    arguments.add_argument("--examples", type=int, default=200, help="and examples [200]")
    return arguments.parse_args()


def passes(layers, first, candidates):
    return first + candidates * (layers - first + 1)


def cut(layers, matrices, rhos, examples, workers):
    """The jobs of an exhaustive search: layer, size, candidates, matrices; the largest first."""
    of_layer = matrices * rhos
    most = sum(passes(layers, layer, of_layer) * examples for layer in range(layers)) / (PIECES * workers)
    jobs = []
    for layer in range(layers):
        wanted = -(-passes(layers, layer, of_layer) * examples // most)
        parts = int(min(max(wanted, 1), of_layer))
        ranges = int(min(max(-(-wanted // parts), 1), max(examples // EXAMPLES, 1)))
        for part in range(parts):
            start, end = of_layer * part // parts, of_layer * (part + 1) // parts
            touched = (end - 1) // rhos - start // rhos + 1
            for piece in range(ranges):
                share = examples * (piece + 1) // ranges - examples * piece // ranges
                jobs.append((layer, passes(layers, layer, end - start) * share, (end - start) / ranges, touched))
    return sorted(jobs, key=lambda job: -job[1])


def simulated(jobs, workers, seconds, driver_seconds):
    """Seconds until the last job is done, and of the driver."""
    waiting = defaultdict(deque)
    for job in jobs:
        waiting[job[0]].append(job)
    own, owners = [set() for _ in range(workers)], defaultdict(int)
    free, driver, end = [(0.0, worker) for worker in range(workers)], 0.0, 0.0
    while waiting:
        at, worker = heapq.heappop(free)
        fresh = next((layer for layer in waiting if not owners[layer]), next(iter(waiting)))
        layer = next((layer for layer in own[worker] if layer in waiting), fresh)
        owners[layer] += layer not in own[worker]
        own[worker].add(layer)
        job = waiting[layer].popleft()
        if not waiting[layer]:
            del waiting[layer]
        driver = max(driver, at) + driver_seconds(job)
        done = driver + seconds(job)
        end = max(end, done)
        heapq.heappush(free, (done, worker))
    return end, sum(map(driver_seconds, jobs))


def dispatch_seconds(ray, jobs=1000):
    """The driver's processor seconds for a job that does nothing, question and answer as large as real ones."""

    class Nothing:
        def work(self, text):
            return text, 0.0, 0.0

    actor = ray.remote(num_cpus=1)(Nothing)
    idle, busy, text = [actor.remote() for _ in range(2)], {}, "x" * 2000
    ray.get([member.work.remote(text) for member in idle])
    begun = time.process_time()
    for _ in range(jobs):
        if not idle:
            (ready,), _ = ray.wait(list(busy))
            ray.get(ready)
            idle.append(busy.pop(ready))
        member = idle.pop()
        busy[member.work.remote(text)] = member
    ray.get(list(busy))
    return (time.process_time() - begun) / jobs


def fitted(times):
    """Least squares: seconds for each pass through a layer, and for each job."""
    n = len(times)
    mean_x, mean_y = (sum(column) / n for column in zip(*times))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in times) / sum((x - mean_x) ** 2 for x, _ in times)
    slope = max(slope, 0.0)
    rest = sum((y - mean_y) ** 2 for _, y in times)
    left = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in times)
    return slope, max(mean_y - slope * mean_x, 0.0), 1 - left / rest


def main():
    asked = parsed()
    import ray
    from laser_rank import _native
    from laser_rank import ray as fleet
    from laser_rank._listener import Listener
    from laser_rank._session import arguments

    # Ray's workers are otherwise at the bottom of a busy machine's queue.
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(address="local", num_cpus=2, log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
    dispatch = dispatch_seconds(ray)
    options = {"rho": "0.01,0.05,0.1", "matrices": "fc_in,out_proj", "limit": asked.limit, "no_costs": True}
    per_candidate = 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for workers in (1, 2):
            run = pathlib.Path(scratch) / str(workers)
            words = arguments({"task": asked.task, "out": run, "strategy": "exhaustive", **options})
            words = ["search", *words, "--", asked.model]
            begun = time.monotonic()
            pool = fleet.Pool(words, workers)
            while pool.opened() is None:
                pass
            opened = time.monotonic() - begun
            begun, used = time.monotonic(), time.process_time()
            found = json.loads(_native.search_on(words, pool, Listener(False)))
            seconds, driver = time.monotonic() - begun, time.process_time() - used
            pool.close()
            cpu = sum(job[4] for job in pool.times)
            per_candidate = max(0.0, driver - dispatch * len(pool.times)) / found["verdict"]["candidates"]
            print(f"measured, {workers} workers: {len(pool.times)} jobs, {cpu:.0f} processor seconds of workers, {driver:.1f} of "
                  f"the driver, {seconds:.0f} s by the clock, a worker opened in {opened:.0f} s", flush=True)
    # One batch scores all candidates, a layer in each job.
    batch = max(pool.times, key=lambda job: job[2])[0]
    times = [(job[2], job[4]) for job in pool.times if job[0] == batch]
    slope, per_job, fit = fitted(times)
    per_matrix = per_job / 2
    print(f"fitted to {len(times)} jobs (R2 {fit:.2f}): {1e6 * slope:.0f} us for an example through a layer, {per_matrix:.2f} s for a "
          f"matrix; driver {1e3 * dispatch:.2f} ms for a job and {1e3 * per_candidate:.2f} ms for a candidate")
    candidates = asked.layers * asked.matrices * asked.rhos
    print(f"simulated: {candidates} candidates on {asked.examples} examples\n"
          "| workers | jobs | seconds | times faster | of workers busy | driver busy | longest job, s |\n"
          "| --- | --- | --- | --- | --- | --- | --- |")
    one = None
    for workers in map(int, asked.simulate.split(",")):
        jobs = cut(asked.layers, asked.matrices, asked.rhos, asked.examples, workers)
        seconds_of = lambda job: slope * job[1] + per_matrix * job[3]  # noqa: E731
        end, driver = simulated(jobs, workers, seconds_of, lambda job: dispatch + per_candidate * job[2])
        one = one or end
        work = sum(map(seconds_of, jobs))
        print(f"| {workers} | {len(jobs)} | {end:.1f} | {one / end:.0f} | {work / end / workers:.0%} | {driver / end:.0%} "
              f"| {max(map(seconds_of, jobs)):.1f} |")
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
