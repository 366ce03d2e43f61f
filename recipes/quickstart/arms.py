"""The quickstart's arms: what each sets on top of train.yaml and short.yaml, and nothing else."""

import os
from pathlib import Path

DEVICE = os.environ.get("QUICKSTART_DEVICE", "cpu")
"""`cpu` or `cuda`; run.sh looks for a GPU."""
HARDWARE = {"cpu": ("+hardware=cpu", "+quickstart=[train,short]"), "cuda": ("+quickstart=[train,short,gpu]",)}
ARMS: dict[str, tuple[str, ...]] = {
    "grpo": ("mrt.alpha=0",),  # verl's GRPO bit for bit; progress and regret are measured, and trained on by nobody
    "mrt": (),
}
MEASURED = ("mrt.episodes=paragraphs",)
"""Where an evaluation asks for J, beside train.yaml: after every attempt, whether a marker opens it or not, so that all
arms have the same boundaries. They train on episodes between markers."""
STEPS = 60
SEED = int(os.environ.get("QUICKSTART_SEED") or 1)
"""Of the order of the problems and of what is sampled; runs of other seeds have a directory of their own."""


def out_of(seed: int) -> Path:
    """Where the quickstart of a seed leaves everything."""
    return Path("outputs/quickstart" if seed == 1 else f"outputs/quickstart-seed-{seed}")


OUT = out_of(SEED)


def directory_of(arm: str, out: Path = OUT) -> Path:
    """Where an arm's logs, traces and checkpoints are: MRT's in `out` itself."""
    return out if arm == "mrt" else out / arm


def overrides_of(arm: str, steps: int, out: Path = OUT) -> list[str]:
    """What an arm's trainer is started with."""
    run = directory_of(arm, out)
    return [
        *("reward_model=mrt", *HARDWARE[DEVICE], *ARMS[arm]),
        *(f"trainer.total_training_steps={steps}", f"trainer.experiment_name=quickstart-{arm}"),
        *(f"trainer.default_local_dir={run}/checkpoints", f"mrt.trace_dir={run}/traces"),
        *([] if SEED == 1 else _other_seed(out)),
    ]


def _other_seed(out: Path) -> list[str]:
    """What train.yaml says of seed 1."""
    return [
        *(f"data.train_files={out}/data/train.parquet", f"data.val_files={out}/data/test.parquet"),
        *(f"actor_rollout_ref.model.path={out}/model", *seed_overrides(SEED)),
    ]


def seed_overrides(seed: int) -> tuple[str, ...]:
    """The seeds of verl that decide the order of the problems and what is sampled."""
    return (
        *(f"data.seed={seed}", f"actor_rollout_ref.rollout.seed={seed}"),
        f"actor_rollout_ref.actor.data_loader_seed={seed}",
    )


def parse_arms(text: str) -> list[str]:
    """The arms of `QUICKSTART_ARMS`; MRT is always one of them.

    Raises:
        SystemExit: there is no such arm.
    """
    named = text.replace(",", " ").split()
    unknown = [arm for arm in named if arm not in ARMS]
    if unknown:
        raise SystemExit(f"QUICKSTART_ARMS={text!r}: no arm {', '.join(unknown)}; allowed: {' '.join(ARMS)}")
    return list(dict.fromkeys([*named, "mrt"]))
