#!/usr/bin/env bash
# RECIPE=any recipe's YAML, ON=two_nodes (default), colocate_async, separate_async or megatron; SCALE=cpu: a check.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
[ "${ON:-}" != megatron ] || set -- '~actor_rollout_ref.actor.optim.lr_scheduler_type' "$@"
train "${RECIPE:-r1_distill_qwen_1.5b/mrt},multi_node/${ON:-two_nodes}" "$@"
echo "checkpoints: $RUN; TRAIN=no and the recipe's own run.sh, with its ARM, evaluate them on one node"
