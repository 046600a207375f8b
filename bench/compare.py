#!/usr/bin/env python3
"""Times one and the same sweep in PyTorch, as the paper's published scripts go about it and batched, and in laser.

    bench/compare.py QA_WIKIDATA.jsonl [--model FILE.gguf] [--venv FOLDER] [--all-layers] [--protocol paper|batched]

QA_WIKIDATA.jsonl is BIG-bench's qa_wikidata, one example (`input`, `targets`) a line. 100 of its examples with one target are taken
(seeded). PyTorch scores two reductions in each of four layers on them; laser, as a search does, all 28 reductions of a layer's MLP and
attention output, in every second layer or in --all-layers. What PyTorch needs does not depend on the layer. Wanted beside this:
Python with pip (torch, transformers, gguf and accelerate are installed into FOLDER, `bench/.venv`, on first use), cargo, and the
model (`scripts/smollm2.sh`). A quarter of an hour on two fast cores, more with --all-layers.
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
EDITS = ["fc_in:0.05", "out_proj:0.2"]
RHOS = ["0.9", "0.8", "0.6", "0.2", "0.1", "0.05", "0.01"]
ALL_EDITS = [f"{matrix}:{rho}" for matrix in ["fc_in", "fc_up", "fc_out", "out_proj"] for rho in RHOS]
EXACT = """\
task: qa_wikidata_exact
dataset_path: json
dataset_kwargs: {data_files: examples.jsonl}
output_type: loglikelihood
doc_to_text: "{{prompt}}"
doc_to_target: " {{answer}}"
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
    parser.add_argument("--protocol", choices=["paper", "batched"], help="only this one of the two")
    options = parser.parse_args()
    if not options.model.is_file():
        sys.exit(f"{options.model}: no such file: run scripts/smollm2.sh, or give --model")
    python = options.venv / "bin/python"
    # Written last: an installation that was interrupted is made anew.
    installed = options.venv / "installed.txt"
    if not (installed.is_file() and installed.read_text().split() == PACKAGES):
        venv.create(options.venv, with_pip=True)
        run([python, "-m", "pip", "install", "--quiet", *PACKAGES])
        installed.write_text("\n".join(PACKAGES))

    work = HERE / ".work"
    work.mkdir(exist_ok=True)
    rows = [json.loads(row) for row in options.data.read_text(encoding="utf-8").splitlines()]
    rows = random.Random(0).sample([row for row in rows if len(row["targets"]) == 1], 100)
    examples = work / "examples.jsonl"
    lines = [json.dumps({"prompt": row["input"], "answer": row["targets"][0]}, ensure_ascii=False) for row in rows]
    examples.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "exact.yaml").write_text(EXACT, encoding="utf-8")

    build = ["cargo", "build", "--quiet", "--release", "--workspace", "--example", "sweep-speed",
             "--message-format=json"]
    messages = [json.loads(line) for line in run(build, cwd=HERE.parent).splitlines()]
    program = [message["executable"] for message in messages if message.get("executable")][-1]

    def ours(task):
        return json.loads(run([program, options.model.resolve(), task, layers, *ALL_EDITS]))

    def pytorch(protocol):
        candidates = [f"{layer}.{edit}" for layer in LAYERS for edit in EDITS]
        found = run([python, HERE / "pytorch.py", options.model.resolve(), examples, protocol, *candidates])
        return [json.loads(line) for line in found.splitlines()]

    layers = "*" if options.all_layers else ",".join(map(str, range(0, 30, 2)))
    if options.protocol != "batched":
        report("with 10 generated tokens, PyTorch by the paper's protocol", pytorch("paper"), ours(examples))
    if options.protocol != "paper":
        report("without generation, PyTorch batched", pytorch("batched"), ours(work / "exact.yaml"))


def mean(numbers):
    numbers = list(numbers)
    return sum(numbers) / len(numbers)


def each(found, layer):
    return layer["seconds"] / found["examples"] / found["candidates_a_layer"]


def report(what, theirs, ours):
    print(f"{what}: seconds an example and candidate", flush=True)
    print("                  PyTorch      laser   ratio")

    def row(name, a, b):
        print(f"  {name:12}  {a:9.5f}  {b:9.5f}  {a / b:6.1f}")

    theirs_of = lambda layer: [it["seconds"] for it in theirs if it["candidate"].startswith(f"{layer}.")]
    ours_of = {layer["layer"]: each(ours, layer) for layer in ours["layers"]}
    for layer in LAYERS:
        row(f"layer {layer}", mean(theirs_of(layer)) / ours["examples"], ours_of[layer])
    of_all = mean([it["seconds"] for it in theirs]) / ours["examples"]
    row(f"{len(ours_of)} layers", of_all, mean(ours_of.values()))
    row("upper third", of_all, mean([seconds for layer, seconds in ours_of.items() if layer >= 20]))
    it = ours["products"]
    plain = mean(it["plain_product_gflops"])
    print(f"  matrix products: {100 * it['share_of_the_time']:.0f} % of the time in f32 at {it['gflops']:.0f} GFLOP/s, "
          f"{100 * it['gflops'] / plain:.0f} % of a plain large product's {plain:.0f}; "
          f"{100 * it['share_of_the_time_bf16']:.0f} % in bf16 at {it['gflops_bf16']:.0f}")
    mine = {it["candidate"]: it for it in ours["candidates"]}
    outcomes = [(a, b) for it in theirs for a, b in zip(it["correct"], mine[it["candidate"]]["correct"])]
    losses = [(a, b) for it in theirs for a, b in zip(it["log_loss"], mine[it["candidate"]]["log_loss"])]
    furthest = max(abs(a - b) / max(1, abs(a)) for a, b in losses)
    print(f"  the same outcome on {sum(a == b for a, b in outcomes)} of {len(outcomes)}; log-losses at most {furthest:.1e} apart (relative)")


main()
