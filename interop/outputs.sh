#!/bin/sh
# Opens what `laser apply` writes in transformers, PEFT, gguf-py and llama.cpp, in a virtual environment of its own.
# Needs python3 and target/release/laser; llama.cpp is that of the package xllamacpp.
# Arguments go to outputs.py, such as --model SmolLM2-135M-Instruct.Q4_1.gguf.
set -e
cd "$(dirname "$0")"
environment=${LASER_INTEROP_VENV:-../target/interop-venv}
[ -d "$environment" ] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet -r outputs-requirements.txt
exec "$environment/bin/python" outputs.py "$@"
