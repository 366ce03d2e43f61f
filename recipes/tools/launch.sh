# Sourced by the recipes' run.sh, from the repository's root.
#   train RECIPE [OVERRIDE …]   verl's RL trainer on recipes/RECIPE.yaml; an overlay after a comma: train a/b,c/d
#   sft RECIPE [OVERRIDE …]     verl's SFT trainer, likewise
#   evaluate BASE DATA BUDGETS [OPTION …]   the best checkpoint of what was trained against BASE, and a page
# TRAIN=no evaluates what is there, EVALUATE=no trains alone.
# PYTHON_BIN is the interpreter of an environment with verl, vLLM and this package (default: python, the active one).
# SCALE=cpu runs the same YAML as two steps of a tiny model on a CPU (recipes/scale_cpu.yaml, scale_cpu_sft.yaml), in
# .venv unless PYTHON_BIN says otherwise; it shows that a recipe works from end to end, not that it learns.
if [ "${SCALE:-}" = cpu ]; then
  HARDWARE=cpu GPUS=1
  # one thread: on few cores a waiting thread takes the processor from a working one
  export TINY=${TINY:-outputs/scale_cpu} OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
  [ -n "${PYTHON_BIN:-}" ] || { bash recipes/install_cpu.sh; PYTHON_BIN=.venv/bin/python; }
  "$PYTHON_BIN" -m recipes.tools.tiny --out "$TINY"
elif [ -n "${SCALE:-}" ]; then
  echo "SCALE=$SCALE; allowed: cpu, or unset" >&2
  exit 1
else
  TINY=
fi
PYTHON_BIN=${PYTHON_BIN:-python}
[ -z "${HARDWARE:-}" ] || export VERL_PLATFORM=cpu

pick() { # pick A B: A, or B with SCALE=cpu
  [ -z "$TINY" ] && echo "$1" || echo "$2"
}

train() {
  local recipe=$1
  shift
  RUN=${TINY:-outputs}/${recipe%%,*} # trainer.default_local_dir of every recipe
  log_to "$recipe"
  [ "${TRAIN:-}" != no ] || return 0
  followed "$PYTHON_BIN" -m verl.trainer.main_ppo --config-dir . ${HARDWARE:+"+hardware=$HARDWARE"} \
    "+recipes=[$recipe${SCALE:+,scale_$SCALE}]" "$@"
}

sft() {
  local recipe=$1
  shift
  log_to "$recipe"
  followed "$PYTHON_BIN" -m torch.distributed.run --standalone --nproc-per-node="${GPUS:-8}" \
    -m verl.trainer.sft_trainer --config-dir . "+recipes=[$recipe${SCALE:+,scale_${SCALE}_sft}]" "$@"
}

evaluate() {
  [ "${EVALUATE:-}" != no ] || return 0
  local base data budgets checkpoint logs=${VERL_FILE_LOGGER_PATH%/*}
  base=$(pick "$1" "$TINY/model") data=$(pick "$2" "$TINY/data/test.parquet") budgets=$(pick "$3" 160)
  shift 3
  checkpoint=$("$PYTHON_BIN" -m recipes.tools.best "$RUN" --metrics "$logs")
  # a directory for each step: one that trained on is evaluated anew
  local out=$RUN/evaluation/${checkpoint##*/}
  "$PYTHON_BIN" -m mrt_verl.evaluation run --model trained="$checkpoint" --baseline base="$base" --data "$data" \
    --budgets "$budgets" --out "$out" "$@" $(pick "" "--problems 4 --traces 2 --insertions 0 --direct 4")
  cat "$logs"/metrics-*.jsonl > "$out/metrics.jsonl" # a resumed run has several
  "$PYTHON_BIN" -m mrt_verl.evaluation report "$out" --training "$out/metrics.jsonl"
  echo "metrics: $out/metrics.jsonl; page: $out/report/index.html"
}

followed() { # with SCALE=cpu: a line a step, everything in a file, and a last line that says where the metrics are
  [ -n "$TINY" ] || { "$@"; return; }
  local log=${VERL_FILE_LOGGER_PATH%/*}/train.log
  set -o pipefail
  "$@" 2>&1 | "$PYTHON_BIN" -m recipes.quickstart.follow "$log" 0 "$VERL_FILE_LOGGER_PATH" \
    || { tail -n 40 "$log" >&2; return 1; }
}

log_to() { # metrics of every start in a file of its own
  local directory=${TINY:-outputs}/${1//,/-}
  mkdir -p "$directory"
  export VERL_FILE_LOGGER_PATH=$directory/metrics-$(date +%s).jsonl
}
