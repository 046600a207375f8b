#!/usr/bin/env bash
# Builds for aarch64 Linux and runs tests there, in an emulator where this machine is another.
#   scripts/test-aarch64.sh             # crates without a tensor library, then what computes
#   scripts/test-aarch64.sh light       # the first of them alone: minutes
# Needs `rustup target add aarch64-unknown-linux-gnu` and, from Debian, gcc-aarch64-linux-gnu, g++-aarch64-linux-gnu and qemu-user.
set -euo pipefail
cd "$(dirname "$0")/.."
triple=aarch64-unknown-linux-gnu
run() { printf '\n== %s\n' "$*"; "$@"; }
# skip REASON TEST...: tests that are not run here, and why.
skipped=()
skip() {
    local reason=$1
    shift
    for name; do
        echo "skipped: $name: $reason"
        skipped+=(--skip "$name")
    done
}

if [ "$(uname -m)" != aarch64 ]; then
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
    export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
    # An emulated processor is some ten times slower, and properties are tried 256 times each.
    export PROPTEST_CASES=${PROPTEST_CASES:-16}
    skip "its searches are bounded by time" a_long_text_is_searched_from_each_place all_searches_of_a_text_share_their_steps
    skip "hundreds of verdicts take minutes" a_moved_threshold_on_few_examples_is_rarely_called_real
    skip "speed and memory of an emulator say nothing" speed_by_rows a_close_cut_of_a_tall_matrix_takes_seven_times_its_memory
fi
export CARGO_PROFILE_RELEASE_DEBUG=0
light=()
for name in matrix python guard files example template run search report fleet corpus sokoban; do
    light+=(--package "laser-$name")
done
CARGO_PROFILE_RELEASE_OPT_LEVEL=1 run cargo test --no-fail-fast --release --target $triple --lib --bins --tests \
    "${light[@]}" -- "${skipped[@]}"
[ "${1-}" = light ] && exit
run cargo test --no-fail-fast --release --target $triple --package laser-linalg --package laser-edit -- "${skipped[@]}"
run cargo test --no-fail-fast --release --target $triple --workspace --test against_reference --test backends \
    --test exactness --test golden -- "${skipped[@]}"
