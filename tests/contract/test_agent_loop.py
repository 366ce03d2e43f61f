"""The agent loop inside verl's own classes, on a fake server."""

import collections
import dataclasses
import itertools
import math

import pytest
import torch

from tests import rollouts
from tests.fakes import Output, hashed_log_prob
from tests.rollouts import ANSWER, ATTEMPT, FORCED, WAIT, record, split


@pytest.fixture
def rollout(compose, tokenizer):
    """rollout(trace, …) -> (outputs of `sessions`, server); the first error is raised"""
    from mrt_verl.hooks.agent_loop import MRTAgentLoop

    def run(trace, *overrides, sessions=1, forced=lambda _: FORCED, **row):
        own = ("reward_model=mrt", "actor_rollout_ref.rollout.n=2")
        config = compose(*own, *rollouts.OVERRIDES, *overrides)
        write = rollouts.author(trace, forced)
        outputs, server = rollouts.roll_out(MRTAgentLoop, config, tokenizer, write, sessions=sessions, **row)
        for error in filter(lambda output: isinstance(output, Exception), outputs):
            raise error
        return outputs, server

    return run


def prefixes(requests, tokenizer):
    """The prompts of forced answers without the stop text, or the end of it that follows the policy's own close."""
    found = []
    for request in requests:
        text = rollouts.STOP if request.text.endswith(rollouts.STOP) else rollouts.TAIL.removeprefix("</think>")
        stop = tokenizer.encode(text)
        assert list(request.prompt_ids[-len(stop) :]) == stop
        found.append(list(request.prompt_ids[: -len(stop)]))
    return found


def test_the_fake_server_returns_what_verls_server_does():
    from verl.workers.rollout.replica import TokenOutput

    verls = TokenOutput(token_ids=[1])
    for field in dataclasses.fields(Output):
        assert field.name in TokenOutput.model_fields
        assert getattr(verls, field.name) == getattr(Output([1]), field.name)


def test_a_closed_trace(rollout, tokenizer):
    (output,), _ = rollout(ATTEMPT + WAIT + ANSWER)
    attempt, wait = (len(tokenizer.encode(text)) for text in (ATTEMPT, WAIT))
    assert record(output)["episodes"] == [(0, 0, attempt), (attempt, attempt + 1, attempt + wait)]
    assert record(output)["answer_start"] == attempt + wait + 1
    assert [len(answers) for answers in record(output)["forced"]] == [3, 2]  # the own answer is the last's third
    assert len(record(output)["forced_before"]) == 3
    assert output.response_mask == [1] * len(output.response_ids)
    whole = output.prompt_ids + output.response_ids
    expected = [hashed_log_prob(whole[:end], whole[end]) for end in range(len(output.prompt_ids), len(whole))]
    assert output.response_logprobs == expected
    assert record(output)["branch_tokens"] == 8 * len(tokenizer.encode(FORCED))


def test_branches_continue_the_trace_on_its_own_replica(rollout, tokenizer):
    (output,), server = rollout(ATTEMPT + WAIT + ANSWER)
    (trace,), branches = split(server)
    at_boundaries = [branch for branch in branches if branch.request_id == trace.request_id]
    (_, _, first), _ = record(output)["episodes"]
    ends = [first, record(output)["answer_start"]]  # the last from where the policy closed its thinking itself
    expected = [output.prompt_ids + output.response_ids[:end] for end in ends]
    assert sorted(prefixes(at_boundaries, tokenizer)) == sorted([expected[0]] * 3 + [expected[1]] * 2)
    before = [branch for branch in branches if branch.request_id != trace.request_id]
    assert prefixes(before, tokenizer) == [output.prompt_ids] * 3


def test_a_groups_rollouts_share_the_answers_without_thinking(rollout, tokenizer):
    outputs, server = rollout(ATTEMPT + ANSWER, sessions=4)
    assert prefixes(split(server)[1], tokenizer).count(outputs[0].prompt_ids) == 3
    assert [len(record(output)["forced_before"]) for output in outputs] == [3] * 4
    own = sorted(record(output)["branch_prompt_tokens"] for output in outputs)
    assert own[0] == own[2] < own[3]  # one of them pays


def test_never_closed_and_cut_at_the_budget(rollout):
    (output,), _ = rollout(ATTEMPT + WAIT * 20)
    assert len(output.response_ids) == 120
    assert record(output)["answer_start"] is None
    assert not record(output)["finished"]
    assert record(output)["episodes"][-1][2] == 120
    assert [len(answers) for answers in record(output)["forced"]] == [3] * 4


def test_an_end_of_sequence_inside_the_thinking_is_not_part_of_a_prefix(rollout, tokenizer):
    (output,), server = rollout(ATTEMPT + "<|im_end|>")
    assert record(output)["answer_start"] is None
    branched = prefixes(split(server)[1], tokenizer)
    assert len(branched) == 6 and all(prefix[-1] != tokenizer.eos_token_id for prefix in branched)


def test_two_hundred_markers(rollout):
    (output,), _ = rollout("Wait.\n\n" * 200, "actor_rollout_ref.rollout.response_length=1000")
    assert len(record(output)["episodes"]) == 4
    assert record(output)["markers"] >= 199


def test_no_thinking(rollout):
    (output,), _ = rollout(ANSWER)
    assert record(output)["episodes"] == []
    assert record(output)["forced"] == []
    assert record(output)["answer_start"] == 1


def test_an_empty_response_trains_nothing(rollout, tokenizer):
    (output,), _ = rollout("")
    assert (output.response_ids, output.response_mask) == ([tokenizer.eos_token_id], [0])
    assert record(output)["answer_start"] is None or record(output)["episodes"] == []


def test_failing_branches_never_harm_their_trace(rollout):
    calls = itertools.count(1)

    def every_second(_):
        if next(calls) % 2:
            raise RuntimeError("engine trouble")
        return FORCED

    (output,), _ = rollout(ATTEMPT + WAIT + ANSWER, forced=every_second)
    assert record(output)["branch_failures"] == 4
    assert sum(map(len, record(output)["forced"])) + len(record(output)["forced_before"]) == 4
    assert len(output.response_ids) == len(output.response_mask)


def test_an_engine_that_fails_for_the_trace_says_so(rollout):
    """verl drops the session then; its own error is the clearest."""

    def dead(_):
        raise RuntimeError("engine died")

    with pytest.raises(RuntimeError, match="engine died"):
        rollout(dead)


def test_a_budget_limits_the_branched_boundaries(rollout):
    """Four boundaries of 3 answers of at most 32 tokens: a budget of 200 is two of them, the last among them."""
    (output,), _ = rollout(ATTEMPT + WAIT * 20, "mrt.branch_token_budget=200")
    assert [len(answers) for answers in record(output)["forced"]] == [0, 3, 0, 3]


def test_uncertain_boundaries_stop_where_all_answers_agree(rollout):
    (output,), server = rollout(ATTEMPT + WAIT * 20, "mrt.boundary_choice=uncertain")
    forced = record(output)["forced"]
    assert len(forced) > 4 and [len(answers) for answers in forced] == [0] * (len(forced) - 1) + [3]
    assert len(split(server)[1]) == 6  # without thinking, and at the end


def test_equal_prefixes_of_a_prompts_rollouts_are_branched_once(rollout):
    outputs, server = rollout(ATTEMPT + WAIT + ANSWER, sessions=3)
    assert len(split(server)[1]) == 3 + 3 + 2
    assert [len(answers) for output in outputs for answers in record(output)["forced"]] == [3, 2] * 3
    paid = sorted(record(output)["branch_prompt_tokens"] for output in outputs)
    assert paid[:2] == [0, 0] and paid[2] > 0


BACKTRACK = ("reward_model=mrt_backtrack", "mrt.prover=ht", "mrt.insert_max=1", "mrt.insert_min_left=20")
STEPS_TO_A_WRONG_ANSWER = "Step 1: 3 and 7.\n\nStep 2: 7 and 9.\n\nStep 3: 3 and 9.</think>"


def backtracking(request):
    """Goes wrong after the prompt, and right after an inserted sentence."""
    if request.text.endswith("</think>"):
        return "\n\nThe answer is \\boxed{9, 4}<|im_end|>"
    return " 9 and 4.</think>" if "go back" in request.text else STEPS_TO_A_WRONG_ANSWER


@pytest.mark.parametrize("end", ["\n\n", ""])
def test_boundaries_find_the_forced_answers_that_decided_an_insertion(rollout, tokenizer, end):
    row = {"reward_model": {"ground_truth": "no forced answer says this"}}

    def write(request):
        return backtracking(request).replace("3 and 9.</think>", f"3 and 9.{end}</think>")

    (output,), server = rollout(write, *BACKTRACK, **row)
    assert record(output)["inserted_tokens"] > 0
    times = collections.Counter(map(tuple, prefixes(split(server)[1], tokenizer)))
    ends = [record(output)["episodes"][0][2], record(output)["answer_start"]]
    at_boundaries = [tuple(output.prompt_ids + output.response_ids[:end]) for end in ends]
    assert len(ends) == 2 and all(times[prefix] == 3 for prefix in at_boundaries)
    # besides: the answers without thinking, where step 1 begins, steps 2 and 3, and the first close, which the
    # insertion took away
    assert len(times) == len(ends) + 4 and set(times.values()) == {3}
    assert record(output)["branch_tokens"] == 3 * len(times) * len(tokenizer.encode(FORCED))


@pytest.mark.parametrize(("score", "is_inserted"), [(1.0, False), (0.0, True)])
def test_an_insertion_is_decided_by_the_runs_own_outcome(rollout, tmp_path, score, is_inserted):
    function = tmp_path / "outcome.py"
    function.write_text(f"def score(data_source, solution_str, ground_truth, extra_info=None):\n    return {score}\n")
    (output,), _ = rollout(
        backtracking,
        *BACKTRACK,
        "mrt.prover=sample",
        "mrt.outcome=compute_score",
        f"reward.custom_reward_function.path={function}",
        "reward.custom_reward_function.name=score",
        data_source="anything",
        reward_model={"ground_truth": "10"},
    )
    assert (record(output)["inserted_tokens"] > 0) == is_inserted


def test_validation_is_a_plain_trace(rollout):
    _, server = rollout(ATTEMPT + ANSWER, mrt_validate=True)
    assert split(server)[1] == []
    _, server = rollout(ATTEMPT + ANSWER, "mrt.val_branches=True", mrt_validate=True)
    assert len(split(server)[1]) == 5


def test_rewards_are_laid_out_when_the_record_is_graded(rollout):
    from mrt_verl.grading import Grade, Verdict
    from mrt_verl.rollout_record import RolloutRecord
    from mrt_verl.value_estimates import estimate_values

    (output,), _ = rollout(ATTEMPT + WAIT + ANSWER)
    graded = RolloutRecord.from_dict(record(output))
    right, wrong = Grade(Verdict.RIGHT, 1.0), Grade(Verdict.WRONG, 0.0)
    forced, before = [[wrong, wrong, right], [right, right]], [wrong, wrong, right]
    graded.values = estimate_values(graded.branches, right, forced, before, alpha=0.5)
    output.reward_score = 1.0
    output.extra_fields["reward_extra_info"] = {"acc": 1.0, "mrt": graded.to_json()}
    fields = output.as_dict()
    rewards = fields["rm_scores"]
    assert rewards.dtype == torch.float32 and rewards.shape == fields["responses"].shape
    _, (_, marker_end, _) = graded.response.episodes
    # J: 1/3 before, 1/3, then 1; progress 0 and 2/3, weighted by alpha; what ends an episode carries it
    assert 0 < rewards[marker_end - 1] < 1e-20
    assert math.isclose(rewards[graded.response.answer_start - 1], 1 / 3, rel_tol=1e-6)
    assert rewards[-1] == 1.0
    assert math.isclose(rewards.sum(), 1 + 0.5 * (1 - 1 / 3), rel_tol=1e-6)
    assert "mrt" not in fields["extra_fields"]
