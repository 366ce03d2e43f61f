#!/usr/bin/env bash
# Lint, types and tests, in the environment made by the install script: .venv, or .venv-pins with STACK=pins. `quick` runs
# the unit and property tests that are not marked long. Further arguments go to pytest: `bash tests/run.sh -m slow`.
#   MRT_TEST_WORKERS=2   processes among which the files are dealt out; the tests that train run one after the other
set -euo pipefail
cd "$(dirname "$0")/.."
bash recipes/install_cpu.sh
bin=.venv${STACK:+-$STACK}/bin
$bin/ruff check .
$bin/ruff format --check .
$bin/mypy
# of two processes with two threads each, each waits for the other
# and files are begun in the order given here, the slowest first
dealt() { OMP_NUM_THREADS=1 $bin/python -m pytest -n "${MRT_TEST_WORKERS:-2}" --dist loadfile --no-loadscope-reorder "$@"; }
if [ "${1:-}" = quick ]; then
    dealt tests/unit tests/property -m "not slow and not long" --durations=3 "${@:2}"
elif [ $# = 0 ]; then
    dealt tests/property tests/contract tests/faults tests/unit --durations=20
    $bin/python -m pytest tests/integration --durations=10
else
    $bin/python -m pytest "$@"
fi
