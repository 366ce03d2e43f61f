#!/usr/bin/env bash
# Makes .venv-gpu with what `pip install 'mrt-verl[vllm,eval]'` brings to a machine with a GPU: verl 0.9.1 and the vLLM, torch
# and transformers that it pins. Does nothing if that is up to date. PYTHON: the interpreter (default python3.12).
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3.12}
want="$(cat pyproject.toml recipes/install_gpu.sh | sha256sum | cut -d ' ' -f 1) $("$python" -V)"
[ "$(cat .venv-gpu/installed 2> /dev/null || true)" = "$want" ] && exit 0
echo "installing verl with its vLLM into .venv-gpu (some 10 GB, minutes)"
"$python" -m venv --clear .venv-gpu
.venv-gpu/bin/python -m pip install --quiet -e '.[vllm,eval]'
.venv-gpu/bin/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available() and "this torch sees no GPU")'
echo "$want" > .venv-gpu/installed
