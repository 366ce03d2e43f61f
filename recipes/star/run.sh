#!/usr/bin/env bash
# MRT's STaR variant on NuminaMath: traces with J at every boundary, the prefixes of most progress, SFT on them.
set -euo pipefail
cd "$(dirname "$0")/../.."
MODEL=${MODEL:-deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B} GPUS=${GPUS:-8} OUT=outputs/star
python -m data_prep numinamath --set star --out $OUT/data
python -m data_prep prefixes --model "$MODEL" --data $OUT/data/train.parquet --out $OUT/traces --traces 8 \
  --response-tokens 12288 --temperature 0.6 --set mrt_family=r1 --engine max_model_len=14336
python -m data_prep star --traces $OUT/traces --out $OUT/sft --chat-template recipes/star/r1.jinja
torchrun --standalone --nproc-per-node="$GPUS" -m verl.trainer.sft_trainer --config-dir recipes +star=sft \
  model.path="$MODEL" model.tokenizer_path=$OUT/sft/tokenizer
