"""Which boundaries are branched, and that equal prefixes are branched once."""

import asyncio

import pytest

from mrt_verl.branching import PerPrompt, PromptBranches, branch_where_uncertain, choose_evenly, disagreement
from mrt_verl.provers import Branches, ForcedAnswer


def answers(*texts, weights=None):
    weights = weights or [None] * len(texts)
    forced = tuple(ForcedAnswer(text, True, weight) for text, weight in zip(texts, weights, strict=True))
    return Branches(forced, (), failures=0, tokens=0, prompt_tokens=0, cached_tokens=0)


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [(3, 6, [0, 1, 2]), (6, 3, [1, 3, 5]), (7, 3, [1, 3, 6]), (5, 1, [4]), (5, 0, []), (0, 4, [])],
)
def test_choose_evenly(count, most, expected):
    assert choose_evenly(count, most) == expected


def test_disagreement():
    assert disagreement(answers("a", "a"), answers("a", "a")) == 0.0
    assert disagreement(answers("a", "a"), answers("b", "b")) == 1.0
    assert disagreement(answers("a", "b"), answers("a", "a ")) == 0.5
    assert disagreement(answers("a", weights=[0.9]), answers("a", weights=[0.3])) == pytest.approx(0.3)
    assert disagreement(answers(), answers("a")) == 1.0  # all its branches failed: nothing is known


def uncertain(script, most):
    """Branches episodes that end in the given answers; which boundaries were asked for, in their order."""
    asked = []

    async def branch_at(boundary):
        asked.append(boundary)
        return answers(*script[boundary])

    at = asyncio.run(branch_where_uncertain(len(script), most, answers("x", "x"), branch_at))
    assert sorted(at) == sorted(asked)
    return asked


def test_uncertain_looks_where_answers_change():
    script = ["xx", "xx", "xx", "xx", "xx", "xy", "yy", "yy"]
    # the end, then the middle of -1…7, of 3…7, and of 5…7, the later of two gaps that disagree alike
    assert uncertain(script, 4) == [7, 3, 5, 6]


def test_uncertain_stops_where_nothing_changes():
    assert uncertain(["xx"] * 8, 6) == [7]
    assert uncertain(["yy"], 6) == [0]
    assert uncertain([], 6) == []


def test_uncertain_keeps_to_the_limit():
    script = ["ab", "cd", "ef", "gh", "ij", "kl"]
    for most in range(7):
        assert len(uncertain(script, most)) == most


class Prover:
    def __init__(self):
        self.calls = []

    async def branch(self, prefix_ids, *, count, request_id, references=()):
        self.calls.append((list(prefix_ids), count))
        await asyncio.sleep(0)
        return answers("a")


def test_equal_prefixes_of_a_prompt_are_branched_once():
    async def group():
        prover, shared = Prover(), PerPrompt()
        with (
            shared.of_prompt("u", PromptBranches) as u,
            shared.of_prompt("v", PromptBranches) as v,
            shared.of_prompt("u", PromptBranches) as again,
        ):
            started = [
                branches.start(prover, prefix, count=count, request_id="r")
                for branches, prefix, count in [
                    (u, [1, 2], 4),
                    (again, [1, 2], 4),
                    (u, [1, 3], 4),
                    (v, [1, 2], 4),
                    (u, [1, 2], 3),
                ]
            ]
        results = await asyncio.gather(*(task for task, _ in started))
        return prover, [is_mine for _, is_mine in started], results

    prover, is_mine, results = asyncio.run(group())
    assert is_mine == [True, False, True, True, True]
    assert prover.calls == [([1, 2], 4), ([1, 3], 4), ([1, 2], 4), ([1, 2], 3)]
    assert results[0] is results[1]


def test_branches_are_kept_until_the_prompts_last_rollout_ends():
    async def rollouts():
        prover, shared = Prover(), PerPrompt()
        with shared.of_prompt("u", PromptBranches) as last:
            with shared.of_prompt("u", PromptBranches) as first:
                await first.start(prover, [1], count=2, request_id="r")[0]
            await last.start(prover, [1], count=2, request_id="r")[0]
        with shared.of_prompt("u", PromptBranches) as next_epoch:
            await next_epoch.start(prover, [1], count=2, request_id="r")[0]
        return prover, shared

    prover, shared = asyncio.run(rollouts())
    assert len(prover.calls) == 2
    assert shared._prompts == {}
