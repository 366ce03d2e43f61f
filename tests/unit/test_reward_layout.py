"""The reward row, written out token by token."""

import numpy as np
import pytest
import torch

from mrt_verl.reward_layout import TINY, read_rewards, write_rewards


def row(length: int, **rewards: float) -> np.ndarray:
    """A row of zeros but for the given tokens, e.g. row(4, t3=1.0)."""
    values = np.zeros(length, dtype=np.float32)
    for name, reward in rewards.items():
        values[int(name[1:])] = reward
    return values


@pytest.mark.parametrize(
    ("spans", "progress", "mask", "expected"),
    [
        # <think> 1 2 | Wait 4 5 </think> 7: the bonus of the second span starts after its marker
        ([(1, 3), (4, 6)], [0.5, 0.25], [1] * 8, row(8, t0=-TINY, t2=1.0, t3=-TINY, t5=0.5, t7=1.0)),
        # a span that starts with the row or after another boundary needs no opening mark
        ([(0, 3), (3, 6)], [0.5, 0.25], [1] * 8, row(8, t2=1.0, t5=0.5, t7=1.0)),
        # progress 0 stays visible, negative progress is a reward like any other
        ([(0, 3), (3, 6)], [0.0, -0.5], [1] * 8, row(8, t2=TINY, t5=-1.0, t7=1.0)),
        # the trace was cut in the thinking block: the boundary leaves the outcome's token
        ([(0, 2), (2, 5)], [0.5, 0.25], [1] * 5, row(5, t1=1.0, t3=0.5, t4=1.0)),
        # no trained token beside the outcome's: two boundaries add up
        ([(0, 4), (4, 5)], [0.5, 0.25], [1] * 5, row(5, t3=1.5, t4=1.0)),
        # and cancel to a reward of 0, which stays visible
        ([(0, 4), (4, 5)], [0.5, -0.5], [1] * 5, row(5, t3=TINY, t4=1.0)),
        # the only span holds the outcome's token alone: one token to the left
        ([(4, 5)], [0.5], [1] * 5, row(5, t2=-TINY, t3=1.0, t4=1.0)),
        ([(1, 2)], [0.5], [1] * 2, row(2, t0=1.0, t1=1.0)),
        # a single token: no room for a bonus
        ([(0, 1)], [0.5], [1], row(1, t0=1.0)),
        # inserted tokens (mask 0) carry nothing: boundary and outcome move to trained tokens
        ([(0, 3), (4, 7)], [0.5, 0.25], [1, 1, 0, 0, 1, 1, 0, 1, 0], row(9, t1=1.0, t3=-TINY, t5=0.5, t7=1.0)),
        # a span of inserted tokens: its reward goes to the step before it …
        (
            [(0, 2), (2, 4), (4, 6)],
            [0.5, 0.25, 0.125],
            [1, 1, 0, 0, 1, 1, 1],
            row(7, t1=1.5, t3=-TINY, t5=0.25, t6=1.0),
        ),
        # … or, if it is the first, to the one after it
        ([(0, 2), (2, 4)], [0.5, 0.25], [0, 0, 1, 1, 1], row(5, t1=-TINY, t3=1.5, t4=1.0)),
        # padding
        ([(0, 2)], [0.5], [1, 1, 1, 0, 0], row(5, t1=1.0, t2=1.0)),
        ([(0, 2)], [0.5], [0, 0, 0], row(3)),
        ([], [], [1, 1, 1], row(3, t2=1.0)),
        ([], [], [], row(0)),
    ],
)
def test_where_rewards_stand(spans, progress, mask, expected):
    # outcome 1, alpha 2: progress 0.5 is a reward of 1.0
    written = write_rewards(outcome=1.0, spans=spans, progress=progress, response_mask=mask, alpha=2.0)
    assert written.dtype == np.float32
    np.testing.assert_array_equal(written, expected)


def test_alpha_zero_keeps_boundaries_visible():
    written = write_rewards(outcome=0.0, spans=[(1, 3)], progress=[0.5], response_mask=[1] * 5, alpha=0.0)
    np.testing.assert_array_equal(written, row(5, t0=-TINY, t2=TINY))


def test_an_outcome_of_zero_is_zero_yet_visible():
    written = write_rewards(outcome=0.0, spans=[(0, 2)], progress=[0.5], response_mask=[1] * 4, alpha=1.0)
    np.testing.assert_array_equal(written, row(4, t1=0.5))
    assert np.signbit(written).tolist() == [False, False, False, True]


@pytest.mark.parametrize("outcome", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("mask", [[0] * 6, [1, 1, 1, 1, 0, 0], [1, 0, 1, 0, 1, 0], [1] * 6])
def test_rewards_are_read_alike_when_the_mask_has_lost_tokens_since(outcome, mask):
    written = write_rewards(
        outcome=outcome, spans=[(1, 3), (3, 5)], progress=[0.5, 0.25], response_mask=[1] * 6, alpha=1.0
    )
    events = read_rewards(torch.from_numpy(written).unsqueeze(0), torch.tensor([mask]))
    assert events.outcome.tolist() == [outcome]
    assert (events.start.tolist(), events.end.tolist()) == ([[1, 3]], [[3, 5]])
    assert events.bonus.tolist() == [[0.5, 0.25]]


def test_an_outcome_of_zero_whose_sign_was_lost_is_found_by_the_mask():
    written = write_rewards(outcome=0.0, spans=[(0, 2)], progress=[0.5], response_mask=[1] * 4, alpha=1.0) + 0.0
    assert not np.signbit(written).any()
    events = read_rewards(torch.from_numpy(written).unsqueeze(0), torch.ones(1, 4))
    assert events.outcome.tolist() == [0.0]
    assert events.bonus.tolist() == [[0.5]]


def test_one_progress_for_each_span():
    with pytest.raises(ValueError):
        write_rewards(outcome=1.0, spans=[(0, 1), (1, 2)], progress=[0.5], response_mask=[1] * 3, alpha=1.0)


@pytest.mark.parametrize("mask_dtype", [torch.int64, torch.bool, torch.float32])
def test_read_what_stands_in_a_batch(mask_dtype):
    rewards = torch.tensor(
        [
            [-TINY, 0, 0.5, -TINY, 0, TINY, 0, 1.0],
            [0, 0.25, -0.5, 0, 0, 0, 0, 0],  # outcome 0 on token 3, then padding
            [0, 0, 0, 0, 0, 0, 0, 0],  # never trained
            [0, 0, 0, 0, -1.0, 0, 0, 0],  # outcome -1 on token 4, inserted tokens at 2 and after it
        ],
        dtype=torch.float32,
    )
    mask = torch.tensor(
        [[1] * 8, [1, 1, 1, 1, 0, 0, 0, 0], [0] * 8, [1, 1, 0, 1, 1, 0, 0, 0]],
    ).to(mask_dtype)
    events = read_rewards(rewards, mask)
    assert events.outcome.tolist() == [1.0, 0.0, 0.0, -1.0]
    assert events.valid.tolist() == [[True, True], [True, True], [False, False], [False, False]]
    assert events.start.tolist() == [[1, 4], [0, 2], [0, 0], [0, 0]]
    assert events.end.tolist() == [[3, 6], [2, 3], [0, 0], [0, 0]]
    torch.testing.assert_close(events.bonus, torch.tensor([[0.5, TINY], [0.25, -0.5], [0, 0], [0, 0]]), rtol=0, atol=0)
    # rows start at 0, 8, 16, 24; the mask changes at token 4 of the second row and at 2, 3, 5 of the last
    assert events.mask_runs.tolist() == [0, 8, 12, 16, 24, 26, 27, 29]


def test_a_boundary_on_the_last_column_does_not_reach_into_the_next_row():
    rewards = torch.tensor([[0.5, 0.0, 1.0], [0.0, 0.25, 1.0]])
    events = read_rewards(rewards, torch.ones(2, 3))
    assert events.start.tolist() == [[0], [0]]
    assert events.end.tolist() == [[1], [2]]


def test_a_batch_without_episodes():
    events = read_rewards(torch.tensor([[0.0, 1.0], [0.0, 0.0]]), torch.ones(2, 2))
    assert events.outcome.tolist() == [1.0, 0.0]
    assert events.bonus.shape == events.start.shape == events.end.shape == events.valid.shape == (2, 0)


def test_marks_survive_bfloat16():
    written = write_rewards(outcome=1.0, spans=[(1, 3), (4, 6)], progress=[0.5, 0.0], response_mask=[1] * 8, alpha=1.0)
    events = read_rewards(torch.from_numpy(written).unsqueeze(0).bfloat16(), torch.ones(1, 8))
    assert events.start.tolist() == [[1, 4]]
    assert events.end.tolist() == [[3, 6]]


@pytest.mark.parametrize("mask", [[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]])
def test_an_outcome_that_is_not_known_stands_alone_in_its_row(mask):
    written = write_rewards(outcome=None, spans=[(0, 2)], progress=[0.5], response_mask=mask, alpha=1.0)
    last = max((n for n, trained in enumerate(mask) if trained), default=3)
    np.testing.assert_array_equal(written, row(4, **{f"t{last}": TINY}))
    events = read_rewards(torch.from_numpy(np.stack([written, row(4, t3=1.0)])), torch.tensor([mask, [1] * 4]))
    assert (events.known.tolist(), events.outcome.tolist()) == ([False, True], [0.0, 1.0])
    assert not events.valid.any()
    rounded = read_rewards(torch.from_numpy(written).unsqueeze(0).bfloat16(), torch.tensor([mask]))
    assert rounded.known.tolist() == [False]


def test_a_users_outcome_of_next_to_nothing_is_zero():
    written = write_rewards(outcome=1e-30, spans=[], progress=[], response_mask=[1, 1], alpha=1.0)
    events = read_rewards(torch.from_numpy(written).unsqueeze(0), torch.ones(1, 2))
    assert (events.known.tolist(), events.outcome.tolist()) == ([True], [0.0])
