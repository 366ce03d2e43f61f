"""The loop beside verl at the quickstart's settings: are they one experiment?

    for seed in 1 2 3; do QUICKSTART_SEED=$seed QUICKSTART_ARMS="grpo mrt" bash recipes/quickstart/run.sh; done
    python -m recipes.study.fast.hosts           runs the loop as often, and draws results/hosts.png
    python -m recipes.study.fast.hosts --read    of what has been run

Seeds that results/hosts.json holds stay as they are; without the file all are read and run anew.

Both start from warm start 1, and train on the same problems with the same settings. What is compared is the outcome of
a step's rollouts, none of whose problems was met before. verl's runs are evaluated, too, by the quickstart.
"""

import argparse
import json
import multiprocessing
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mrt_verl.evaluation.settings import read_settings
from mrt_verl.settings import MRTSettings
from recipes.quickstart.arms import STEPS, directory_of, out_of
from recipes.study.fast.intervals import t_interval
from recipes.tools.markdown import table

RESULTS = Path("recipes/study/results")
FILE = RESULTS / "hosts.json"
SEEDS = (1, 2, 3)
"""Those whose quickstart has been run are read."""
HOSTS = ("verl", "loop")
ARMS = ("grpo", "mrt")
PARTS = 4
"""Parts of the run, over which the outcome is averaged in the table."""
TRAIN_YAML = Path("recipes/quickstart/train.yaml")


def settings_of(arm: str) -> MRTSettings:
    """The quickstart's."""
    settings = read_settings([TRAIN_YAML], ["mrt.trace_dir=null", *(["mrt.alpha=0"] if arm == "grpo" else [])])
    return replace(settings, prover="pooled", branches=1)  # as short.yaml; of an evaluation it would be refused


def run_loop(arm: str, seed: int) -> list[float]:
    """Outcome of each step, in the loop."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from data_prep.search_task import make_problems
    from recipes.quickstart.prepare import SEED, TEST, TRAIN, WARM_START, rows
    from recipes.study.fast.loop import Experiment, Loop

    torch.set_num_threads(1)
    experiment = Experiment(settings_of(arm), seed, tokens=0, updates=STEPS, learning_rate=6e-4, is_plain=arm == "grpo")
    model = AutoModelForCausalLM.from_pretrained(WARM_START, dtype=torch.float32)
    loop = Loop(model, AutoTokenizer.from_pretrained(WARM_START), experiment)
    data = rows(make_problems(SEED)[TEST : TEST + TRAIN], "train")
    return [round(step["plain_outcome"], 4) for step in loop.steps(data)]


def read_verl(arm: str, seed: int) -> dict[str, Any]:
    """Outcome of each step, and what the evaluation found, of a quickstart."""
    out = out_of(seed)
    log = [json.loads(line)["data"] for line in (directory_of(arm, out) / "metrics.jsonl").read_text().splitlines()]
    runs = json.loads((out / "report/summary.json").read_text())["runs"]
    (run,) = (one for one in runs if one["name"] == f"{arm}-{STEPS}-steps")
    return {
        "outcome": [round(one["mrt/outcome"], 4) for one in log if "mrt/outcome" in one],
        "pass_at_1": run["pass@1"]["value"],
        "regret": run["budgets"][max(run["budgets"], key=int)]["regret"]["value"],
    }


def add_seeds(workers: int) -> dict[str, Any]:
    """The results, with those of quickstarts that are not in them yet: by host, arm and seed."""
    credit = settings_of("mrt").credit
    none: dict[str, Any] = {"credit": credit, **{host: {arm: {} for arm in ARMS} for host in HOSTS}}
    results: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else none
    seeds = [seed for seed in SEEDS if str(seed) not in results["verl"]["mrt"] and (out_of(seed) / "report").exists()]
    if seeds and results["credit"] != credit:
        raise SystemExit(f"{FILE} is of mrt.credit={results['credit']}, now it is {credit}: remove the file first")
    jobs = [(arm, seed) for seed in seeds for arm in ARMS]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for (arm, seed), outcome in zip(jobs, pool.starmap(run_loop, jobs, chunksize=1), strict=True):
            results["verl"][arm][str(seed)] = read_verl(arm, seed)
            results["loop"][arm][str(seed)] = {"outcome": outcome}
    return results


def agreement(results: dict[str, Any]) -> list[str]:
    """Mean outcome in each part of the runs, of both hosts."""
    rows = []
    for arm in ARMS:
        for host in HOSTS:
            parts = [np.array_split(one["outcome"], PARTS) for one in results[host][arm].values()]
            cells = [t_interval([float(part.mean()) for part in same]).text() for same in zip(*parts, strict=True)]
            rows.append([f"`{arm}`, {host}", *cells])
    quarter = STEPS // PARTS
    header = [f"updates {begin + 1} to {begin + quarter}" for begin in range(0, STEPS, quarter)]
    return table(["", *header], rows)


def differences(results: dict[str, Any]) -> list[str]:
    """verl's runs of MRT less those of GRPO, by seed."""
    pairs = [(results["verl"]["mrt"][seed], results["verl"]["grpo"][seed]) for seed in results["verl"]["grpo"]]
    rows = []
    for key, label in (("pass_at_1", "pass@1"), ("regret", "normalised regret")):
        found = [ours[key] - theirs[key] for ours, theirs in pairs]
        rows.append([label, *(f"{one:+.3f}" for one in found), t_interval(found).text("+")])
    return table(["MRT minus GRPO in verl", *(f"seed {seed}" for seed in results["verl"]["grpo"]), "mean"], rows)


def draw(results: dict[str, Any], path: Path) -> None:
    """Outcome against updates, a mean over seeds and five steps, and the seeds behind it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(ARMS), figsize=(11, 4), sharey=True, layout="constrained")
    for axis, arm in zip(axes, ARMS, strict=True):
        for colour, host in enumerate(HOSTS):
            runs = np.array([_smooth(one["outcome"]) for one in results[host][arm].values()])
            steps = np.arange(3, 3 + runs.shape[1])
            axis.plot(steps, runs.T, color=f"C{colour}", alpha=0.25, linewidth=1)
            axis.plot(steps, runs.mean(axis=0), color=f"C{colour}", label=f"{host}, {len(runs)} seeds")
        axis.set(title=arm, xlabel="update", ylabel="outcome of a step's rollouts")
        axis.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _smooth(values: Sequence[float]) -> Any:
    return np.convolve(values, np.ones(5) / 5, "valid")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--read", action="store_true", help="draw what results/hosts.json holds")
    parser.add_argument("--workers", type=int, default=2, help="runs side by side (%(default)s)")
    arguments = parser.parse_args()
    if not arguments.read:
        FILE.write_text(json.dumps(add_seeds(arguments.workers)) + "\n")
    results = json.loads(FILE.read_text())
    draw(results, RESULTS / "hosts.png")
    print("\n".join([*agreement(results), "", *differences(results)]))


if __name__ == "__main__":
    main()
