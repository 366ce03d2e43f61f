#!/usr/bin/env bash
# Traces -> STaR set -> SFT -> evaluation; every part goes on where it stopped. SCALE=cpu: a check without GPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/launch.sh
star_paths star_r1_distill_7b deepseek-ai/DeepSeek-R1-Distill-Qwen-7B data/numinamath_star/train.parquet
"$PYTHON_BIN" -m recipes.star_r1_distill_7b.keep_thinking --model "$MODEL" --out "$OUT/tokenizer"
"$PYTHON_BIN" -m data_prep prefixes --model "$MODEL" --data "$DATA" --out "$OUT/prefixes" $SAMPLING
"$PYTHON_BIN" -m data_prep star --traces "$OUT/prefixes" --tokenizer "$OUT/tokenizer" --out "$OUT/star"
sft star_r1_distill_7b/sft "$@"
