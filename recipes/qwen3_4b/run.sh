#!/usr/bin/env bash
# ARM=mrt (default) or mrt_lora; arguments are further overrides. SCALE=cpu: a check without GPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
train "qwen3_4b/${ARM:-mrt}" "$@"
evaluate Qwen/Qwen3-4B data/aime_2024/test.parquet 4096,8192,16384,32768 \
  --traces 16 --temperature 0.6 --top-p 0.95 --set mrt_family="$(pick qwen3 r1)" # the tiny model's template opens the tag
