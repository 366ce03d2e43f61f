#!/usr/bin/env bash
# OpenRLHF 0.11.2 on a CPU with MRT's agent file: its parser, data set, Ray actor with a vLLM engine, experience maker and
# loss are its own (drive.py); molt-rl 0.2.1 as far as its runner and advantages (drive_molt.py). The tiny model of
# recipes/study/warm_starts writes; rewards and advantages are checked against numbers worked out by hand (by_hand.py).
# `tests/openrlhf/run.sh online paper` takes some variants, `tests/openrlhf/run.sh molt` molt alone.
# PYTHON names an interpreter with this package's CPU stack; what it lacks goes into a folder of its own (.openrlhf).
set -euo pipefail
cd "$(dirname "$0")/../.."
PYTHON=${PYTHON:-.venv/bin/python}
site=.openrlhf/site
install() { # without their needs: flash-attn, and torch as it is built for CUDA
    DS_BUILD_OPS=0 "$PYTHON" -m pip install -q --no-deps --upgrade --target "$site" "$@"
    rm -rf "$site/tests" # some install their tests under this name, and ours must be found
}
[ -d "$site/openrlhf" ] || install openrlhf==0.11.2
[ -d "$site/deepspeed" ] || install deepspeed==0.19.6 hjson==3.1.0
[ -d "$site/molt" ] || install molt-rl==0.2.1
export PYTHONPATH="$PWD:$PWD/$site:$PWD/tests/openrlhf/stubs" OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
export DS_ACCELERATOR=cpu VLLM_TARGET_DEVICE=cpu VLLM_CPU_OMP_THREADS_BIND=nobind VLLM_CPU_KVCACHE_SPACE=1
export VLLM_LOGGING_LEVEL=ERROR HF_HUB_OFFLINE=1 HF_DATASETS_CACHE=$PWD/.openrlhf/datasets RAY_raylet_start_wait_time_s=600
for arm in mrt mrt_prefix; do # the recipe's command, read by OpenRLHF's own parser
    parser="$PWD/tests/openrlhf/own_parser.py"
    RECIPE_PYTHON=$PYTHON ARM=$arm PYTHON=tests/openrlhf/recipe_python.sh PARSER=$parser bash recipes/openrlhf_r1_1.5b/run.sh
done
if [ "${1:-}" != molt ]; then "$PYTHON" tests/openrlhf/drive.py "$@"; fi
case "${1:-molt}" in molt) "$PYTHON" tests/openrlhf/drive_molt.py ;; esac
