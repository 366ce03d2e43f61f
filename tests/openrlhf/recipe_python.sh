#!/usr/bin/env bash
# PYTHON of a recipe's run.sh: what would start OpenRLHF is read by OpenRLHF's own parser instead (PARSER), and not started.
set -euo pipefail
python=$(realpath --no-symlinks "$RECIPE_PYTHON")
if [ "$2" = openrlhf.cli.train_ppo_ray ]; then
    exec "$python" "$PARSER" "${@:3}"
fi
exec "$python" "$@"
