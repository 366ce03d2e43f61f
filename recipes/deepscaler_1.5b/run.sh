#!/usr/bin/env bash
# ARM=mrt_prefix (default), mrt, grpo or grpo_length; arguments are further overrides. SCALE=cpu: a check without GPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
train "deepscaler_1.5b/${ARM:-mrt_prefix}" "$@"
evaluate agentica-org/DeepScaleR-1.5B-Preview data/aime_2024/test.parquet 4096,8192,16384,32768 \
  --traces 64 --insertions 8 --temperature 0.9 --set mrt_family=r1
