"""An engine that never answers a trace: it is lost after `mrt.trace_timeout_s`, and its group trains on the others."""

import asyncio

import numpy as np
import pytest
import torch

from tests import rollouts
from tests.golden.training import as_data
from tests.rollouts import ANSWER, ATTEMPT, FORCED, WAIT, record

TRACE = ATTEMPT + WAIT + ANSWER
ROW = {"reward_model": {"ground_truth": "9, 4"}, "data_source": "sums", "global_steps": 4}


@pytest.fixture
def group(compose, tokenizer):
    """group(is_hanging, *overrides) -> outputs of the three sessions of a prompt, under a deadline of 30 s"""

    def run(is_hanging, *overrides, trace=TRACE, sessions=3, **row):
        from mrt_verl.hooks.loops import LOOPS

        config = compose("reward_model=mrt", *rollouts.OVERRIDES, "mrt.trace_timeout_s=30", *overrides)
        config.actor_rollout_ref.rollout.n = sessions
        write = rollouts.author(trace, lambda _: FORCED)
        how = {"sessions": sessions, "is_hanging": is_hanging, **ROW, **row}
        return rollouts.roll_out(LOOPS[config.mrt.variant], config, tokenizer, write, **how)[0]

    return run


def hangs(nth):
    """Of equal requests for a trace from its beginning, the n-th from 0."""
    return lambda request: not rollouts.is_forced(request) and request.text.endswith("<think>\n") and request.nth == nth


def kinds(outputs):
    return [record(output)["kind"] for output in outputs]


def test_the_others_of_its_group_are_whole(group):
    outputs = group(hangs(1))
    assert kinds(outputs) == ["trace", "lost", "trace"]
    lost = outputs[1]
    assert (lost.response_mask, lost.response_logprobs) == ([0], [0.0])
    assert lost.extra_fields["min_global_steps"] == lost.extra_fields["max_global_steps"] == 3
    for output in (outputs[0], outputs[2]):
        assert [len(answers) for answers in record(output)["forced"]] == [3, 2]
        assert len(record(output)["forced_before"]) == 3


def test_without_a_deadline_a_slow_trace_is_waited_for(group):
    assert kinds(group(hangs(1), "mrt.trace_timeout_s=null")) == ["trace"] * 3


def test_the_first_one_lost_takes_no_answers_without_thinking_from_the_others(group):
    outputs = group(hangs(0))
    assert kinds(outputs) == ["lost", "trace", "trace"]
    assert [len(record(output)["forced_before"]) for output in outputs] == [0, 3, 3]


def test_the_engines_own_timeout_is_its_own(group):
    def fail(_):
        raise TimeoutError("the engine's")

    (error, *_) = group(lambda _: False, trace=fail)
    assert isinstance(error, TimeoutError) and str(error) == "the engine's"


@pytest.mark.parametrize("insertion", ["mrt.insert_every=null", "mrt.insert_every=20"])
def test_a_piece_after_an_insertion(group, insertion):
    """It never comes; what was sampled before it is lost with it."""
    forcing = ("mrt.insertion=budget_forcing", "mrt.insert_max=1", "mrt.insert_min_left=8", insertion)
    later = lambda request: not rollouts.is_forced(request) and not hangs(0)(request)  # noqa: E731
    outputs = group(lambda request: later(request) and not request.text.endswith("<think>\n"), *forcing)
    assert kinds(outputs) == ["lost"] * 3
    assert all(output.response_mask == [0] for output in outputs)
    assert kinds(group(lambda _: False, *forcing)) == ["trace"] * 3


PREFIX = ("mrt.variant=prefix", "mrt.prefix_mode=paper", "mrt.forced_share=0.5")


def go_on(request):
    return TRACE if request.text.endswith("<think>\n") else WAIT + ANSWER


def test_a_continuation_of_a_shared_prefix(group):
    def second_one(request):
        return not rollouts.is_forced(request) and not request.text.endswith("<think>\n") and request.nth == 1

    outputs = group(second_one, *PREFIX, trace=go_on, sessions=4)
    assert kinds(outputs) == ["forced", "forced", "continued", "lost"]


def test_a_trace_that_was_to_give_the_prefix(group):
    """Another session makes one; if that is lost too, all of the group are."""
    assert kinds(group(hangs(0), *PREFIX, trace=go_on, sessions=4)) == ["forced", "forced", "continued", "continued"]
    always = lambda request: not rollouts.is_forced(request)  # noqa: E731
    assert kinds(group(always, *PREFIX, trace=go_on, sessions=4)) == ["lost"] * 4


def test_its_group_has_the_advantages_of_a_group_without_it(group, compose, tokenizer):
    """Through verl's own reward manager and estimator; its row has the same fields as the others'."""
    from mrt_verl.hooks.advantage import compute_mrt_advantage
    from mrt_verl.hooks.reward_manager import MRTRewardManager

    texts = [ATTEMPT + ANSWER, ATTEMPT + WAIT + ANSWER.replace("9, 4", "3, 4"), TRACE]
    outputs = group(hangs(2), trace=lambda request: texts[request.nth])
    config = compose("reward_model=mrt")
    manager = MRTRewardManager(config, tokenizer, None)

    async def grade():
        for output in outputs:
            result = await manager.run_single(as_data(ROW, output))
            output.reward_score = result["reward_score"]
            output.extra_fields["reward_extra_info"] = result["reward_extra_info"]

    try:
        asyncio.run(grade())
    finally:
        manager.grader.close()
    rows = [output.as_dict() for output in outputs]
    assert set(rows[2]) == set(rows[0]) and "acc" in rows[2]["extra_fields"]["reward_extra_info"]

    def advantages(chosen):
        def pad(key):
            return torch.nn.utils.rnn.pad_sequence([row[key] for row in chosen], batch_first=True)

        uids = np.array(["u"] * len(chosen), dtype=object)
        return compute_mrt_advantage(pad("rm_scores"), pad("response_mask"), uids, config.algorithm)[0]

    values = advantages(rows)
    assert torch.equal(values[:2], advantages(rows[:2])) and values[:2].any() and not values[2].any()
