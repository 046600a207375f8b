#!/usr/bin/env bash
# A release archive: the program, stripped, with completions, manual pages, README and licences.
#   scripts/package.sh NAME      # target/package/NAME.tar.gz
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1
target=${CARGO_TARGET_DIR:-target}
cargo build --release --locked --package laser
program=$target/release/laser
[ -f "$program" ] || program=$program.exe
folder=$target/package/$name
rm -rf "$folder"
mkdir -p "$folder/completions"
cp "$program" README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE "$folder"
strip "$folder/$(basename "$program")" 2>/dev/null || true
for shell in bash zsh fish elvish powershell; do
    "$program" completions "$shell" > "$folder/completions/laser.$shell"
done
"$program" man --out "$folder/man"
tar -czf "$target/package/$name.tar.gz" -C "$target/package" "$name"
echo "$target/package/$name.tar.gz"
