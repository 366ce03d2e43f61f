"""The reward manager with the real grader, fed as verl's reward loop feeds it."""

import asyncio

import numpy as np
import pytest
import torch
from tensordict import TensorDict

from mrt_verl.rollout_record import RolloutRecord

STOP = "Time is up.\n</think>\n\nThe answer is \\boxed{"
THINKING = "Try 3 and 7: 3 + 7 = 10.\n\n"
ANSWER = "</think>\n\nThe answer is \\boxed{10}<|im_end|>"


@pytest.fixture
def manager(compose, tokenizer):
    from mrt_verl.hooks.reward_manager import MRTRewardManager

    managers = []

    def build(*overrides, compute_score=None):
        config = compose("reward_model=mrt", "mrt.alpha=0.5", *overrides)
        config.mrt.stop_text = STOP
        managers.append(MRTRewardManager(config, tokenizer, compute_score))
        return managers[-1]

    yield build
    for made in managers:
        made.grader.close()


def make_data(tokenizer, record, response, truth="10"):
    from verl import DataProto

    ids = tokenizer.encode(response)
    fields = {
        "data_source": "anything",
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {"split": "train"},
        "tool_extra_fields": {"mrt": record.to_dict()},
        "response_len": len(ids),
    }
    arrays = {key: np.array([value], dtype=object) for key, value in fields.items()}
    return DataProto(batch=TensorDict({"responses": torch.tensor([ids])}, batch_size=1), non_tensor_batch=arrays)


def make_record(tokenizer, **changes):
    end = len(tokenizer.encode(THINKING))
    values = {
        "episodes": [(0, 0, end)],
        "answer_start": end + 1,
        "finished": True,
        "think_tokens": end,
        "response_tokens": end + 10,
        "markers": 0,
        "forced": [[("10}", True, None), ("11}", True, None), ("1", False, None)]],
        "forced_before": [("11}", True, None), ("10", True, None), ("", True, None), ("3}", True, None)],
        "own_is_sample": True,
    }
    return RolloutRecord.from_dict({**values, **changes})


def grade(manager, data):
    result = asyncio.run(manager.run_single(data))
    return result, RolloutRecord.from_json(result["reward_extra_info"]["mrt"])


def test_texts_of_a_logged_trace(manager, tokenizer):
    """What a trace file shows, only where one is written."""
    data = make_data(tokenizer, make_record(tokenizer), THINKING + ANSWER)
    assert grade(manager(), data)[1].texts is None
    data.non_tensor_batch["uid"] = np.array(["u"], dtype=object)
    messages = [{"role": "system", "content": "Think."}, {"role": "user", "content": "What is 3 + 7?"}]
    data.non_tensor_batch["raw_prompt"] = np.array([messages], dtype=object)  # as verl hands it over
    texts = grade(manager("mrt.trace_dir=not/written"), data)[1].texts
    assert (texts.uid, texts.problem, texts.reference) == ("u", "What is 3 + 7?", "10")
    assert (texts.extracted, texts.verdict, texts.detail) == ("10", "right", "")
    assert (texts.lead_text, THINKING + texts.rest_text) == ("", THINKING + ANSWER)
    assert texts.forced_verdicts == [["right", "wrong", "no_answer"]]
    assert texts.before_verdicts == ["wrong", "right", "no_answer", "wrong"]


def test_outcome_j_and_progress(manager, tokenizer):
    result, record = grade(manager(), make_data(tokenizer, make_record(tokenizer), THINKING + ANSWER))
    assert result["reward_score"] == result["reward_extra_info"]["acc"] == record.values.outcome == 1.0
    assert record.values.j_before == 1 / 4  # "10" ended by itself, so its open box counts
    assert record.values.js == [2 / 4]  # 10 right, 11 wrong, a cut-off "1" no answer, and the trace's own answer right
    assert record.values.progress == [(0, 0, 1 / 4)]
    assert record.values.alpha == 0.5
    assert (
        record.grading.answers,
        record.grading.no_answers,
        record.grading.grade_timeouts,
        record.grading.grade_errors,
    ) == (8, 2, 0, 0)


def test_a_trace_that_never_closed_its_thinking(manager, tokenizer):
    record = make_record(tokenizer, answer_start=None, own_is_sample=False, finished=False)
    result, record = grade(manager(), make_data(tokenizer, record, THINKING + "The answer is \\boxed{10}"))
    assert result["reward_score"] == 0.0
    assert record.values.js == [1 / 3]  # its forced answers alone


def test_a_trace_without_episodes_and_branches(manager, tokenizer):
    record = make_record(tokenizer, episodes=[], forced=[], forced_before=[], answer_start=0)
    result, record = grade(manager(), make_data(tokenizer, record, ANSWER))
    assert result["reward_score"] == 1.0
    assert (record.values.j_before, record.values.js, record.values.progress) == (None, [], [])


def test_a_boundary_whose_branches_all_failed_has_no_j(manager, tokenizer):
    end = len(tokenizer.encode(THINKING))
    record = make_record(tokenizer, episodes=[(0, 0, 4), (4, 4, end)], forced=[[], [("10}", True, None)]])
    _, record = grade(manager(), make_data(tokenizer, record, THINKING + ANSWER))
    assert record.values.js == [None, 1.0]
    assert record.values.progress == [(0, 1, 3 / 4)]


def test_verls_own_outcome(manager, tokenizer):
    """A custom reward function sees whole responses, forced ones with the stop text in them."""
    overrides = ("mrt.outcome=compute_score", "mrt.prover=sample")
    scored = manager(*overrides, compute_score=length_is_even)
    result, record = grade(scored, make_data(tokenizer, make_record(tokenizer), THINKING + ANSWER))
    decoded = [THINKING + ANSWER.removesuffix("<|im_end|>").replace("</think>", "")]
    assert result["reward_score"] == float(len(decoded[0]) % 2 == 0)
    expected = [len(STOP + text) % 2 == 0 for text, _, _ in record.branches.forced_before]
    assert record.values.j_before == sum(expected) / 4


def length_is_even(data_source, solution_str, ground_truth, extra_info=None):
    assert (data_source, ground_truth, extra_info["split"]) == ("anything", "10", "train")
    return float(len(solution_str) % 2 == 0)


def test_a_forced_rollout_is_graded_by_the_rule_of_forced_answers(manager, tokenizer):
    """What closes the box that the stop text opened counts, whatever the policy writes after it."""
    thinking, stop, answer = (tokenizer.encode(text) for text in (THINKING, STOP, "10} or rather \\boxed{3}"))
    lengths = {"prefix_tokens": len(thinking), "inserted_tokens": len(stop), "answer_start": len(thinking)}
    record = make_record(tokenizer, kind="forced", episodes=[], forced=[], forced_before=[], **lengths)
    text = tokenizer.decode([*thinking, *stop, *answer])
    result, _ = grade(manager("mrt.prover=sample"), make_data(tokenizer, record, text))
    assert result["reward_score"] == 1.0
    plain = make_record(tokenizer, episodes=[], forced=[], forced_before=[], answer_start=len(thinking))
    result, _ = grade(manager("mrt.prover=sample"), make_data(tokenizer, plain, text))
    assert result["reward_score"] == 0.0  # a rollout's own answer is its last box


def test_an_overlong_response_loses_as_in_verls_dapo_manager(manager, tokenizer):
    """Of its outcome alone: accuracy, J and progress stay what they are."""
    from verl.experimental.reward_loop.reward_manager.dapo import DAPORewardManager

    tokens = len(tokenizer.encode(THINKING + ANSWER))
    buffer = {"enable": True, "len": 8, "penalty_factor": 0.5, "log": True}
    overrides = [f"+reward.reward_kwargs.overlong_buffer_cfg.{key}={value}" for key, value in buffer.items()]
    ours = manager(*overrides, f"+reward.reward_kwargs.max_resp_len={tokens + 4}")
    data = make_data(tokenizer, make_record(tokenizer), THINKING + ANSWER)
    result, record = grade(ours, data)
    # 4 tokens into a buffer of 8, at half a point for all of it
    assert result["reward_score"] == 1.0 - 0.25
    assert (result["reward_extra_info"]["acc"], record.values.outcome, record.values.js) == (1.0, 1.0, [2 / 4])
    info = {key: result["reward_extra_info"][key] for key in ("overlong_reward", "overlong")}
    assert info == {"overlong_reward": -0.25, "overlong": True}

    data.batch["attention_mask"] = torch.ones_like(data.batch["responses"])

    async def verls():
        theirs = DAPORewardManager(ours.config, tokenizer, lambda **_: 1.0)
        return (await theirs.run_single(data))["reward_score"]

    assert float(asyncio.run(verls())) == result["reward_score"]


FORMATTED = """
def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    return {"score": 0.7 if "10" in solution_str else -1.0, "acc": "10" in solution_str, "format": 1.0, "parts": [1]}
"""


def test_accuracy_is_accuracy_and_a_functions_extras_are_kept(manager, tokenizer, tmp_path):
    (tmp_path / "score.py").write_text(FORMATTED)
    scored = manager("mrt.outcome=compute_score", f"reward.custom_reward_function.path={tmp_path}/score.py")
    record = make_record(tokenizer, episodes=[], forced=[], forced_before=[])
    result, _ = grade(scored, make_data(tokenizer, record, THINKING + ANSWER))
    info = {key: value for key, value in result["reward_extra_info"].items() if key != "mrt"}
    assert (result["reward_score"], info) == (0.7, {"score": 0.7, "acc": 1.0, "format": 1.0})
    result, _ = grade(scored, make_data(tokenizer, record, "I do not know"))
    assert (result["reward_score"], result["reward_extra_info"]["acc"]) == (-1.0, 0.0)


def test_what_went_wrong_in_a_grading_is_told(manager, tokenizer, tmp_path):
    (tmp_path / "score.py").write_text("def compute_score(**_):\n    raise KeyError('no such unit')\n")
    scored = manager("mrt.outcome=compute_score", f"reward.custom_reward_function.path={tmp_path}/score.py")
    _, record = grade(scored, make_data(tokenizer, make_record(tokenizer), THINKING + ANSWER))
    assert (record.grading.grade_errors, record.grading.answers) == (8, 8)
    assert record.grading.error_example == "KeyError: 'no such unit'"


HANGS = """
import time

def compute_score(data_source, solution_str, ground_truth, extra_info=None):
    if "Try 3" in solution_str:
        time.sleep(60)
    return float("10" in solution_str)
"""


def test_an_own_answer_whose_grading_timed_out_is_not_known(manager, tokenizer, tmp_path):
    """No outcome of 0: neither in the record nor in the rewards, which leave the rollout out of its group."""
    from mrt_verl.hooks.loop_output import MRTAgentLoopOutput
    from mrt_verl.reward_layout import read_rewards

    (tmp_path / "score.py").write_text(HANGS)
    function = f"reward.custom_reward_function.path={tmp_path}/score.py"
    scored = manager("mrt.outcome=compute_score", function, "mrt.grade_timeout_s=0.5")
    data = make_data(tokenizer, make_record(tokenizer, forced=[[]]), THINKING + ANSWER)
    result, record = grade(scored, data)
    assert (record.values.outcome, record.values.j_before, record.values.js) == (None, 1 / 4, [None])
    assert (record.grading.answers, record.grading.grade_timeouts) == (5, 1)
    assert (result["reward_score"], result["reward_extra_info"]["acc"]) == (0.0, 0.0)  # verl wants numbers

    ids = tokenizer.encode(THINKING + ANSWER)
    extra_fields = {"reward_extra_info": result["reward_extra_info"]}
    output = MRTAgentLoopOutput(
        prompt_ids=[1],
        response_ids=ids,
        response_mask=[1] * len(ids),
        num_turns=2,
        metrics={},
        reward_score=result["reward_score"],
        extra_fields=extra_fields,
    )
    fields = output.as_dict()
    events = read_rewards(fields["rm_scores"].unsqueeze(0), fields["response_mask"].unsqueeze(0))
    assert (events.known.tolist(), events.outcome.tolist()) == ([False], [0.0])
