"""Laws of progress, reward layout and advantage."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mrt_verl.hooks.advantage import compute_mrt_advantage
from mrt_verl.openrlhf.reward_range import largest_reward
from mrt_verl.openrlhf.scalar import group_rewards
from mrt_verl.progress import CREDITS, compute_credit, compute_progress
from mrt_verl.reward_layout import TINY, read_rewards, write_rewards
from mrt_verl.settings import MRTSettings, plain_rollouts
from mrt_verl.trace import Trace
from tests.builders import graded_record

J = st.sampled_from([n / 8 for n in range(9)])  # exact in float32, so sums can be compared exactly
MAYBE_J = st.one_of(st.none(), J)
ALPHAS = st.sampled_from([0.25, 1.0, 3.0])
LENGTH = 14


@st.composite
def rollouts(draw):
    """(outcome, spans, progress, mask) of a response with up to LENGTH tokens, some of them inserted, some episodes."""
    length = draw(st.integers(0, LENGTH))
    mask = draw(st.lists(st.sampled_from([1, 1, 1, 0]), min_size=length, max_size=length))
    edges = sorted(draw(st.sets(st.integers(0, length), max_size=8)))
    tiles = list(itertools.pairwise(edges))
    spans = [(min(start + draw(st.integers(0, 2)), end), end) for start, end in tiles]  # without the marker's tokens
    progress = [draw(J) - draw(J) for _ in spans]
    return draw(st.sampled_from([0.0, 1.0, 0.5, -1.0])), spans, progress, mask


def lay_out(batch, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards and mask (len(batch), LENGTH), right-padded."""
    rewards = torch.zeros(len(batch), LENGTH)
    masks = torch.zeros(len(batch), LENGTH, dtype=torch.int64)
    for row, (outcome, spans, progress, mask) in enumerate(batch):
        written = write_rewards(outcome=outcome, spans=spans, progress=progress, response_mask=mask, alpha=alpha)
        rewards[row, : len(mask)] = torch.from_numpy(written)
        masks[row, : len(mask)] = torch.tensor(mask, dtype=torch.int64)
    return rewards, masks


def config(**changes) -> dict:
    mrt = {
        "variant": "online",
        "alpha": 1.0,
        "credit": "progress",
        "gamma": 0.9,
        "bonus_norm": "rms",
        "bonus_floor": 0.05,
        **changes,
    }
    return {"mrt": mrt, "norm_adv_by_std_in_grpo": True}


@given(j_before=MAYBE_J, js=st.lists(MAYBE_J, max_size=8))
def test_progress_telescopes(j_before, js):
    steps = compute_progress(j_before, js)
    known = [j for j in [j_before, *js] if j is not None]
    assert sum(step.progress for step in steps) == (known[-1] - known[0] if known else 0)
    # the steps tile the episodes from the one after the baseline to the last known boundary
    assert [step.first for step in steps[1:]] == [step.boundary + 1 for step in steps[:-1]]
    assert all(js[step.boundary] is not None and step.first <= step.boundary for step in steps)


@given(j_before=J, js=st.lists(J, min_size=1, max_size=4), more=st.lists(st.tuples(st.integers(0, 4), J), max_size=5))
def test_more_cuts_do_not_change_the_sum_of_the_bonus(j_before, js, more):
    finer = list(js)
    for position, j in more:
        finer.insert(min(position, len(finer) - 1), j)
    coarse_sum = sum(step.progress for step in compute_progress(j_before, js))
    assert sum(step.progress for step in compute_progress(j_before, finer)) == coarse_sum


@given(rollout=rollouts(), alpha=ALPHAS)
def test_a_row_sums_to_outcome_and_bonus(rollout, alpha):
    outcome, spans, progress, mask = rollout
    row = write_rewards(outcome=outcome, spans=spans, progress=progress, response_mask=mask, alpha=alpha)
    bonus = alpha * sum(progress) if sum(mask) > 1 else 0.0
    assert row.sum() == pytest.approx((outcome if any(mask) else 0.0) + bonus, abs=1e-6)
    assert np.all(np.abs(row[np.asarray(mask) == 0]) <= np.float32(TINY))  # at most an opening mark


@settings(deadline=None)
@given(batch=st.lists(rollouts(), min_size=1, max_size=5), alpha=ALPHAS)
def test_what_is_written_is_read(batch, alpha):
    events = read_rewards(*lay_out(batch, alpha))
    for row, (outcome, spans, progress, mask) in enumerate(batch):
        trained = np.flatnonzero(mask)
        assert events.outcome[row] == (outcome if len(trained) else 0.0)
        inside = [[token for token in trained[:-1] if start <= token < end] for start, end in spans]
        if not all(inside):
            continue
        count = int(events.valid[row].sum())
        assert count == len(spans)
        assert events.start[row, :count].tolist() == [start for start, _ in spans]
        assert events.end[row, :count].tolist() == [tokens[-1] + 1 for tokens in inside]
        assert events.bonus[row, :count].tolist() == [float(np.float32(alpha * value)) or TINY for value in progress]


@given(
    values=st.lists(st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=1, max_size=4),
    counts=st.lists(st.integers(0, 4), min_size=4, max_size=4),
    gamma=st.sampled_from([0.5, 1.0]),
)
def test_credits_follow_their_definitions(values, counts, gamma):
    progress = np.array(values, dtype=np.float32)
    mask = np.arange(4) < np.array(counts[: len(values)])[:, None]
    for credit in CREDITS:
        found = compute_credit(progress, mask, credit, gamma)
        for row, k in enumerate(counts[: len(values)]):
            r = values[row][:k]
            expected = {
                "progress": r,
                "to_go": [sum(gamma ** (m - j) * r[m] for m in range(j, k)) for j in range(k)],
                "regret": [sum((k - m) * r[m] / k for m in range(j, k)) for j in range(k)],
                "median": np.diff(running_medians([sum(r[:m]) for m in range(k + 1)])).tolist(),
            }[credit]
            assert found[row].tolist() == pytest.approx([*expected, *[0.0] * (4 - k)], abs=1e-5)


def running_medians(js):
    """Of each and its two neighbours; the ends stay."""
    return [js[0], *(sorted(js[m - 1 : m + 2])[1] for m in range(1, len(js) - 1)), *js[-1:]][: len(js)]


@given(
    lengths=st.lists(st.integers(6, 18), min_size=1, max_size=4),
    values=st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4),
)
def test_shared_by_its_tokens_credit_telescopes(lengths, values):
    """However a trace is cut into episodes, its tokens carry the mean length times its progress together."""
    edges = np.cumsum([0, *lengths]).tolist()
    spans = list(itertools.pairwise(edges))
    row = write_rewards(
        outcome=1.0, spans=spans, progress=values[: len(lengths)], response_mask=[1] * (edges[-1] + 1), alpha=1.0
    )
    rewards, mask = torch.from_numpy(row)[None], torch.ones(1, edges[-1] + 1)
    changes = {"credit_per": "token", "bonus_norm": "none"}
    advantages, _ = compute_mrt_advantage(rewards, mask, np.array(["a"], dtype=object), config(**changes))
    outcome = advantages[0, -1]  # the token after the episodes carries nothing else
    mean = edges[-1] / len(lengths)
    assert (advantages - outcome).sum().item() == pytest.approx(mean * sum(values[: len(lengths)]), abs=1e-3)


def plain_advantage(batch, uids, alpha: float, credit: str) -> torch.Tensor:
    """The docstring's formula, token by token; rollouts are those `write_rewards` need not rearrange."""
    result = torch.zeros(len(batch), LENGTH)
    credits = [
        compute_credit(np.array([progress], np.float32), np.ones((1, len(progress))), credit, 0.9)[0].tolist()
        for _, _, progress, _ in batch
    ]
    for row, (outcome, spans, _, mask) in enumerate(batch):
        group = [other for other, uid in enumerate(uids) if uid == uids[row]]
        outcomes = torch.tensor([batch[other][0] for other in group])
        if len(group) > 1:
            base = (outcome - outcomes.mean()) / (outcomes.std() + 1e-6)
        else:
            base = torch.tensor(outcome) / (1 + 1e-6)
        values = [value for other in group for value in credits[other]]
        rms = max(np.sqrt(np.mean(np.square(values))) if values else 0.0, 0.05)
        for token in np.flatnonzero(mask):
            result[row, token] = base
            for (start, end), value in zip(spans, credits[row], strict=True):
                if start <= token < min(end, np.flatnonzero(mask)[-1]):
                    result[row, token] += alpha * value / rms
    return result


@settings(deadline=None)
@given(
    batch=st.lists(rollouts(), min_size=1, max_size=6),
    uids=st.lists(st.sampled_from("ab"), min_size=6, max_size=6),
    alpha=ALPHAS,
    credit=st.sampled_from(sorted(CREDITS)),
)
def test_advantages_are_those_of_the_formula(batch, uids, alpha, credit):
    for _, spans, _, mask in batch:
        trained = np.flatnonzero(mask)
        assume(len(trained))
        assume(all(any(start <= token < end for token in trained[:-1]) for start, end in spans))
    index = np.array(uids[: len(batch)], dtype=object)
    advantages, _ = compute_mrt_advantage(*lay_out(batch, alpha), index, config(alpha=alpha, credit=credit))
    torch.testing.assert_close(advantages, plain_advantage(batch, index, alpha, credit), rtol=1e-4, atol=1e-4)


@settings(deadline=None)
@given(
    batch=st.lists(rollouts(), min_size=2, max_size=6),
    uids=st.lists(st.sampled_from("ab"), min_size=6, max_size=6),
    order=st.randoms(use_true_random=False),
    alpha=ALPHAS,
    credit=st.sampled_from(sorted(CREDITS)),
)
def test_advantages_go_with_their_rollouts_and_stay_in_the_mask(batch, uids, order, alpha, credit):
    rewards, mask = lay_out(batch, alpha)
    index = np.array(uids[: len(batch)], dtype=object)
    settings_ = config(alpha=alpha, credit=credit)
    advantages, _ = compute_mrt_advantage(rewards, mask, index, settings_)
    assert advantages[mask == 0].eq(0).all()
    assert advantages.isfinite().all()
    permutation = list(range(len(batch)))
    order.shuffle(permutation)
    permuted, _ = compute_mrt_advantage(rewards[permutation], mask[permutation], index[permutation], settings_)
    # not to the last bit: the group's sums are taken in another order
    torch.testing.assert_close(permuted, advantages[permutation], rtol=1e-4, atol=1e-5)


OUTCOMES = st.sampled_from([1.0, 0.0, 0.0, 0.0, 0.0, None])


def record_of(outcome, progress, alpha, kind="trace"):
    """A graded rollout of six tokens and at most one episode, whose reward is made of outcome and progress."""
    steps = [(0, 0, value) for value in progress]
    episodes = [(0, 0, 4)] if steps or kind == "one_episode" else []
    of_kind = {"episodes": episodes, "kind": kind, "answer_start": 4, "forced": [], "js": [], "alpha": alpha}
    return Trace([1] * 6, [1] * 6, [0.0] * 6), graded_record(outcome=outcome, progress=steps, **of_kind)


@st.composite
def groups(draw):
    """(settings, graded rollouts of one prompt) as OpenRLHF's host has them."""
    n, alpha = draw(st.integers(4, 12)), draw(ALPHAS)
    of_variant = draw(
        st.sampled_from([{"variant": "online"}, {"prefix_mode": "paper"}, {"prefix_mode": "one_episode"}])
    )
    bonus_norm, credit = draw(st.sampled_from(["rms", "none"])), draw(st.sampled_from(sorted(CREDITS)))
    chosen = {
        "variant": "prefix",
        "bonus_norm": bonus_norm,
        "credit": credit,
        "gamma": draw(st.sampled_from([0.5, 1.0])),
    }
    config = MRTSettings(**{**chosen, **of_variant, "alpha": alpha})
    outcomes = draw(st.lists(OUTCOMES, min_size=n, max_size=n))
    if config.variant == "online":
        before, js = draw(MAYBE_J), st.lists(MAYBE_J, max_size=5)
        steps = [compute_progress(before, draw(js)) for _ in outcomes]
        return config, [
            record_of(o, [s.progress for s in some], alpha) for o, some in zip(outcomes, steps, strict=True)
        ]
    plain = plain_rollouts(n, config.plain_share) if draw(st.booleans()) else n
    if config.prefix_mode == "one_episode":
        kinds = ["trace" if number < plain else "one_episode" for number in range(n)]
        return config, [record_of(o, [], alpha, kind) for o, kind in zip(outcomes, kinds, strict=True)]
    j, forced = draw(J), draw(st.integers(0, n))
    known = [[] if number < forced or o is None else [o - j] for number, o in enumerate(outcomes)]
    kinds = ["forced" if number < forced else "continued" for number in range(n)]
    return config, [
        record_of(*one, alpha, kind) for one, kind in zip(zip(outcomes, known, strict=True), kinds, strict=True)
    ]


@given(groups())
def test_no_reward_of_openrlhfs_host_is_larger_than_its_bound(group):
    config, rollouts = group
    rewards = group_rewards(rollouts, config)
    assert max(map(abs, rewards)) <= largest_reward(config, len(rollouts)) + 1e-5
    assert sum(rewards) == pytest.approx(0.0, abs=1e-4)
