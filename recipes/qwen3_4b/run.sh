#!/usr/bin/env bash
# ARM=mrt (default) or mrt_lora; arguments are further overrides. SCALE=cpu: a check without GPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
source recipes/tools/launch.sh
train "qwen3_4b/${ARM:-mrt}" "$@"
