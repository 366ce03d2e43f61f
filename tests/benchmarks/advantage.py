"""Seconds of the estimator on 4,096 x 8,192 tokens against verl's own GRPO, alternating; prints one JSON line.

Groups of 8 rollouts with 6 episodes each and lengths from 1,024 tokens to the full row. The inputs are what verl's
trainer hands over: float32 rewards and an int64 mask. `inserted` has masked tokens inside the responses, as inserted
boundaries leave them; `alpha_zero` is MRT with its bonus switched off.
"""

import itertools
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from omegaconf import OmegaConf
from verl.trainer.ppo.core_algos import compute_grpo_outcome_advantage

from mrt_verl.hooks.advantage import compute_mrt_advantage
from mrt_verl.reward_layout import write_rewards

ROWS, LENGTH, GROUP, EPISODES, MARKER_TOKENS, REPEATS = 4096, 8192, 8, 6, 2, 15


def make_config(alpha: float):
    mrt = {
        "variant": "online",
        "alpha": alpha,
        "credit": "progress",
        "gamma": 1.0,
        "bonus_norm": "rms",
        "bonus_floor": 0.05,
    }
    return OmegaConf.create({"norm_adv_by_std_in_grpo": True, "mrt": mrt})


def make_batch(*, inserted: bool) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Rewards as reward_layout writes them, int64 mask, uids."""
    rng = np.random.default_rng(0)
    rewards = torch.zeros(ROWS, LENGTH)
    mask = torch.zeros(ROWS, LENGTH, dtype=torch.int64)
    for row, length in enumerate(rng.integers(1024, LENGTH + 1, ROWS)):
        edges = np.linspace(1, length - 50, EPISODES + 1).astype(int).tolist()
        mask[row, :length] = 1
        if inserted:
            for start in edges[1:-1]:
                mask[row, start : start + MARKER_TOKENS] = 0
        js = rng.integers(0, 5, EPISODES + 1) / 4
        written = write_rewards(
            outcome=float(rng.integers(2)),
            spans=[(start + MARKER_TOKENS, end) for start, end in itertools.pairwise(edges)],
            progress=np.diff(js).tolist(),
            response_mask=mask[row].numpy(),
            alpha=1.0,
        )
        rewards[row] = torch.from_numpy(written)
    return rewards, mask, np.array([f"prompt-{row // GROUP}" for row in range(ROWS)], dtype=object)


def time_call(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(*, inserted: bool, alpha: float) -> dict[str, float]:
    batch = make_batch(inserted=inserted)
    config = make_config(alpha)
    calls = {
        "grpo": lambda: compute_grpo_outcome_advantage(*batch, norm_adv_by_std_in_grpo=True),
        "mrt": lambda: compute_mrt_advantage(*batch, config),
    }
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(REPEATS + 1):
        for name, call in calls.items():
            elapsed = time_call(call)
            if repeat:  # the first round warms up
                seconds[name].append(elapsed)
    medians = {name: round(statistics.median(values), 4) for name, values in seconds.items()}
    return {**medians, "ratio": round(medians["mrt"] / medians["grpo"], 3)}


def main() -> None:
    results = {
        "plain": measure(inserted=False, alpha=1.0),
        "inserted": measure(inserted=True, alpha=1.0),
        "alpha_zero": measure(inserted=False, alpha=0.0),
    }
    print(json.dumps({"benchmark": "advantage", "rows": ROWS, "length": LENGTH, "group": GROUP, **results}))


if __name__ == "__main__":
    main()
