"""J of validation reaches what verl logs of it, under names that say validation."""

import asyncio

import pytest

from tests import rollouts
from tests.golden.training import as_data
from tests.rollouts import ANSWER, ATTEMPT, WAIT

ROW = {"reward_model": {"ground_truth": "9, 4"}, "data_source": "sums", "mrt_validate": True}
TRACES = [ATTEMPT + WAIT + ANSWER, ATTEMPT + ANSWER]


@pytest.fixture
def validate(compose, tokenizer):
    """validate(*overrides) -> verl's metrics of a validation of one prompt with two rollouts"""
    from mrt_verl.hooks.agent_loop import MRTAgentLoop
    from mrt_verl.hooks.reward_manager import MRTRewardManager

    def run(*overrides, **row):
        config = compose("reward_model=mrt", *rollouts.OVERRIDES, "data.max_response_length=120", *overrides)
        # right after the first attempt in one of three answers, and always from the second on
        answers = iter(["9, 4}", "3, 4}", "3, 4}"] * 2)

        def forced(request):
            return "9, 4}" if "Wait" in request.text else next(answers)

        write = rollouts.author(lambda request: TRACES[request.nth], forced)
        outputs, _ = rollouts.roll_out(MRTAgentLoop, config, tokenizer, write, sessions=2, **{**ROW, **row})
        manager = MRTRewardManager(config, tokenizer, None)

        async def grade():
            return [await manager.run_single(as_data({**ROW, **row}, output)) for output in outputs]

        try:
            results = asyncio.run(grade())
        finally:
            manager.grader.close()
        return results, logged([one["reward_extra_info"] for one in results])

    return run


def logged(infos):
    """As verl's trainer logs the infos of one prompt's rollouts, None where a rollout has no such value."""
    from verl.trainer.ppo.v1.trainer_base import PPOTrainer

    names = dict.fromkeys(name for info in infos for name in info)
    columns = {name: [info.get(name) for info in infos] for name in names}
    return PPOTrainer._val_metrics_update(None, ["sums"] * 2, ["u"] * 2, columns, [2, 2])


def test_validation_with_branches(validate):
    results, metrics = validate("mrt.val_branches=True")
    names = ("j_before", "j_first", "j_last", "progress", "regret", "episodes")
    values = {name: metrics[f"val-aux/sums/mrt_{name}/mean@2"] for name in names}
    infos = [one["reward_extra_info"] for one in results]
    assert values == {name: pytest.approx(sum(info[f"mrt_{name}"] for info in infos) / 2) for name in names}
    assert values["episodes"] == 1.5 and values["j_before"] == pytest.approx(1 / 3)
    assert infos[0]["mrt_j_last"] == 1.0 and 0 < values["regret"] < 1
    assert metrics["val-core/sums/acc/mean@2"] == 1.0
    assert not any(name.startswith("mrt/") for name in metrics)  # those are of training


def test_validation_without_branches_and_training_say_nothing(validate):
    for overrides, row in (((), {}), (("mrt.val_branches=True",), {"mrt_validate": False})):
        results, metrics = validate(*overrides, **row)
        assert not any("mrt_" in name for name in metrics)
        assert all(set(one["reward_extra_info"]) == {"acc", "mrt"} for one in results)
