"""Which tokens an episode's bonus falls on."""

import numpy as np
import pytest
import torch

from mrt_verl.advantage import compute_mrt_advantage
from mrt_verl.reward_layout import write_rewards
from mrt_verl.rollout_record import RolloutRecord
from tests.unit.test_advantage import config

TWO = [(1, 1, 4), (4, 6, 9)]  # <think> 1 2 3 | Wait , 6 7 8 </think> …
BOTH = [(0, 0, 0.5), (1, 1, 0.25)]


def record(episodes, progress, answer_start=None):
    return RolloutRecord(
        episodes=episodes,
        answer_start=answer_start,
        finished=True,
        think_tokens=8,
        response_tokens=12,
        markers=1,
        progress=progress,
    )


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
    assert record(TWO, progress, answer_start).spans() == spans


def test_nothing_without_episodes():
    assert record([], [], None).spans() == []


def test_ending_an_episode_pays_as_much_as_drawing_it_out():
    """Behind token 3 J is 1. The next token closes the thinking, opens an episode or is any other: the bonus is one."""
    gain, nothing = (0, 0, 1.0), (1, 1, 0.0)
    rollouts = [
        record([(0, 0, 4)], [gain], answer_start=5),
        record([(0, 0, 4), (4, 5, 8)], [gain, nothing]),
        record([(0, 0, 8)], [gain]),
    ]
    rows = [
        write_rewards(
            outcome=0.0,
            spans=one.spans(),
            progress=[progress for *_, progress in one.progress],
            response_mask=[1] * 9,
            alpha=1.0,
        )
        for one in rollouts
    ]
    group = np.array(["a"] * 3, dtype=object)
    advantages, _ = compute_mrt_advantage(torch.from_numpy(np.stack(rows)), torch.ones(3, 9), group, config())
    assert advantages[0, 4] > 0
    assert advantages[:, 4].tolist() == [advantages[0, 4].item()] * 3
    assert advantages[1, 5:].tolist() == pytest.approx([0.0] * 4)  # the episode behind the marker gained nothing
