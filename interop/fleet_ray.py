#!/usr/bin/env python3
"""A Ray cluster of three nodes on this machine searches a real model: the winner and the journal are those of one process, also
where a worker and then a node is killed in the middle. A node that joins gets work.

    python3 interop/fleet_ray.py --model SmolLM2-135M-Instruct.Q4_1.gguf --task TASK.jsonl

Needs `pip install ./python[ray]`. Skips with a line that says what is missing. Exits 1 if anything differs.
"""

import argparse
import logging
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

STRATEGIES = ("race", "compose")


def parsed():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--model", required=True)
    arguments.add_argument("--task", required=True)
    arguments.add_argument("--limit", type=int, default=200, help="examples [200]")
    arguments.add_argument("--layers", default="6-11", help="layers of the candidates [6-11]")
    return arguments.parse_args()


def outcomes(run):
    """The lines of the journal, in no order, and the verdict."""
    return sorted((run / "journal.jsonl").read_text().splitlines()), (run / "verdict.json").read_text()


class Cluster:
    """Three nodes, each with a processor."""

    def __init__(self):
        import ray
        from ray.cluster_utils import Cluster

        self.cluster = Cluster()
        self.nodes = [self.add() for _ in range(3)]
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level=logging.ERROR)

    def add(self):
        return self.cluster.add_node(num_cpus=1, object_store_memory=80_000_000, include_dashboard=False)

    def kill(self, pool):
        """A worker, then the node of another one, each in the middle of a job; then a node joins, whose id this gives."""
        while len(pool.times) < 5 or not pool.busy:
            time.sleep(0.01)
        member, _ = next(iter(pool.busy.values()))
        os.kill(member.pid, signal.SIGKILL)
        print(f"  after {len(pool.times)} jobs: worker {member.pid} killed", flush=True)
        done = len(pool.times)
        while len(pool.times) < done + 5:
            time.sleep(0.01)
        # Not the head, which has the cluster's own records.
        node = self.nodes.pop()
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        print(f"  after {len(pool.times)} jobs: a node killed", flush=True)
        joined = self.add()
        self.nodes.append(joined)
        return joined.node_id


def main():
    asked = parsed()
    try:
        import ray
        from laser_rank import Session, _native
        from laser_rank import ray as fleet
        from laser_rank._listener import Listener
        from laser_rank._session import arguments
    except ImportError as missing:
        print(f"skipped: {missing}: pip install './python[ray]'")
        return 0
    logging.basicConfig(format="  %(message)s", level=logging.WARNING)
    options = {"rho": [0.01, 0.05, 0.2], "matrices": "fc_in,out_proj", "layers": asked.layers, "limit": asked.limit, "no_costs": True}
    # Ray's workers are otherwise at the bottom of a busy machine's queue.
    os.environ.setdefault("RAY_worker_niceness", "0")
    session, cluster, wrong, of_joined = Session(asked.model), Cluster(), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for strategy in STRATEGIES:
            begun = time.monotonic()
            alone = session.search(asked.task, out=scratch / f"{strategy}-one", strategy=strategy, **options)
            print(f"{strategy}: one process: {' '.join(alone.best)}, {time.monotonic() - begun:.0f} s", flush=True)
            for kills in (False, True):
                run = scratch / f"{strategy}-{kills}"
                words = arguments({"task": asked.task, "out": run, "strategy": strategy, **options})
                words = ["search", *words, "--", asked.model]
                pool = fleet.Pool(words, 3)
                begun = time.monotonic()
                search = threading.Thread(target=_native.search_on, args=(words, pool, Listener(False)))
                search.start()
                joined = cluster.kill(pool) if kills else None
                search.join()
                pool.close()
                same = outcomes(run) == outcomes(pathlib.Path(alone.run))
                wrong += not same
                what = "a worker and a node killed" if kills else "three nodes"
                seconds, jobs = time.monotonic() - begun, len(pool.times)
                if joined is not None:
                    # Ray takes some seconds to miss a node: a short search is over by then.
                    of_joined += pool.jobs_of_node[joined]
                    what += f", one that joined did {pool.jobs_of_node[joined]} jobs"
                print(f"{strategy}: {what}: {jobs} jobs, {seconds:.0f} s: {'the same' if same else 'DIFFERENT'}", flush=True)
    ray.shutdown()
    cluster.cluster.shutdown()
    if of_joined == 0:
        print("no node that joined got work: give more --limit or --layers")
    return int(wrong > 0 or of_joined == 0)


if __name__ == "__main__":
    sys.exit(main())
