#!/usr/bin/env bash
# Lint, types and tests, in .venv made by the install script. `quick` runs the unit and property tests that are not marked
# long. Further arguments go to pytest: `bash tests/run.sh -m slow`, `bash tests/run.sh quick -k episodes`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash recipes/install_cpu.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
if [ "${1:-}" = quick ]; then
    set -- tests/unit tests/property -m "not slow and not long" --durations=3 "${@:2}"
fi
.venv/bin/python -m pytest "$@"
