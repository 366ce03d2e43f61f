#!/usr/bin/env bash
# Traces -> STaR set -> SFT -> evaluation; a second run goes on where the first stopped. SCALE=cpu: a check without GPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
MODEL=$(pick deepseek-ai/DeepSeek-R1-Distill-Qwen-7B "$TINY/model") OUT=$(pick outputs "$TINY")/star_r1_distill_7b
DATA=$(pick data/numinamath_star/train.parquet "$TINY/data/train.parquet") TOKENS=$(pick 8192 160)
"$PYTHON_BIN" -m data_prep prefixes --model "$MODEL" --data "$DATA" --out "$OUT/traces" --traces 8 \
  --response-tokens "$TOKENS" --set mrt_family=r1
"$PYTHON_BIN" -m data_prep star --traces "$OUT/traces" --out "$OUT/star" \
  $(pick "--chat-template recipes/star_r1_distill_7b/r1.jinja" "") # R1's own cuts the thinking out
sft star_r1_distill_7b/sft data.train_files="$OUT/star/train.parquet" trainer.default_local_dir="$OUT/sft" "$@"
"$PYTHON_BIN" -m mrt_verl.evaluation run --model star="$OUT/sft" --baseline base="$MODEL" --set mrt_family=r1 \
  --data "$(pick data/aime_2024/test.parquet "$TINY/data/test.parquet")" --budgets "$TOKENS" --out "$OUT/evaluation"
"$PYTHON_BIN" -m mrt_verl.evaluation report "$OUT/evaluation"
