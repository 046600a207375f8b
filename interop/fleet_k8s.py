#!/usr/bin/env python3
"""The manifests that `laser fleet k8s` prints, against Kubernetes' own schema, in which no other field is allowed.

    python3 interop/fleet_k8s.py

Needs target/release/laser (or LASER=PROGRAM) and `pip install kubernetes-validate pyyaml`, which carries the schemas of many
versions: the oldest and the newest are looked at. Skips with a line that says what is missing.
"""

import copy
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SEARCH = ["search", "models/7b", "--task", "a task.jsonl", "--out", "runs/a run", "--strategy", "exhaustive"]


def main():
    laser = pathlib.Path(os.environ.get("LASER", ROOT / "target/release/laser"))
    if not laser.exists():
        print(f"skipped: there is no {laser}: cargo build --release")
        return 0
    try:
        import kubernetes_validate
        import yaml
    except ImportError as missing:
        print(f"skipped: {missing}: pip install kubernetes-validate pyyaml")
        return 0

    command = [laser, "fleet", "k8s", "--shards", "4", "--image", "registry/laser:1", "--claim", "work", *SEARCH]
    documents = list(yaml.safe_load_all(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    versions = kubernetes_validate.utils.all_versions()
    for version in (versions[0], versions[-1]):
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)
        # The checker sees what is wrong.
        for wrong in ({"completion": 4}, {"completions": "four"}, {"backoffLimit": "many"}):
            broken = copy.deepcopy(documents[0])
            broken["spec"].update(wrong)
            try:
                kubernetes_validate.validate(broken, version, strict=True)
            except kubernetes_validate.ValidationError:
                continue
            raise SystemExit(f"{wrong} is accepted")
        print(f"Kubernetes {version}: {', '.join(document['metadata']['name'] for document in documents)}: accepted")
    search, merge = documents
    container = search["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == [SEARCH[0], "--shard", "auto/4", *SEARCH[1:]] and search["spec"]["completions"] == 4
    assert merge["spec"]["template"]["spec"]["containers"][0]["args"] == ["merge", "runs/a run"]
    return 0


if __name__ == "__main__":
    sys.exit(main())
