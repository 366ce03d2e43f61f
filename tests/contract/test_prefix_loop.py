"""The shared-prefix agent loop inside verl's own classes, with a scripted engine."""

import asyncio

import pytest

from tests.contract.test_agent_loop import ANSWER, ATTEMPT, OVERRIDES, STEPS, STOP, WAIT, Engine, record

PREFIX_OVERRIDES = ("reward_model=mrt_prefix", *OVERRIDES[1:], "actor_rollout_ref.rollout.n=4")
AGAIN = "Wait, let me try 1 and 2. 1 + 2 = 3, no.\n\n"
GO_ON = "Wait, let me try 9 and 1. 9 + 1 = 10, yes.\n\n" + ANSWER


class PrefixEngine(Engine):
    """Writes `trace` behind the prompt and GO_ON behind any other prefix; `fail(call)` may raise for a trace."""

    def __init__(self, tokenizer, trace, fail=None):
        super().__init__(tokenizer, trace)
        self.fail_trace, self.calls, self.continued = fail, 0, []

    def written_behind(self, prompt_ids):
        if not self.tokenizer.decode(prompt_ids).endswith("<think>\n"):
            self.continued.append(prompt_ids)
            return GO_ON
        self.calls += 1
        if self.fail_trace:
            self.fail_trace(self.calls)
        return self.trace


@pytest.fixture
def rollout(compose, tokenizer):
    """rollout(trace, …) -> (outputs of the group's four sessions, engine)"""
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from mrt_verl.hooks.prefix_loop import MRTPrefixAgentLoop

    def run(trace, *overrides, fail=None, sessions=4, **row):
        stop = "mrt.stop_text=" + repr(STOP).replace("\\n", "\n").replace("\\\\", "\\")
        config = compose(*PREFIX_OVERRIDES, stop, *overrides)
        engine = PrefixEngine(tokenizer, trace, fail)

        async def session(index):
            loop = MRTPrefixAgentLoop(
                trainer_config=DictConfigWrap(config),
                server_manager=engine,
                tokenizer=tokenizer,
                processor=None,
                dataset_cls=RLHFDataset,
                data_config=DictConfigWrap(config.data),
            )
            prompt = [{"role": "user", "content": "Numbers: 3, 7, 9, 4?"}]
            params = {"temperature": 1.0, "logprobs": True}
            return await loop.run(params, raw_prompt=prompt, uid="u", session_id=index, **row)

        async def group():
            return await asyncio.gather(*map(session, range(sessions)), return_exceptions=True)

        return asyncio.run(group()), engine

    return run


def kinds(outputs):
    return [record(output)["kind"] for output in outputs]


def masked(output, tokenizer):
    """(text with mask 0, text with mask 1); the first stands before the second."""
    boundary = output.response_mask.index(1)
    assert all(output.response_mask[boundary:]) and not any(output.response_mask[:boundary])
    assert output.response_logprobs[:boundary] == [0.0] * boundary
    return tokenizer.decode(output.response_ids[:boundary]), tokenizer.decode(output.response_ids[boundary:])


def test_half_answers_and_half_thinks_on(rollout, tokenizer):
    outputs, engine = rollout(ATTEMPT + WAIT + ANSWER)
    assert kinds(outputs) == ["forced", "forced", "continued", "continued"]
    assert all(STEPS.items() <= output.extra_fields.items() for output in outputs)
    for output in outputs[:2]:
        assert masked(output, tokenizer) == (ATTEMPT + STOP, "9, 4}")
        assert record(output)["answer_start"] == len(tokenizer.encode(ATTEMPT))
        assert record(output)["episodes"] == []
    for output in outputs[2:]:
        assert masked(output, tokenizer) == (ATTEMPT, GO_ON)
        prefix = len(tokenizer.encode(ATTEMPT))
        assert record(output)["episodes"] == [(prefix, prefix, len(output.response_ids))]
        assert [text for text, *_ in record(output)["forced_before"]] == ["9, 4}"] * 2
    assert engine.calls == 1  # one trace for the prefix
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
    outputs, engine = rollout(ATTEMPT + ANSWER)
    assert kinds(outputs) == ["fallback"] * 4
    assert engine.branches == []
    assert all(tokenizer.decode(output.response_ids) == ATTEMPT + ANSWER for output in outputs)
    assert all(all(output.response_mask) for output in outputs)


def test_another_session_takes_over(rollout):
    def first_one_fails(call):
        if call == 1:
            raise RuntimeError("engine trouble")

    outputs, engine = rollout(ATTEMPT + WAIT + ANSWER, fail=first_one_fails)
    assert kinds(outputs) == ["forced", "forced", "continued", "continued"]
    assert engine.calls == 2


def test_a_prompt_run_again_makes_its_own_prefix(rollout):
    """After a resume verl runs the same row again; nothing may be remembered from before."""
    for _ in range(2):
        outputs, engine = rollout(ATTEMPT + WAIT + ANSWER)
        assert engine.calls == 1
        assert kinds(outputs).count("forced") == 2


def test_an_engine_that_always_fails_ends_the_sessions(rollout):
    def fail(call):
        raise RuntimeError("engine trouble")

    outputs, _ = rollout(ATTEMPT + WAIT + ANSWER, fail=fail)
    assert all(isinstance(output, RuntimeError) for output in outputs)


def test_validation_is_a_plain_trace(rollout):
    outputs, engine = rollout(ATTEMPT + WAIT + ANSWER, mrt_validate=True)
    assert kinds(outputs) == ["trace"] * 4
    assert engine.branches == [] and engine.continued == []


DATASET = "mrt.prefix_source=dataset"


def test_a_prefix_of_the_dataset(rollout, tokenizer):
    outputs, engine = rollout("unused", DATASET, prefix=ATTEMPT)
    assert kinds(outputs) == ["forced", "forced", "continued", "continued"]
    assert engine.calls == 0
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
