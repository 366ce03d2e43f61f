#!/usr/bin/env bash
# MRT in a stock OpenRLHF 0.11.2: `ARM=mrt|mrt_prefix bash recipes/openrlhf_r1_1.5b/run.sh`, one node of 8 GPUs. Not run.
# PYTHON is that of OpenRLHF's environment, with this package in it; further arguments go to OpenRLHF.
set -euo pipefail
cd "$(dirname "$0")/../.."
ARM=${ARM:-mrt}
PYTHON=${PYTHON:-python}
DATA=${DATA:-$PWD/data/numinamath/train.parquet}
MODEL=${MODEL:-deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B}
OUT=${OUT:-$PWD/outputs/openrlhf_r1_1.5b/$ARM}
export MRT_CONFIG=$PWD/recipes/openrlhf_r1_1.5b/$ARM.yaml
agent=$("$PYTHON" -m mrt_verl.openrlhf "$MRT_CONFIG") # one line and the end, where the settings cannot work
exec "$PYTHON" -m openrlhf.cli.train_ppo_ray \
    --train.agent_func_path "$agent" \
    --actor.model_name_or_path "$MODEL" \
    --data.prompt_dataset "$DATA" --data.input_key prompt --data.label_key reward_model --data.apply_chat_template \
    --data.max_len 17408 --rollout.max_new_tokens 16384 \
    --rollout.n_samples_per_prompt 8 --rollout.temperature 1.0 --rollout.batch_size 32 --rollout.micro_batch_size 4 \
    --train.batch_size 256 --train.micro_batch_size 1 --train.num_episodes 2 \
    --algo.advantage.estimator dr_grpo --algo.advantage.is_correction_level token --algo.kl.init_coef 0 \
    --actor.num_nodes 1 --actor.num_gpus_per_node 8 --train.colocate_all \
    --vllm.num_engines 8 --vllm.tensor_parallel_size 1 --vllm.enable_prefix_caching --vllm.enable_sleep \
    --ds.zero_stage 3 --ckpt.output_dir "$OUT" "$@"
