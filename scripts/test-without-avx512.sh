#!/usr/bin/env bash
# Tests without AVX-512 on a processor that has it.
#   scripts/test-without-avx512.sh              # the whole suite without this project's own AVX-512 kernels
#   scripts/test-without-avx512.sh --emulated   # what computes, where the processor seems to have AVX2 alone, for faer, too
# The second needs qemu-user of Debian, and takes what the first has built.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1-}" != --emulated ]; then
    LASER_KERNELS=plain exec cargo test --release --workspace
fi
# An emulated processor is some ten times slower, and properties are tried 256 times each.
export PROPTEST_CASES=${PROPTEST_CASES:-16}
export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER="qemu-x86_64 -cpu Haswell"
cargo test --release --workspace --test against_reference --test backends --test exactness --test golden \
    --test close_cuts --test matrix --test svd
