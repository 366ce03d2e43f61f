#!/usr/bin/env bash
# Lint, types and tests, in the environment made by the install script: .venv, or .venv-pins with STACK=pins. `quick` runs
# the unit and property tests that are not marked long. Further arguments go to pytest: `bash tests/run.sh -m slow`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash recipes/install_cpu.sh
bin=.venv${STACK:+-$STACK}/bin
$bin/ruff check .
$bin/ruff format --check .
$bin/mypy
if [ "${1:-}" = quick ]; then
    set -- tests/unit tests/property -m "not slow and not long" --durations=3 "${@:2}"
fi
$bin/python -m pytest "$@"
