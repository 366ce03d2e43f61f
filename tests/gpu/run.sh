#!/usr/bin/env bash
# Every claim on one GPU: bash tests/gpu/run.sh [--limit SECONDS] [--device cpu] [--stages NAME,NAME] [--slow TIMES]
# PASS, FAIL or NOT RUN for each stage; figures and a table in tests/gpu/results/. `--device cpu` runs what a CPU can, in a
# tiny form, so that a typing error is not found on the GPU.
#   PYTHON  the interpreter of an environment with verl, vLLM and this package (default: .venv-pins, .venv, or python3)
#   KIT     a folder of payload*.tar.xz with the packages that the machine lacks, unpacked into KIT_SITE beside PYTHON's own
set -euo pipefail
cd "$(dirname "$0")/../.."
for candidate in ${PYTHON:-} .venv-pins/bin/python .venv/bin/python python3; do
    command -v "$candidate" > /dev/null && python=$candidate && break
done
site=${KIT_SITE:-/tmp/mrt_gpu_site}
if [ -n "${KIT:-}" ] && [ ! -e "$site/unpacked" ]; then
    mkdir -p "$site/mrt_verl-0.dist-info"
    for payload in "$KIT"/payload*.tar.xz; do
        "$python" -c "import sys, tarfile; tarfile.open(sys.argv[1], 'r:xz').extractall(sys.argv[2], filter='fully_trusted')" \
            "$payload" "$site" &
    done
    wait
    # the entry point of a package that is not installed, only on the path
    printf 'Metadata-Version: 2.1\nName: mrt-verl\nVersion: 0\n' > "$site/mrt_verl-0.dist-info/METADATA"
    printf '[verl.plugins]\nmrt = mrt_verl.register\n' > "$site/mrt_verl-0.dist-info/entry_points.txt"
    chmod +x "$site"/ray/core/src/ray/gcs/gcs_server "$site"/ray/core/src/ray/raylet/raylet
    "$python" -m compileall -q -j 0 "$site" > /dev/null 2>&1 || true # else each of a run's processes compiles it anew
    touch "$site/unpacked"
fi
if [ -n "${KIT:-}" ]; then
    # a container's Ray: no token, and no memory shared by NCCL's cuMem
    export RAY_AUTH_MODE=disabled NCCL_CUMEM_ENABLE=0 PYTHONPATH=$PWD:$site
else
    export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
fi
exec "$python" -m tests.gpu.runner "$@"
