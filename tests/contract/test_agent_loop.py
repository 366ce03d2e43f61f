"""The agent loop inside verl's own classes, with a scripted engine."""

import asyncio
import collections
import math

import pytest
import torch

STOP = "Time is up.\n</think>\n\nThe answer is \\boxed{"
ATTEMPT = "Let me try 3 and 7. 3 + 7 = 10, no.\n\n"
WAIT = "Wait, let me try 9 and 4. 9 + 4 = 6, yes.\n\n"
ANSWER = "</think>\n\nThe answer is \\boxed{9, 4}<|im_end|>"
OVERRIDES = (
    "reward_model=mrt",
    "actor_rollout_ref.rollout.n=2",
    "actor_rollout_ref.rollout.response_length=120",
    "mrt.prover=sample",
    "mrt.branches=3",
    "mrt.min_steps=1",
    "mrt.min_episode_tokens=0",
    "mrt.max_episodes=4",
    "mrt.branch_timeout_s=0.2",
)


STEPS = {"min_global_steps": 3, "max_global_steps": 3}
"""verl's client adds them to every output, and its trainer wants them of every rollout."""


class Engine:
    """Writes `trace` for the prompt and "9, 4}" for every forced answer; `fail` may raise instead."""

    def __init__(self, tokenizer, trace, fail=None):
        self.tokenizer, self.trace, self.fail = tokenizer, trace, fail
        self.traces, self.branches = [], []

    async def generate(self, *, request_id, prompt_ids, sampling_params):
        from verl.workers.rollout.replica import TokenOutput

        stop_ids = self.tokenizer.encode(STOP, add_special_tokens=False)
        await asyncio.sleep(0)
        if prompt_ids[-len(stop_ids) :] == stop_ids:
            self.branches.append((request_id, prompt_ids[: -len(stop_ids)]))
            if self.fail:
                self.fail(len(self.branches))
            ids = self.tokenizer.encode("9, 4}", add_special_tokens=False)
        else:
            await asyncio.sleep(0.1)  # as in life, all sessions of a prompt have started before one has ended
            self.traces.append(request_id)
            text = self.written_behind(prompt_ids)
            ids = self.tokenizer.encode(text, add_special_tokens=False)[: sampling_params["max_tokens"]]
        log_probs = [-0.5] * len(ids) if sampling_params.get("logprobs") else None
        return TokenOutput(token_ids=ids, log_probs=log_probs, extra_fields={"num_cached_tokens": 1, **STEPS})

    def written_behind(self, prompt_ids):
        return self.trace


@pytest.fixture
def rollout(compose, tokenizer):
    """rollout(trace, sessions=…, …) -> (outputs, engine)"""
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from mrt_verl.hooks.agent_loop import MRTAgentLoop

    def run(trace, *overrides, sessions=1, fail=None, engine_class=Engine, **row):
        config = compose(
            *OVERRIDES, "mrt.stop_text=" + repr(STOP).replace("\\n", "\n").replace("\\\\", "\\"), *overrides
        )
        engine = engine_class(tokenizer, trace, fail)

        async def session():
            loop = MRTAgentLoop(
                trainer_config=DictConfigWrap(config),
                server_manager=engine,
                tokenizer=tokenizer,
                processor=None,
                dataset_cls=RLHFDataset,
                data_config=DictConfigWrap(config.data),
            )
            prompt = [{"role": "user", "content": "Numbers: 3, 7, 9, 4?"}]
            return await loop.run({"temperature": 1.0, "logprobs": True}, raw_prompt=prompt, uid="u", **row)

        async def group():
            return await asyncio.gather(*(session() for _ in range(sessions)))

        return asyncio.run(group()), engine

    return run


def record(output):
    return output.extra_fields["mrt"]


def test_a_closed_trace(rollout, tokenizer):
    (output,), _ = rollout(ATTEMPT + WAIT + ANSWER)
    attempt, wait = (len(tokenizer.encode(text)) for text in (ATTEMPT, WAIT))
    assert record(output)["episodes"] == [(0, 0, attempt), (attempt, attempt + 1, attempt + wait)]
    assert record(output)["answer_start"] == attempt + wait + 1
    assert [len(answers) for answers in record(output)["forced"]] == [3, 2]  # the own answer is the last's third
    assert len(record(output)["forced_before"]) == 3
    assert output.response_mask == [1] * len(output.response_ids)
    assert output.response_logprobs == [-0.5] * len(output.response_ids)
    assert record(output)["branch_tokens"] == 8 * len(tokenizer.encode("9, 4}"))


def test_branches_continue_the_trace_on_its_own_replica(rollout):
    (output,), engine = rollout(ATTEMPT + WAIT + ANSWER)
    at_boundaries = [(request, prefix) for request, prefix in engine.branches if request == engine.traces[0]]
    ends = [end for _, _, end in record(output)["episodes"]]
    expected = [output.prompt_ids + output.response_ids[:end] for end in ends]
    assert sorted(prefix for _, prefix in at_boundaries) == sorted([expected[0]] * 3 + [expected[1]] * 2)
    assert [prefix for request, prefix in engine.branches if request != engine.traces[0]] == [output.prompt_ids] * 3


def test_a_groups_rollouts_share_the_answers_without_thinking(rollout):
    outputs, engine = rollout(ATTEMPT + ANSWER, sessions=4)
    assert sum(prefix == outputs[0].prompt_ids for _, prefix in engine.branches) == 3
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
    (output,), engine = rollout(ATTEMPT + "<|im_end|>")
    assert record(output)["answer_start"] is None
    assert all(prefix[-1] != tokenizer.eos_token_id for _, prefix in engine.branches)


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
    def every_second(call):
        if call % 2:
            raise RuntimeError("engine trouble")

    (output,), _ = rollout(ATTEMPT + WAIT + ANSWER, fail=every_second)
    assert record(output)["branch_failures"] == 4
    assert sum(map(len, record(output)["forced"])) + len(record(output)["forced_before"]) == 4
    assert len(output.response_ids) == len(output.response_mask)


def test_an_engine_that_fails_for_the_trace_says_so(rollout):
    """verl drops the session then; its own error is the clearest."""

    class Dead(Engine):
        def written_behind(self, prompt_ids):
            raise RuntimeError("engine died")

    with pytest.raises(RuntimeError, match="engine died"):
        rollout(ATTEMPT + ANSWER, engine_class=Dead)


def test_a_budget_limits_the_branched_boundaries(rollout):
    """Four boundaries of 3 answers of at most 24 tokens: a budget of 150 is two of them, the last among them."""
    (output,), _ = rollout(ATTEMPT + WAIT * 20, "mrt.branch_token_budget=150")
    assert [len(answers) for answers in record(output)["forced"]] == [0, 3, 0, 3]


def test_uncertain_boundaries_stop_where_all_answers_agree(rollout):
    (output,), engine = rollout(ATTEMPT + WAIT * 20, "mrt.boundary_choice=uncertain")
    forced = record(output)["forced"]
    assert len(forced) > 4 and [len(answers) for answers in forced] == [0] * (len(forced) - 1) + [3]
    assert len(engine.branches) == 6  # without thinking, and at the end


def test_equal_prefixes_of_a_prompts_rollouts_are_branched_once(rollout):
    outputs, engine = rollout(ATTEMPT + WAIT + ANSWER, sessions=3)
    assert len(engine.branches) == 3 + 3 + 2
    assert [len(answers) for output in outputs for answers in record(output)["forced"]] == [3, 2] * 3
    paid = sorted(record(output)["branch_prompt_tokens"] for output in outputs)
    assert paid[:2] == [0, 0] and paid[2] > 0


class BacktrackingEngine(Engine):
    """Writes `trace` for the prompt, and a right attempt behind an inserted sentence."""

    def written_behind(self, prompt_ids):
        text = self.tokenizer.decode(prompt_ids)
        if text.endswith("</think>"):
            return "\n\nThe answer is \\boxed{9, 4}<|im_end|>"
        return " 9 and 4.</think>" if "go back" in text else self.trace


BACKTRACK = ("reward_model=mrt_backtrack", "mrt.prover=ht", "mrt.insert_max=1", "mrt.insert_min_left=20")
STEPS_TO_A_WRONG_ANSWER = "Step 1: 3 and 7.\n\nStep 2: 7 and 9.\n\nStep 3: 3 and 9.</think>"


def test_boundaries_find_the_forced_answers_that_decided_an_insertion(rollout):
    row = {"reward_model": {"ground_truth": "no forced answer says this"}}
    (output,), engine = rollout(STEPS_TO_A_WRONG_ANSWER, *BACKTRACK, engine_class=BacktrackingEngine, **row)
    assert record(output)["inserted_tokens"] > 0
    times = collections.Counter(tuple(prefix) for _, prefix in engine.branches)
    ends = [end for _, _, end in record(output)["episodes"]]
    at_boundaries = [tuple(output.prompt_ids + output.response_ids[:end]) for end in ends]
    assert len(ends) == 2 and all(times[prefix] == 3 for prefix in at_boundaries)
    # besides: the answers without thinking, where step 1 begins, and steps 2 and 3
    assert len(times) == len(ends) + 3 and set(times.values()) == {3}
    assert record(output)["branch_tokens"] == 3 * len(times) * len(engine.tokenizer.encode("9, 4}"))


@pytest.mark.parametrize(("score", "is_inserted"), [(1.0, False), (0.0, True)])
def test_an_insertion_is_decided_by_the_runs_own_outcome(rollout, tmp_path, score, is_inserted):
    function = tmp_path / "outcome.py"
    function.write_text(f"def score(data_source, solution_str, ground_truth, extra_info=None):\n    return {score}\n")
    (output,), _ = rollout(
        STEPS_TO_A_WRONG_ANSWER,
        *BACKTRACK,
        "mrt.prover=sample",
        "mrt.outcome=compute_score",
        f"reward.custom_reward_function.path={function}",
        "reward.custom_reward_function.name=score",
        engine_class=BacktrackingEngine,
        data_source="anything",
        reward_model={"ground_truth": "10"},
    )
    assert (record(output)["inserted_tokens"] > 0) == is_inserted


def test_validation_is_a_plain_trace(rollout):
    _, engine = rollout(ATTEMPT + ANSWER, mrt_validate=True)
    assert engine.branches == []
    _, engine = rollout(ATTEMPT + ANSWER, "mrt.val_branches=True", mrt_validate=True)
    assert len(engine.branches) == 5


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
