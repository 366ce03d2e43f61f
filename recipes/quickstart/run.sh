#!/usr/bin/env bash
# From nothing to a picture of MRT learning, on one CPU machine. QUICKSTART_STEPS=2 makes it a smoke test.
# A second run goes on from what is there; `rm -r outputs/quickstart` starts anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash recipes/install_cpu.sh
export VERL_PLATFORM=cpu OUT=outputs/quickstart
export VERL_FILE_LOGGER_PATH=$OUT/logs/$(date +%s).jsonl
.venv/bin/python -m recipes.quickstart.prepare --out $OUT
.venv/bin/python -m verl.trainer.main_ppo --config-dir recipes reward_model=mrt +hardware=cpu +quickstart=train \
  mrt.prover=likelihood trainer.total_training_steps="${QUICKSTART_STEPS:-40}" 2>&1 \
  | .venv/bin/python -m recipes.quickstart.follow $OUT/train.log \
  || { tail -n 40 $OUT/train.log; exit 1; }
.venv/bin/python -m recipes.quickstart.report --out $OUT ${QUICKSTART_STEPS:+--problems 64}
