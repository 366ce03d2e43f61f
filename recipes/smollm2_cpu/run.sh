#!/usr/bin/env bash
# SmolLM2-135M-Instruct on one CPU machine, three steps. SCALE=cpu: two steps of a tiny model instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -n "${PYTHON_BIN:-}" ] || { bash recipes/install_cpu.sh; PYTHON_BIN=.venv/bin/python; }
HARDWARE=cpu; source recipes/tools/launch.sh
if [ -z "${SCALE:-}" ]; then
  "$PYTHON_BIN" -m recipes.smollm2_cpu.prepare
  [ -d data/chain_sum ] || "$PYTHON_BIN" -m data_prep reasoning_gym --out data/chain_sum --task chain_sum --size 1000 \
    --test-size 64 --config max_terms=2 --config min_digits=1 --config max_digits=2 \
    --instruction "Think step by step and put the final answer in \\boxed{}."
fi
train smollm2_cpu/mrt "$@"
evaluate outputs/smollm2_cpu/model data/chain_sum/test.parquet 96,192 --problems 16 --traces 2 --temperature 0.7 \
  --settings recipes/smollm2_cpu/mrt.yaml --set mrt_family=plain mrt.prover=sample
