# Sourced by the recipes' run.sh, from the repository's root.
#   train RECIPE [OVERRIDE …]   verl's trainer on recipes/RECIPE.yaml; an overlay behind a comma: train a/b,c/d
# PYTHON_BIN is the interpreter of an environment with verl, vLLM and this package (default: python, the active one).
# SCALE=cpu runs the same YAML as two steps of a tiny model on a CPU (recipes/scale_cpu.yaml), in .venv unless PYTHON_BIN
# says otherwise; it shows that a recipe works from end to end, not that it learns.
if [ "${SCALE:-}" = cpu ]; then
  HARDWARE=cpu OVERLAY=,scale_cpu
  [ -n "${PYTHON_BIN:-}" ] || { bash recipes/install_cpu.sh; PYTHON_BIN=.venv/bin/python; }
  "$PYTHON_BIN" -m recipes.tiny
elif [ -n "${SCALE:-}" ]; then
  echo "SCALE=$SCALE; allowed: cpu, or unset" >&2
  exit 1
fi
PYTHON_BIN=${PYTHON_BIN:-python}
[ -z "${HARDWARE:-}" ] || export VERL_PLATFORM=cpu

train() {
  local recipe=$1 name=${1//[\/,]/-}
  shift
  mkdir -p "outputs/$name"
  VERL_FILE_LOGGER_PATH=${VERL_FILE_LOGGER_PATH:-outputs/$name/metrics-$(date +%s).jsonl} \
    "$PYTHON_BIN" -m verl.trainer.main_ppo --config-dir . ${HARDWARE:+"+hardware=$HARDWARE"} \
    "+recipes=[$recipe${OVERLAY:-}]" "$@"
}
