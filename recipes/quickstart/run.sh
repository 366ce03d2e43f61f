#!/usr/bin/env bash
# From nothing to a page that shows MRT against GRPO, on one CPU machine. A second run goes on from what is there;
# `rm -r outputs/quickstart` starts anew.
#   QUICKSTART_ARMS="grpo mrt"  trains GRPO as well, whose run is taken from recorded/ otherwise, if it is there
#   QUICKSTART_STEPS=2          makes it a smoke test
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -d recipes/quickstart/recorded/grpo ] && arms=mrt || arms="grpo mrt"
export QUICKSTART_ARMS=${QUICKSTART_ARMS:-$arms}
cat << END
mrt-verl quickstart: MRT against GRPO from one warm start, on this machine's CPU. On two idle cores:
  1  install the CPU stack into .venv               4 minutes; nothing the second time
  2  train a model of 0.5 M parameters, ${QUICKSTART_STEPS:-50} steps    4 minutes for each of: $QUICKSTART_ARMS
  3  evaluate it and draw the page                  1 minute: outputs/quickstart/report/index.html
END
bash recipes/install_cpu.sh
exec .venv/bin/python -m recipes.quickstart.run
