#!/usr/bin/env bash
# What is released. An archive of the program with completions, manual pages and licences:
#   scripts/package.sh NAME [TARGET]       # target/package/NAME.tar.gz
# or the Python package:
#   scripts/package.sh --wheel [TARGET]    # target/package/laser_rank-*.whl
# TARGET is rustc's, with the oldest glibc that it should run on: x86_64-unknown-linux-gnu.2.28. The C parts and the linking are
# then zig's. Without TARGET it is this machine. The tools are taken from PATH, or from PyPI.
# scripts/check-release.sh tries what comes out.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1
wanted=${2-}
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
packages=$target/package
triple=${wanted%%.*}
mkdir -p "$packages"

# tool PROGRAM PACKAGE...: a program of PATH, or of the packages in an environment of its own.
tool() {
    if ! command -v "$1" >/dev/null; then
        local tools=$target/release-tools
        [ -d "$tools" ] || python3 -m venv "$tools"
        [ -x "$tools/bin/$1" ] || "$tools/bin/pip" install --quiet "${@:2}"
        PATH=$tools/bin:$PATH
    fi
}
[ -z "$wanted" ] || tool cargo-zigbuild cargo-zigbuild==0.24.1 ziglang==0.17.1

if [ "$name" = --wheel ]; then
    tool maturin 'maturin>=1.5,<2'
    place=()
    if [ -n "$wanted" ]; then
        glibc=${wanted#*.}
        place=(--target "$triple" --zig --compatibility "manylinux_${glibc/./_}")
    fi
    maturin build --profile dist --locked --manifest-path python/Cargo.toml --out "$packages" "${place[@]}"
    exit
fi

built=$target/${triple:+$triple/}dist
if [ -n "$wanted" ]; then
    cargo zigbuild --profile dist --locked --package laser-rank --target "$wanted"
else
    cargo build --profile dist --locked --package laser-rank
fi
program=$built/laser
[ -f "$program" ] || program=$program.exe
folder=$packages/$name
rm -rf "$folder"
mkdir -p "$folder/completions"
cp "$program" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$folder"
scripts/third-party.py $triple > "$folder/THIRD-PARTY.txt"
for shell in bash zsh fish elvish powershell; do
    "$program" completions "$shell" > "$folder/completions/laser.$shell"
done
"$program" man --out "$folder/man"
tar -czf "$packages/$name.tar.gz" -C "$packages" "$name"
ls -l "$program" "$packages/$name.tar.gz"
