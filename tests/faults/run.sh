#!/usr/bin/env bash
# Faults tried on real trainings and evaluations of the tiny model: bash tests/faults/run.sh [--cases NAME,NAME]
# PASS or FAIL for each, with seconds until it was told; the table goes to tests/faults/results/. An hour on two idle
# cores; MRT_FAULT_PATIENCE=3 triples the limits on a machine that does other things as well.
# Not in it, hours each: python -m tests.faults.soak (a long training), tests.faults.gradings (hostile answers); minutes:
# tests.faults.memory (what a rollout leaves behind), tests.faults.scale (what a step of 64 nodes costs).
#   PYTHON  the interpreter of an environment with verl, vLLM and this package (default: .venv, or python3)
set -euo pipefail
cd "$(dirname "$0")/../.."
for candidate in ${PYTHON:-} .venv/bin/python python3; do
    command -v "$candidate" > /dev/null && python=$candidate && break
done
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
exec "$python" -m tests.faults.runner "$@"
