#!/usr/bin/env bash
# OpenRLHF's own base class, Experience and advantage code on MRT's executor, from a folder of its own (.openrlhf): the tiny
# model of recipes/study/warm_starts/pair/1 writes, rewards and advantages are checked against numbers worked out from outcomes.
# Single process, no Ray, no CUDA. PYTHON names an interpreter with torch, transformers, hydra and this package's needs.
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
site=.openrlhf/site
if [ ! -d "$site/openrlhf" ]; then # its own needs (deepspeed, flash-attn) want CUDA: what is driven here wants none of them
    "$PYTHON" -m pip install -q --no-deps --target "$site" openrlhf==0.11.2
fi
export PYTHONPATH="$PWD:$PWD/$site" OMP_NUM_THREADS=1
exec "$PYTHON" tests/openrlhf/drive.py
