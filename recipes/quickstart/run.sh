#!/usr/bin/env bash
# From nothing to a page that shows MRT against GRPO, on one machine. A second run goes on from what is there;
# `rm -r outputs/quickstart` starts anew.
#   QUICKSTART_ARMS="grpo mrt"  trains GRPO as well, whose run is taken from recorded/ otherwise, if it is there
#   QUICKSTART_SEED=2           other samples and another order, in outputs/quickstart-seed-2; trains GRPO as well
#   QUICKSTART_STEPS=2          makes it a smoke test
#   QUICKSTART_DEVICE=cpu       leaves a GPU alone; by default one that nvidia-smi lists is used (never run on one yet)
set -euo pipefail
cd "$(dirname "$0")/../.."
nvidia-smi -L 2> /dev/null | grep -q GPU && device=cuda || device=cpu
export QUICKSTART_DEVICE=${QUICKSTART_DEVICE:-$device}
[ "$QUICKSTART_DEVICE" = cuda ] && stack=gpu venv=.venv-gpu || stack=cpu venv=.venv
seed=${QUICKSTART_SEED:-1}
[ "$seed" = 1 ] && out=outputs/quickstart || out=outputs/quickstart-seed-$seed
# recorded on a CPU, in its sizes, with the first seed
[ $stack$seed = cpu1 ] && [ -d recipes/quickstart/recorded/grpo ] && arms=mrt || arms="grpo mrt"
export QUICKSTART_ARMS=${QUICKSTART_ARMS:-$arms}
cat << END
mrt-verl quickstart: MRT against GRPO from one warm start, on this machine's ${stack^^}. On two idle CPU cores:
  1  install the ${stack^^} stack into $venv               4 minutes; nothing the second time
  2  train a model of 0.5 M parameters, ${QUICKSTART_STEPS:-60} steps    6 minutes for each of: $QUICKSTART_ARMS
  3  evaluate it and draw the page                  1 minute: $out/report/index.html
END
bash recipes/install_$stack.sh
exec $venv/bin/python -m recipes.quickstart.run
