"""The shared-prefix agent loop inside verl's own classes, on a fake server."""

import itertools

import pytest

from tests import rollouts
from tests.rollouts import ANSWER, ATTEMPT, FORCED, STEPS, STOP, WAIT, record, split

AGAIN = "Wait, let me try 1 and 2. 1 + 2 = 3, no.\n\n"
GO_ON = "Wait, let me try 9 and 1. 9 + 1 = 10, yes.\n\n" + ANSWER


@pytest.fixture
def rollout(compose, tokenizer):
    """rollout(trace, …) -> (outputs of the group's four sessions, server): GO_ON after all but prompt and stop text"""
    from mrt_verl.hooks.prefix_loop import MRTPrefixAgentLoop

    def run(trace, *overrides, forced=lambda _: FORCED, **row):
        own = ("reward_model=mrt_prefix", "mrt.prefix_mode=paper", "actor_rollout_ref.rollout.n=4")
        config = compose(*own, *rollouts.OVERRIDES, *overrides)

        def write(request):
            if not is_start(request):
                return GO_ON
            return trace if isinstance(trace, str) else trace(request)

        return rollouts.roll_out(
            MRTPrefixAgentLoop, config, tokenizer, rollouts.author(write, forced), sessions=4, **row
        )

    return run


def fail(_):
    raise RuntimeError("engine trouble")


def is_start(request):
    """Whether a trace is asked for from its beginning."""
    return request.text.endswith("<think>\n")


def counted(server):
    """(traces asked for from the beginning, continuations of a prefix, forced answers)"""
    traces, forced = split(server)
    starts = sum(map(is_start, traces))
    return starts, len(traces) - starts, len(forced)


def kinds(outputs):
    return [record(output)["kind"] for output in outputs]


def masked(output, tokenizer):
    """(text with mask 0, text with mask 1); the first stands before the second."""
    boundary = output.response_mask.index(1)
    assert all(output.response_mask[boundary:]) and not any(output.response_mask[:boundary])
    assert output.response_logprobs[:boundary] == [0.0] * boundary
    return tokenizer.decode(output.response_ids[:boundary]), tokenizer.decode(output.response_ids[boundary:])


def test_half_answers_and_half_thinks_on(rollout, tokenizer):
    outputs, server = rollout(ATTEMPT + WAIT + ANSWER)
    assert kinds(outputs) == ["forced", "forced", "continued", "continued"]
    assert all(STEPS.items() <= output.extra_fields.items() for output in outputs)
    for output in outputs[:2]:
        assert masked(output, tokenizer) == (ATTEMPT + STOP, FORCED)
        assert record(output)["answer_start"] == len(tokenizer.encode(ATTEMPT))
        assert record(output)["episodes"] == []
    for output in outputs[2:]:
        assert masked(output, tokenizer) == (ATTEMPT, GO_ON)
        prefix = len(tokenizer.encode(ATTEMPT))
        assert record(output)["episodes"] == [(prefix, prefix, len(output.response_ids))]
        assert [text for text, *_ in record(output)["forced_before"]] == [FORCED] * 2
    assert counted(server) == (1, 2, 2)  # one trace for the prefix
    shared = [record(output)["shared_tokens"] for output in outputs]
    assert sorted(shared)[:3] == [0, 0, 0] and max(shared) == len(tokenizer.encode(ATTEMPT + WAIT + ANSWER))


@pytest.mark.parametrize(("share", "forced"), [(0.25, 1), (0.75, 3), (0.01, 1), (0.99, 3)])
def test_forced_share(rollout, share, forced):
    outputs, _ = rollout(ATTEMPT + WAIT + ANSWER, f"mrt.forced_share={share}")
    assert kinds(outputs) == ["forced"] * forced + ["continued"] * (4 - forced)


def test_the_cut_is_random_but_the_same_for_the_same_trace(rollout, tokenizer):
    traces = [ATTEMPT + AGAIN * count + WAIT + ANSWER for count in range(1, 4)]
    cuts = {}
    for trace in traces:
        options = ["actor_rollout_ref.rollout.response_length=200"]
        first, second = (record(rollout(trace, *options)[0][3])["prefix_tokens"] for _ in range(2))
        assert first == second
        cuts[trace] = tokenizer.decode(tokenizer.encode(trace)[:first])
    assert all(trace.startswith(cut) and cut.endswith(".\n\n") for trace, cut in cuts.items())
    assert all(trace != cut + ANSWER for trace, cut in cuts.items())


def test_a_single_episode_falls_back_to_plain_rollouts(rollout, tokenizer):
    outputs, server = rollout(ATTEMPT + ANSWER)
    assert kinds(outputs) == ["fallback"] * 4
    assert counted(server) == (5, 0, 0)  # the one that holds no prefix, and a rollout each
    assert all(tokenizer.decode(output.response_ids) == ATTEMPT + ANSWER for output in outputs)
    assert all(all(output.response_mask) for output in outputs)


def test_another_session_takes_over(rollout):
    calls = itertools.count(1)

    def first_one_fails(_):
        if next(calls) == 1:
            raise RuntimeError("engine trouble")
        return ATTEMPT + WAIT + ANSWER

    outputs, server = rollout(first_one_fails)
    assert kinds(outputs) == ["forced", "forced", "continued", "continued"]
    assert counted(server) == (2, 2, 2)


def test_a_prompt_run_again_makes_its_own_prefix(rollout):
    """After a resume verl runs the same row again; nothing may be remembered from before."""
    for _ in range(2):
        outputs, server = rollout(ATTEMPT + WAIT + ANSWER)
        assert counted(server) == (1, 2, 2)
        assert kinds(outputs).count("forced") == 2


def test_forced_answers_that_fail_are_counted(rollout):
    """Once, at the rollout that found the prefix; the others of the group think on."""
    outputs, _ = rollout(ATTEMPT + WAIT + ANSWER, forced=fail)
    assert kinds(outputs) == ["continued"] * 4
    assert sorted(record(output)["branch_failures"] for output in outputs) == [0, 0, 0, 2]


def test_an_engine_that_always_fails_ends_the_sessions(rollout):
    outputs, _ = rollout(fail)
    assert all(isinstance(output, RuntimeError) for output in outputs)


def test_validation_is_a_plain_trace(rollout):
    outputs, server = rollout(ATTEMPT + WAIT + ANSWER, mrt_validate=True)
    assert kinds(outputs) == ["trace"] * 4
    assert counted(server) == (4, 0, 0)


DATASET = "mrt.prefix_source=dataset"


def test_a_prefix_of_the_dataset(rollout, tokenizer):
    outputs, server = rollout("unused", DATASET, prefix=ATTEMPT)
    assert kinds(outputs) == ["forced", "forced", "continued", "continued"]
    assert counted(server) == (0, 2, 2)
    assert masked(outputs[3], tokenizer) == (ATTEMPT, GO_ON)
    assert [record(output)["shared_tokens"] for output in outputs] == [0] * 4


def test_a_dataset_prefix_beyond_the_budget_is_cut_at_a_boundary_that_fits(rollout, tokenizer):
    outputs, _ = rollout("unused", DATASET, prefix=ATTEMPT + AGAIN * 9)
    prefix = record(outputs[3])["prefix_tokens"]
    assert tokenizer.decode(outputs[3].response_ids[:prefix]) == ATTEMPT + AGAIN
    assert all(len(output.response_ids) <= 120 for output in outputs)


@pytest.mark.parametrize("prefix", [None, float("nan")])
def test_a_row_without_a_prefix_falls_back(rollout, prefix):
    outputs, _ = rollout(ATTEMPT + ANSWER, DATASET, prefix=prefix)
    assert kinds(outputs) == ["fallback"] * 4


def test_a_dataset_prefix_that_is_no_text(rollout):
    outputs, _ = rollout("unused", DATASET, prefix=["a", "b"])
    assert all("column `prefix` holds ['a', 'b'] (list); allowed: a text, or null" in str(error) for error in outputs)


def test_a_dataset_without_the_column(rollout):
    outputs, _ = rollout("unused", DATASET)
    assert all("no column `prefix`" in str(error) for error in outputs)
