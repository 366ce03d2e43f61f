#!/usr/bin/env bash
# MRT in a stock OpenRLHF 0.11.2: `ARM=mrt|mrt_prefix bash recipes/openrlhf_r1_1.5b/run.sh`, one node of 8 GPUs. Not run.
# PYTHON is that of OpenRLHF's environment, with this package in it; further arguments go to OpenRLHF.
# Sizes and rates are those of recipes/r1_distill_qwen_1.5b/common.yaml.
set -euo pipefail
cd "$(dirname "$0")/../.."
ARM=${ARM:-mrt}
PYTHON=${PYTHON:-python}
DATA=${DATA:-$PWD/data/numinamath/train.parquet}
TEST=${TEST:-$PWD/data/aime_2024/test.parquet}
MODEL=${MODEL:-deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B}
OUT=${OUT:-$PWD/outputs/openrlhf_r1_1.5b/$ARM}
export MRT_CONFIG=$PWD/recipes/openrlhf_r1_1.5b/$ARM.yaml
words=(
    --actor.model_name_or_path "$MODEL"
    --data.prompt_dataset "$DATA" --data.input_key prompt --data.label_key reward_model --data.apply_chat_template
    --data.max_len 18432 --rollout.max_new_tokens 16384
    --rollout.n_samples_per_prompt 8 --rollout.temperature 0.9 --rollout.batch_size 32 --rollout.micro_batch_size 4
    --train.batch_size 256 --train.micro_batch_size 1 --train.num_episodes 2 --train.seed 1
    --eval.dataset "$TEST" --eval.steps 25 --eval.n_samples_per_prompt 16 --eval.temperature 0.9
    --algo.advantage.estimator dr_grpo --algo.advantage.is_correction_level token --algo.kl.init_coef 0
    --actor.adam.lr 1e-6 --actor.adam.weight_decay 0.01 --actor.lr_warmup_ratio 0.1 --actor.min_lr_ratio 0
    --actor.num_nodes 1 --actor.num_gpus_per_node 8 --actor.gradient_checkpointing_enable --train.colocate_all
    --vllm.num_engines 8 --vllm.tensor_parallel_size 1 --vllm.gpu_memory_utilization 0.7
    --vllm.enable_prefix_caching --vllm.enable_sleep
    --ds.zero_stage 3 --ds.packing_samples --ds.enable_sleep
    --ckpt.output_dir "$OUT" --ckpt.path "$OUT/checkpoints" --ckpt.save_steps 25 --ckpt.max_num 2 --ckpt.load_enable
    --logger.tensorboard_dir "$OUT/tensorboard"
    "$@"
)
agent=$("$PYTHON" -m mrt_verl.openrlhf "$MRT_CONFIG" "${words[@]}") # says what is wrong, and ends
exec "$PYTHON" -m openrlhf.cli.train_ppo_ray --train.agent_func_path "$agent" "${words[@]}"
