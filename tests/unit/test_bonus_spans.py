"""Which tokens an episode's bonus falls on."""

import numpy as np
import pytest
import torch

from mrt_verl.hooks.advantage import compute_mrt_advantage
from mrt_verl.reward_layout import bonus_spans, write_rewards

TWO = [(1, 1, 4), (4, 6, 9)]  # <think> 1 2 3 | Wait , 6 7 8 </think> …
BOTH = [(0, 0, 0.5), (1, 1, 0.25)]


@pytest.mark.parametrize(
    ("progress", "answer_start", "spans"),
    [
        (BOTH, 10, [(1, 6), (6, 10)]),
        (BOTH, None, [(1, 6), (6, 9)]),  # never closed
        (BOTH, 0, [(1, 6), (6, 9)]),  # a model without tags
        ([(0, 1, 0.75)], 10, [(1, 10)]),  # the first boundary has no J
        ([(0, 0, 0.5)], 10, [(1, 6)]),  # the last has none
        ([(1, 1, 0.25)], 10, [(6, 10)]),  # J is not known without thinking
        ([], 10, []),
    ],
)
def test_what_ends_an_episode_belongs_to_it(progress, answer_start, spans):
    assert bonus_spans(TWO, answer_start, progress) == spans


def test_nothing_without_episodes():
    assert bonus_spans([], None, []) == []


def test_ending_an_episode_pays_as_much_as_drawing_it_out():
    """After token 3 J is 1. The next token closes the thinking, opens an episode or is any other: the bonus is one."""
    gain, nothing = (0, 0, 1.0), (1, 1, 0.0)
    rollouts = [
        ([(0, 0, 4)], 5, [gain]),
        ([(0, 0, 4), (4, 5, 8)], None, [gain, nothing]),
        ([(0, 0, 8)], None, [gain]),
    ]
    rows = [
        write_rewards(
            outcome=0.0,
            spans=bonus_spans(episodes, answer_start, steps),
            progress=[progress for *_, progress in steps],
            response_mask=[1] * 9,
            alpha=1.0,
        )
        for episodes, answer_start, steps in rollouts
    ]
    group = np.array(["a"] * 3, dtype=object)
    advantages, _ = compute_mrt_advantage(
        torch.from_numpy(np.stack(rows)), torch.ones(3, 9), group, {"mrt": {}, "norm_adv_by_std_in_grpo": False}
    )
    assert advantages[0, 4] > 0
    assert advantages[:, 4].tolist() == [advantages[0, 4].item()] * 3
    assert advantages[1, 5:].tolist() == pytest.approx([0.0] * 4)  # the episode after the marker gained nothing
