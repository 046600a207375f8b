#!/bin/sh
# Proves and measures the GPU kernels: bench/gpu-kernels.sh FOLDER [--reference]
#
# FOLDER holds the stripped binary `gpu-check` (cargo build --release -p laser-cuda --example gpu-check). The machine needs a
# driver for CUDA 13.0, libcublasLt and libnvrtc (PyTorch brings both), and neither Rust nor a network. Results go to
# $OUT/gpu-kernels.md. Ends within 5 minutes, usually within 2. With --reference small shapes run on the processor, to try this script.
set -u
folder=${1:?"usage: $0 FOLDER [--reference]"}
mode=${2:-}
out=${OUT:-.}
here=$(dirname "$0")

[ "$mode" = --reference ] || nvidia-smi --query-gpu=name,driver_version,memory.total,memory.used --format=csv,noheader
timeout 205 "$folder/gpu-check" $mode --seconds 180 --out "$out/gpu-kernels.md" 2>"$out/gpu-kernels.err"
code=$?
echo
echo "gpu-check ended with $code"
head -c 2000 "$out/gpu-kernels.err"
PYTHONUNBUFFERED=1 timeout 75 python3 "$here/gpu_kernels_torch.py" $mode >"$out/torch.md" 2>"$out/torch.err"
cat "$out/torch.md"
tail -n 3 "$out/torch.err"
cat "$out/torch.md" >>"$out/gpu-kernels.md"
exit $code
