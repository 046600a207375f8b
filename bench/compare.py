#!/usr/bin/env python3
"""Times one and the same sweep in PyTorch, as the paper's published scripts go about it and batched, and in laser.

    bench/compare.py QA_WIKIDATA.jsonl [--model FILE.gguf] [--venv FOLDER] [--all-layers]

QA_WIKIDATA.jsonl is BIG-bench's qa_wikidata, one example (`input`, `targets`) a line. 100 of its examples with one target are taken
(seeded), and each of the candidates below is scored on them by each program in turn. Wanted beside this: Python with pip (torch,
transformers, gguf and accelerate are installed into FOLDER, `bench/.venv`, on first use), cargo, and the model
(`scripts/smollm2.sh`). With --all-layers laser also sweeps all layers with all 28 reductions of a layer's MLP and attention output
that a search by default tries. Half an hour on two cores, twice that with --all-layers.
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys
import venv

HERE = pathlib.Path(__file__).resolve().parent
PACKAGES = ["torch==2.15.0", "transformers==5.23.0", "gguf==0.19.0", "accelerate"]
LAYERS = [0, 10, 20, 28]
EDITS = ["fc_in:0.6", "fc_in:0.05", "out_proj:0.2"]
RHOS = ["0.9", "0.8", "0.6", "0.2", "0.1", "0.05", "0.01"]
ALL_EDITS = [f"{matrix}:{rho}" for matrix in ["fc_in", "fc_up", "fc_out", "out_proj"] for rho in RHOS]
EXACT = """\
task: qa_wikidata_exact
dataset_path: json
dataset_kwargs: {data_files: examples.jsonl}
output_type: loglikelihood
doc_to_text: "{{prompt}}"
doc_to_target: "{{answer}}"
"""


def run(command, **options):
    print("+", " ".join(map(str, command)), file=sys.stderr)
    return subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path, default=HERE.parent / "models/SmolLM2-135M-Instruct.Q4_1.gguf")
    parser.add_argument("--venv", type=pathlib.Path, default=HERE / ".venv")
    parser.add_argument("--all-layers", action="store_true")
    options = parser.parse_args()
    if not options.model.is_file():
        sys.exit(f"{options.model}: no such file: run scripts/smollm2.sh, or give --model")
    python = options.venv / "bin/python"
    if not python.exists():
        venv.create(options.venv, with_pip=True)
        run([python, "-m", "pip", "install", "--quiet", *PACKAGES])

    work = HERE / ".work"
    work.mkdir(exist_ok=True)
    rows = [json.loads(row) for row in options.data.read_text(encoding="utf-8").splitlines()]
    rows = random.Random(0).sample([row for row in rows if len(row["targets"]) == 1], 100)
    examples = work / "examples.jsonl"
    lines = [json.dumps({"prompt": row["input"], "answer": row["targets"][0]}, ensure_ascii=False) for row in rows]
    examples.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "exact.yaml").write_text(EXACT, encoding="utf-8")

    build = ["cargo", "build", "--quiet", "--release", "-p", "laser", "--example", "sweep-speed", "--message-format=json"]
    messages = [json.loads(line) for line in run(build, cwd=HERE.parent).splitlines()]
    program = [message["executable"] for message in messages if message.get("executable")][-1]

    def ours(task, layers, edits):
        return json.loads(run([program, options.model.resolve(), task, layers, *edits]))

    def pytorch(protocol, candidates):
        found = run([python, HERE / "pytorch.py", options.model.resolve(), examples, protocol, *candidates])
        return [json.loads(line) for line in found.splitlines()]

    candidates = [f"{layer}.{edit}" for layer in LAYERS for edit in EDITS]
    layers = ",".join(map(str, LAYERS))
    report("with 10 generated tokens", pytorch("paper", candidates), ours(examples, layers, EDITS))
    report("without generation", pytorch("batched", candidates), ours(work / "exact.yaml", layers, EDITS))
    if options.all_layers:
        for task, what in [(examples, "with 10 generated tokens"), (work / "exact.yaml", "without generation")]:
            found = ours(task, "*", ALL_EDITS)
            print(f"laser, all {len(found['layers'])} layers and {len(ALL_EDITS)} candidates a layer, {what}:")
            seconds = [each(found, layer) for layer in found["layers"]]
            third = seconds[-len(seconds) // 3:]
            print(f"  seconds an example and candidate: {mean(seconds):.5f}, in the upper third of the layers {mean(third):.5f}")
            products(found)


def mean(numbers):
    return sum(numbers) / len(numbers)


def each(found, layer):
    return layer["seconds"] / found["examples"] / found["candidates_a_layer"]


def products(found):
    """How much of the time went into matrix products, and how fast they were."""
    it = found["products"]
    plain = mean(it["plain_product_gflops"])
    print(f"  matrix products: {100 * it['share_of_the_time']:.0f} % of the time, {it['gflops']:.0f} GFLOP/s, "
          f"{100 * it['gflops'] / plain:.0f} % of a plain large product's {plain:.0f}")


def report(what, theirs, ours):
    print(f"{what}: seconds an example and candidate")
    print("  layer    PyTorch      laser   ratio")
    ratios = []
    for layer in ours["layers"]:
        of_layer = [it["seconds"] for it in theirs if it["candidate"].startswith(f"{layer['layer']}.")]
        a, b = mean(of_layer) / ours["examples"], each(ours, layer)
        ratios.append(a / b)
        print(f"  {layer['layer']:5}  {a:9.5f}  {b:9.5f}  {a / b:6.1f}")
    all_theirs = mean([it["seconds"] for it in theirs]) / ours["examples"]
    all_ours = mean([each(ours, layer) for layer in ours["layers"]])
    print(f"   mean  {all_theirs:9.5f}  {all_ours:9.5f}  {all_theirs / all_ours:6.1f}")
    products(ours)
    mine = {it["candidate"]: it for it in ours["candidates"]}
    outcomes = [(a, b) for it in theirs for a, b in zip(it["correct"], mine[it["candidate"]]["correct"])]
    losses = [(a, b) for it in theirs for a, b in zip(it["log_loss"], mine[it["candidate"]]["log_loss"])]
    furthest = max(abs(a - b) / max(1, abs(a)) for a, b in losses)
    print(f"  the same outcome on {sum(a == b for a, b in outcomes)} of {len(outcomes)}; log-losses at most {furthest:.1e} apart (relative)")


main()
