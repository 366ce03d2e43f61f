#!/usr/bin/env bash
# MRT against outcome-only GRPO in the real trainer on one CPU machine; runs or resumes all arms, then draws the page.
# STUDY_SEEDS=1 STUDY_STEPS=20 shorten it; further arguments go to recipes.study.study (--arms grpo mrt).
set -euo pipefail
cd "$(dirname "$0")/../.."
bash recipes/install_cpu.sh
.venv/bin/python -m recipes.study.study ${STUDY_STEPS:+--steps "$STUDY_STEPS"} ${STUDY_SEEDS:+--seeds "$STUDY_SEEDS"} "$@"
.venv/bin/python -m recipes.study.summary ${STUDY_STEPS:+--steps "$STUDY_STEPS"}
