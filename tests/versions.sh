#!/usr/bin/env bash
# Another version of verl in front of the installed one: its start-up check, the contract tests and two training steps.
# `bash tests/versions.sh 0.9.0 0.8.0`; without arguments all that docs/versions.md names. They are kept in .versions/.
# PYTHON names the interpreter of an environment that recipes/install_cpu.sh made.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
CONTRACTS=(agent_loop compose full_determinism grpo_equality plugin prefix_loop replica reward_manager sizes
    trace_deadline validation)
[ $# -gt 0 ] || set -- 0.9.0 0.8.0
for version in "$@"; do
    site=.versions/verl-$version
    [ -d "$site/verl" ] || "$PYTHON" -m pip install -q --no-deps --target "$site" "verl==$version"
    export PYTHONPATH="$PWD/$site:$PWD"
    echo "== verl $("$PYTHON" -c 'from importlib.metadata import version; print(version("verl"))')"
    told=$("$PYTHON" -W ignore -m mrt_verl.check reward_model=mrt 2>&1) || true
    if grep -q "refused: verl $version" <<<"$told"; then
        grep "refused: verl" <<<"$told"
        continue
    fi
    files=("${CONTRACTS[@]/#/tests/contract/test_}")
    "$PYTHON" -m pytest "${files[@]/%/.py}"
    "$PYTHON" -m pytest tests/integration/test_trainer.py -k "every_step or log_probs or every_boundary or dense_rewards"
done
