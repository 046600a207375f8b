#!/bin/bash
# Proves and measures the GPU path: FOLDER/gpu.sh [--reference], in this repository's root
#
# FOLDER is made by `bench/gpu-pack.sh FOLDER`, with stripped programs; fixtures are those of tests/. The machine needs a driver for CUDA 13.0,
# libcublasLt and libnvrtc (PyTorch brings both) and Python with NumPy, and neither Rust nor a network. Everything goes to
# $OUT/gpu.md as it is found. Each part has a time of its own: all of them end within 8 minutes, usually within 5.
# With --reference tiny shapes run on the processor (with CUDA_HOME at stand-ins of the libraries), to try this script.
set -u
here=$(realpath "$(dirname "$0")")
mode=${1:-}
fixtures=$(realpath tests/fixtures)
out=$(realpath "${OUT:-.}")
report=$out/gpu.md
python=${PYTHON:-python3}
shape=7b small=135m limit=150 rows=100 slow=1
[ "$mode" = --reference ] && shape=tiny small=tiny rows=10 slow=${SLOW:-4}
: >"$report"

# A part with its own time: lines go to the report and to the screen, errors to the report's end of the part.
part() {
    local seconds=$1 title=$2 begin=$SECONDS code
    shift 2
    printf '\n# %s\n\n' "$title" | tee -a "$report"
    timeout -k 5 $((seconds * slow)) "$@" 2>"$out/err.txt" | tee -a "$report"
    code=${PIPESTATUS[0]}
    [ "$code" = 0 ] || { printf '\n**ended with %s**\n' "$code"; head -c 1500 "$out/err.txt"; } | tee -a "$report"
    printf '\n(%s s)\n' $((SECONDS - begin)) | tee -a "$report"
}

machine() {
    [ "$mode" = --reference ] && echo "stand-ins on the processor" && return
    nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv,noheader
    nproc
    df -h /dev/shm "${TMPDIR:-/tmp}" | cat
}

# Where the models go: memory if there is enough of it.
work=$(mktemp -d)
if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -gt 30000000 ] 2>/dev/null; then
    rm -r "$work" && work=$(mktemp -d -p /dev/shm)
fi
trap 'rm -rf "$work"' EXIT

tar -xzf "$here/programs.tar.gz" -C "$work"
laser=$work/programs/laser
all=$fixtures
if [ "$mode" = --reference ]; then # two are enough
    all=$work/fixtures
    mkdir "$all" && ln -s "$fixtures/llama" "$fixtures/bert" "$all"
fi

rows_of() { # questions with answers, and some with choices
    "$python" - "$1" <<'END'
import json, random, sys
random.seed(1)
words = "The mother tongue of Berlin is capital book writer French answer true".split()
text = lambda n: " ".join(random.choice(words) for _ in range(n))
for i in range(int(sys.argv[1])):
    row = {"prompt": f"{text(3 + i % 9)} {i}"}
    choices = [text(1 + i % 2) + " a", text(1) + " b", text(2) + " c"]
    row |= {"answer": text(1)} if i % 2 else {"choices": choices, "answer": i % 3}
    print(json.dumps(row))
END
}

search() { # NAME MODEL TASK OPTION...
    local name=$1 model=$2 task=$3 device
    shift 3
    echo "| search | entries of both | answers | equal | median log-loss difference, nats | largest | same best edit |"
    echo "| --- | --- | --- | --- | --- | --- | --- |"
    for device in cpu cuda; do
        local begin=$EPOCHREALTIME
        "$laser" search "$model" --task "$task" --out "$work/$name-$device" --device $device --quiet --strategy exhaustive --no-costs "$@" >/dev/null || return
        echo "$name on $device: $("$python" -c "print(round($EPOCHREALTIME - $begin, 2))") s" >>"$work/times"
    done
    "$python" "$here/gpu_compare.py" "$name" "$work/$name-cpu" "$work/$name-cuda"
    [ "$mode" = --reference ] || for again in again; do
        "$laser" search "$model" --task "$task" --out "$work/$name-$again" --device cuda --quiet --strategy exhaustive --no-costs --memory 60MB "$@" >/dev/null || return
        "$python" "$here/gpu_compare.py" "$name, cuda with 60 MB" "$work/$name-cuda" "$work/$name-$again"
        "$laser" search "$model" --task "$task" --out "$work/$name-bf16" --device cuda --quiet --strategy exhaustive --no-costs --dtype bf16 "$@" >/dev/null || return
        "$python" "$here/gpu_compare.py" "$name, cuda bf16" "$work/$name-cuda" "$work/$name-bf16"
    done
    echo
    cat "$work/times"
    grep -o '"kernel_path": *"[^"]*"' "$work/$name-cuda/run.json"
}

demo() {
    "$laser" demo --out "$work/demo" --quiet >/dev/null
    search demo "$work/demo/model" "$work/demo/task/demo.yaml" --matrices mlp --rho 0.5,0.1,0.02 ${1:-}
}

like_smollm2() {
    "$python" "$here/synthetic-7b.py" "$work/small" --shape $small --tokenizer "$fixtures/llama" || return
    rows_of $rows >"$work/rows.jsonl"
    rm -f "$work/times"
    search synthetic "$work/small" "$work/rows.jsonl" --layers 0,2,-2--1 --matrices mlp --rho 0.5,0.1
}

make_7b() {
    "$python" "$here/synthetic-7b.py" "$work/large" --shape $shape --tokenizer "$fixtures/llama" && du -sh "$work/large"
}

export -f demo search like_smollm2 make_7b rows_of machine
export fixtures mode here out python laser shape small rows work
part 20 "The machine" bash -c machine
part 60 "Fixtures against transformers" "$work/programs/gpu-fixtures" "$all"
part 60 "Made: a llama of $shape shapes, random weights" bash -c make_7b
[ -d "$work/large" ] && part $((limit + 5)) "A sweep of $shape shapes" "$work/programs/gpu-sweep" "$work/large" "$out/rows.json" \
    --seconds $((limit * slow)) ${mode:+--tiny}
[ -d "$work/large" ] && part 90 "PyTorch" env PYTHONUNBUFFERED=1 "$python" "$here/gpu_torch.py" "$work/large/config.json" "$out/rows.json" $mode
rm -rf "$work/large"
part 45 "A search of llama shapes of $small, random weights, on both devices" bash -c like_smollm2
part 45 "The demo's search on both devices" bash -c demo
printf '\n%s s in all\n' "$SECONDS" | tee -a "$report"
