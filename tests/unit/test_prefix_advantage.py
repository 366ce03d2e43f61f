"""The prefix variant's advantages, worked out by hand."""

import math

import numpy as np
import pytest
import torch

from mrt_verl.hooks.advantage import compute_mrt_advantage
from mrt_verl.reward_layout import read_rewards, write_rewards
from mrt_verl.rollout_grading import reward_row
from mrt_verl.rollout_record import ResponsePart, RolloutRecord, ValuePart

PREFIX, MASK = 2, [0, 0, 1, 1, 1]
UNKNOWN = "unknown"


def advantages(rows, baseline, alpha=1.0, index=None, **settings):
    """rows: (outcome, J; None for a rollout that was forced to answer, UNKNOWN for one whose progress is not known)."""
    rewards = []
    for outcome, j in rows:
        spans, progress = ([], []) if j is None else ([(PREFIX, 5)], [None if j is UNKNOWN else outcome - j])
        rewards.append(write_rewards(outcome=outcome, spans=spans, progress=progress, response_mask=MASK, alpha=alpha))
    mrt = {
        "variant": "prefix",
        "prefix_mode": "paper",
        "baseline": baseline,
        "alpha": alpha,
        "bonus_norm": "rms",
        "bonus_floor": 0.05,
    }
    config = {"mrt": {**mrt, **settings}, "norm_adv_by_std_in_grpo": False}
    values, _ = compute_mrt_advantage(
        torch.from_numpy(np.stack(rewards)),
        torch.tensor([MASK] * len(rows)),
        np.array(index or ["u"] * len(rows), dtype=object),
        config,
    )
    assert (values[:, :PREFIX] == 0).all()  # the prefix is never trained on
    assert (values[:, PREFIX:] == values[:, PREFIX : PREFIX + 1]).all()  # one scalar a rollout
    return values[:, -1].tolist()


# forced: one of two right, J = 0.5; those that thought on: right and wrong
MIXED = [(1.0, None), (0.0, None), (1.0, 0.5), (0.0, 0.5)]


def test_termination():
    """(outcome - J + alpha · p) / RMS(outcome - J), with RMS 0.5."""
    assert advantages(MIXED, "termination") == pytest.approx([1.0, -1.0, 2.0, -2.0])
    assert advantages(MIXED, "termination", alpha=0.5) == pytest.approx([1.0, -1.0, 1.5, -1.5])
    assert advantages(MIXED, "termination", bonus_norm="none") == pytest.approx([0.5, -0.5, 1.0, -1.0])


def test_termination_is_not_centred():
    """Where thinking on always succeeds and stopping never does, all of its rollouts are paid and none is punished."""
    rows = [(0.0, None), (0.0, None), (1.0, 0.0), (1.0, 0.0)]
    scale = math.sqrt(0.5)
    assert advantages(rows, "termination") == pytest.approx([0.0, 0.0, 2 / scale, 2 / scale])


def test_group():
    """GRPO(outcome) + alpha · GRPO(p): outcomes minus 0.5, and p (0, 0, 0.5, -0.5) minus 0."""
    assert advantages(MIXED, "group") == pytest.approx([0.5, -0.5, 1.0, -1.0])
    rows = [(0.0, None), (0.0, None), (1.0, 0.0), (1.0, 0.0)]
    assert advantages(rows, "group") == pytest.approx([-1.0, -1.0, 1.0, 1.0])


def test_alpha_zero_is_grpo_with_the_group_baseline():
    assert advantages(MIXED, "group", alpha=0.0) == pytest.approx([0.5, -0.5, 0.5, -0.5])


@pytest.mark.parametrize("baseline", ["group", "termination"])
def test_plain_rollouts_get_grpo(baseline):
    """A group that found no prefix, beside one that did."""
    rows = [(1.0, None), (0.0, None), *MIXED]
    values = advantages(rows, baseline, index=["plain", "plain", "u", "u", "u", "u"])
    assert values[:2] == pytest.approx([0.5, -0.5])
    assert values[2:] == pytest.approx(advantages(MIXED, baseline))


@pytest.mark.parametrize("baseline", ["group", "termination"])
def test_permutation(baseline):
    order = [3, 1, 0, 2]
    shuffled = advantages([MIXED[row] for row in order], baseline)
    assert shuffled == pytest.approx([advantages(MIXED, baseline)[row] for row in order])


def test_a_rollout_whose_progress_is_not_known_is_none_of_the_forced_ones():
    """Forced 1 and 0, so J = 0.5; one thought on to 1, another's progress is not known."""
    rows = [(1.0, None), (0.0, None), (1.0, 0.5), (0.0, UNKNOWN)]
    # RMS of outcome - J over the three that count: 0.5; the fourth gets GRPO(outcome) = 0 - 0.5
    assert advantages(rows, "termination") == pytest.approx([1.0, -1.0, 2.0, -0.5])
    # outcomes minus 0.5; p of the three (0, 0, 0.5) minus 1/6
    assert advantages(rows, "group") == pytest.approx([0.5 - 1 / 6, -0.5 - 1 / 6, 0.5 + 1 / 3, -0.5])
    without = advantages(rows[:3], "termination")
    assert advantages(rows, "termination")[:3] == pytest.approx(without)


@pytest.mark.parametrize("baseline", ["group", "termination"])
@pytest.mark.parametrize("lost", [0, 3])
def test_a_rollout_whose_outcome_is_not_known_is_none_of_its_group(baseline, lost):
    """Grading timed out for one that had to answer, or for one that thought on."""
    rows = [*MIXED[:lost], (None, None if lost < 2 else UNKNOWN), *MIXED[lost:]]
    values = advantages(rows, baseline)
    assert values[lost] == 0.0
    assert values[:lost] + values[lost + 1 :] == pytest.approx(advantages(MIXED, baseline))


def test_a_continuation_of_one_token_shows_that_it_is_none_of_the_forced_ones():
    """Its only trained token holds the outcome, so its progress finds no place."""
    row = write_rewards(outcome=1.0, spans=[(2, 3)], progress=[0.5], response_mask=[0, 0, 1], alpha=1.0)
    forced = write_rewards(outcome=1.0, spans=[], progress=[], response_mask=[0, 0, 1], alpha=1.0)
    events = read_rewards(torch.from_numpy(np.stack([row, forced])), torch.tensor([[0, 0, 1]] * 2))
    assert events.started.tolist() == [True, False]
    assert not events.valid.any() and events.outcome.tolist() == [1.0, 1.0]


def one_episode(rows, index=None, alpha=1.0):
    """rows: (outcome, whether it is a one-episode rollout); the advantages of mode one_episode, not divided by std."""
    rewards = [
        write_rewards(
            outcome=outcome,
            spans=[(PREFIX, 5)] * is_one,
            progress=[None] * is_one,
            response_mask=MASK,
            alpha=alpha,
        )
        for outcome, is_one in rows
    ]
    node = {"variant": "prefix", "prefix_mode": "one_episode", "alpha": alpha}
    values, _ = compute_mrt_advantage(
        torch.from_numpy(np.stack(rewards)),
        torch.tensor([MASK] * len(rows)),
        np.array(index or ["u"] * len(rows), dtype=object),
        {"mrt": node, "norm_adv_by_std_in_grpo": False},
    )
    assert (values[:, :PREFIX] == 0).all()
    return values[:, -1].tolist()


KINDS = [(1.0, False), (0.0, False), (1.0, True), (0.0, True), (0.0, True), (0.0, True)]


def test_kinds_are_normalised_apart():
    """Plain: mean 1/2. One episode: mean 1/4. Their own means are taken off, alpha weighs the second kind alone."""
    assert one_episode(KINDS) == pytest.approx([0.5, -0.5, 0.75, -0.25, -0.25, -0.25])
    assert one_episode(KINDS, alpha=2.0) == pytest.approx([0.5, -0.5, 1.5, -0.5, -0.5, -0.5])
    assert one_episode(KINDS, alpha=0.0) == pytest.approx([0.5, -0.5, 0, 0, 0, 0])


def test_a_common_shift_of_one_kind_changes_nothing():
    """All one-episode rollouts start from one J: an easier prefix is no merit of the episode."""
    shifted = [(outcome + 0.5 * is_one, is_one) for outcome, is_one in KINDS]
    assert one_episode(shifted) == pytest.approx(one_episode(KINDS))


def test_prompts_are_apart_and_their_order_does_not_count():
    rows, index = [*KINDS, *KINDS[::-1]], ["u"] * 6 + ["v"] * 6
    values = one_episode(rows, index)
    assert values[6:] == pytest.approx(values[:6][::-1])
    mixed = [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
    assert one_episode([rows[n] for n in mixed], [index[n] for n in mixed]) == pytest.approx([values[n] for n in mixed])


def test_a_rollout_left_alone_of_its_kind_has_nothing_to_be_compared_with():
    """Of plain 1, 0 and one episode 1 and one lost: the host's GRPO would pay the third all of its outcome."""
    rows = [(1.0, False), (0.0, False), (1.0, True), (None, True)]
    assert one_episode(rows) == pytest.approx([0.5, -0.5, 0.0, 0.0])
    rows = [(1.0, False), (None, False), (1.0, True), (0.0, True)]
    assert one_episode(rows) == pytest.approx([0.0, 0.0, 0.5, -0.5])


def test_plain_rollouts_for_want_of_a_prefix_are_grpo():
    assert one_episode([(1.0, False), (0.0, False), (0.0, False), (1.0, False)]) == pytest.approx(
        [0.5, -0.5, -0.5, 0.5]
    )


@pytest.mark.parametrize("cut", [0, 2])
@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_a_one_episode_rollout_shows_itself_wherever_it_was_cut(cut, outcome):
    """Before the first episode, too, where no token of a prefix could show it."""
    response = ResponsePart([(cut, cut, 5)], 5, True, 5 - cut, 8, 0, kind="one_episode", prefix_tokens=cut)
    record = RolloutRecord(response, values=ValuePart(outcome=outcome, js=[outcome], alpha=1.0))
    mask = [0] * cut + [1] * (5 - cut) + [0, 1, 1]
    events = read_rewards(torch.from_numpy(reward_row(record, outcome, mask))[None], torch.tensor([mask]))
    assert events.started.tolist() == [True]
    assert events.outcome.tolist() == [outcome]


def test_a_plain_rollout_shows_none():
    response = ResponsePart([(0, 0, 5)], 5, True, 5, 8, 0)
    record = RolloutRecord(response, values=ValuePart(outcome=1.0, js=[None], alpha=1.0))
    events = read_rewards(torch.from_numpy(reward_row(record, 1.0, [1] * 8))[None], torch.ones(1, 8))
    assert events.started.tolist() == [False]
