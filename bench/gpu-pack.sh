#!/bin/sh
# Puts what bench/gpu.sh needs beside this repository into a folder: bench/gpu-pack.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
folder=$1
cargo build --release --workspace --bin laser --example gpu-fixtures --example gpu-sweep
mkdir -p "$folder/programs"
for program in target/release/laser target/release/examples/gpu-fixtures target/release/examples/gpu-sweep; do
    strip -o "$folder/programs/$(basename $program)" $program
done
tar -czf "$folder/programs.tar.gz" -C "$folder" programs
rm -r "$folder/programs"
cp bench/gpu.sh bench/gpu_compare.py bench/gpu_torch.py scripts/synthetic-7b.py "$folder/"
du -sh "$folder"
