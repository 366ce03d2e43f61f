#!/usr/bin/env bash
# Lint, types and tests, in .venv made by the install script. Arguments go to pytest: `bash tests/run.sh -m slow`.
set -euo pipefail
cd "$(dirname "$0")/.."
bash recipes/install_cpu.sh
.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
.venv/bin/python -m pytest "$@"
