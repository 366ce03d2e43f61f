#!/usr/bin/env bash
# Another verl in front of the installed one: its start-up check, the contract tests of verl's hooks and a training of two steps.
# `bash tests/versions.sh 0.9.0 0.8.0 ../verl`: versions, or checkouts of verl; without arguments 0.9.0 and 0.8.0. They are
# kept in .versions/, whose logs/ says how each part ended. Every part runs, the exit code is 1 if one failed.
# PYTHON names the interpreter of an environment that recipes/install_cpu.sh made.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-.venv/bin/python}
export OMP_NUM_THREADS=1
CONTRACTS=(agent_loop compose full_determinism grpo_equality other_trainers plugin prefix_loop replica reward_manager sizes
    trace_deadline validation)
mkdir -p .versions/logs
[ $# -gt 0 ] || set -- 0.9.0 0.8.0
failed=0
part() { # part VERSION NAME COMMAND…: its log, and one line of how it ended
    local log=.versions/logs/$1-$2.log rc=0 start=$SECONDS
    "${@:3}" > "$log" 2>&1 || rc=$?
    echo "verl $1, $2: $([ $rc = 0 ] && echo PASS || echo "FAIL ($log)"), $((SECONDS - start)) s: $(tail -n 1 "$log" | tr -d =)"
    [ $rc = 0 ] || failed=1
}
for wanted in "$@"; do
    site=.versions/verl-$wanted
    if [ -d "$wanted/verl" ]; then # as it is now, through a copy: building leaves files in the place it builds from
        site=.versions/checkout
        rm -rf "$site" .versions/copy
        mkdir -p .versions/copy
        find "$wanted" -maxdepth 1 -type f -exec cp -t .versions/copy {} +
        cp -r "$wanted/verl" .versions/copy
        "$PYTHON" -m pip install -q --no-deps --no-build-isolation --target "$site" .versions/copy
    elif [ ! -d "$site/verl" ]; then
        "$PYTHON" -m pip install -q --no-deps --target "$site" "verl==$wanted"
    fi
    export PYTHONPATH="$PWD/$site:$PWD"
    version=$("$PYTHON" -W ignore -c 'from importlib.metadata import version; print(version("verl"))')
    told=$("$PYTHON" -W ignore -m mrt_verl.check reward_model=mrt 2>&1) || true
    if grep "refused: verl $version" <<<"$told"; then
        continue
    fi
    files=("${CONTRACTS[@]/#/tests/contract/test_}")
    part "$version" contract "$PYTHON" -m pytest "${files[@]/%/.py}"
    part "$version" training "$PYTHON" -m pytest tests/integration/test_trainer.py \
        -k "every_step or log_probs or every_boundary or dense_rewards"
done
exit $failed
