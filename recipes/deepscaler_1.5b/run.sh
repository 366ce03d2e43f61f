#!/usr/bin/env bash
# ARM=mrt_prefix (default), mrt, grpo or grpo_length; arguments are further overrides. SCALE=cpu: a check without GPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
train "deepscaler_1.5b/${ARM:-mrt_prefix}" "$@"
