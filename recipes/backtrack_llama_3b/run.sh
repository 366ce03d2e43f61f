#!/usr/bin/env bash
# Demonstrations of going back (demonstrations.sh) -> SFT -> MRT. SCALE=cpu: a check without GPUs, from SFT on.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
OUT=$(pick outputs "$TINY")/backtrack_llama_3b
DATA=$(pick "$OUT/demonstrations.parquet" "$TINY/data/backtrack.parquet")
[ -f "$DATA" ] || source recipes/backtrack_llama_3b/demonstrations.sh
sft backtrack_llama_3b/sft data.train_files="$DATA" trainer.default_local_dir="$OUT/sft"
WARM=$(ls -d "$OUT"/sft/global_step_*/huggingface | sort -V | tail -n 1)
train backtrack_llama_3b/mrt actor_rollout_ref.model.path="$WARM" "$@"
evaluate "$WARM" data/math500/test.parquet 1024,2048,4096,8192 --traces 4 \
  --set reward_model=mrt_backtrack mrt_family=r1
