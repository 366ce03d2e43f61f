"""The process of one stage: `python -m tests.gpu.stage NAME --device cpu --out DIR --limit SECONDS`."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from tests.gpu.report import Options, Report
from tests.gpu.stages import choose

REPORT = "report.json"
"""In the stage's own directory."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("--device", choices=["cuda", "cpu"], required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--limit", type=float, default=1e9)
    arguments = parser.parse_args()
    (stage,) = choose([arguments.name])
    arguments.out.mkdir(parents=True, exist_ok=True)
    report = Report(arguments.out / REPORT)
    options = Options(arguments.device, arguments.out, arguments.limit)
    module = importlib.import_module(f"tests.gpu.{stage.module}")
    report.attempt("ran", lambda: module.run(report, options, **stage.arguments))
    report.write()
    return 1 if report.failed else 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # engines and pools of a failed check are not waited for
