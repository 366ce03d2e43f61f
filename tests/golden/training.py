"""A step's rollouts in verl's own classes: agent loop, reward manager, layout of rewards, estimator, metrics."""

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from tests.fakes import FakeServer, run_at_once, toy_tokenizer
from tests.golden import parts
from tests.golden.author import Author
from tests.golden.form import columns, hashed, plain, row, traffic
from tests.golden.scenarios import OVERRIDES, QUESTIONS, TEXTS, Training

OUTCOME = Path(__file__).with_name("outcome.py")
STEPS = {"min_global_steps": 3, "max_global_steps": 3}
"""verl's client adds them to every output."""


def run_training(scenario: Training) -> dict[str, Any]:
    """The golden output of a scenario."""
    config = compose(scenario)
    tokenizer = toy_tokenizer(opens_thinking=scenario.opens_thinking)
    author = make_author(config.mrt, scenario.author)
    server = FakeServer(tokenizer, author.write, delay=author.delay, cached=author.cached, extra_fields=STEPS)
    rows = [make_row(scenario, number) for number in range(scenario.prompts)]
    outputs = run_at_once(_sample(config, server, tokenizer, rows, scenario))
    asyncio.run(_judge(config, tokenizer, outputs))
    fields = [output.as_dict() for _, output in outputs]
    infos = [one["extra_fields"].pop("reward_extra_info") for one in fields]
    records = [info.pop("mrt") for info in infos]
    all_judged = [plain(parts.record(text)) for text in records]
    is_step = not scenario.row.get("mrt_validate")  # nothing more is done with validation rollouts
    return {
        "requests": traffic(server.requests),
        "rollouts": columns([_rollout(tokenizer, *one) for one in zip(outputs, fields, infos, strict=True)]),
        "records": columns([{**judged, "grader": "as below"} for judged in all_judged]),
        "grader": {key: value for key, value in all_judged[-1]["grader"].items() if key != "worker_seconds"},
        "advantages": _advantages(config, scenario, outputs, fields) if is_step else None,
        "metrics": plain(parts.metrics(records, config)) if is_step else None,
    }


def compose(scenario: Training) -> Any:
    """The config as `python -m verl.trainer.main_ppo` composes it, with the scenario's texts."""
    import verl  # noqa: F401 - loads the plugin, which joins Hydra
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module
    from omegaconf import OmegaConf

    overrides = [
        f"reward_model={scenario.reward_model}",
        f"data.max_response_length={scenario.response_tokens}",
        f"actor_rollout_ref.rollout.n={scenario.rollouts}",
        "actor_rollout_ref.rollout.name=vllm",
        *OVERRIDES,
        f"mrt.max_episodes={scenario.max_episodes}",
        *scenario.overrides,
    ]
    if scenario.scored_by_function:
        overrides += ["mrt.outcome=compute_score", f"reward.custom_reward_function.path={OUTCOME}"]
    with initialize_config_module("verl.trainer.config", version_base=None):
        config = hydra_compose("ppo_trainer", overrides=overrides)
    for key, value in {**TEXTS, **scenario.texts}.items():
        OmegaConf.update(config, f"mrt.{key}", list(value) if isinstance(value, tuple) else value)
    return config


def make_author(settings: Any, ways: Any) -> Author:
    """The fake model for a run's settings."""
    return Author(
        stop_text=settings.stop_text, think_open=settings.think_open, think_close=settings.think_close, **ways
    )


def make_row(scenario: Training, number: int) -> dict[str, Any]:
    """A row of the dataset, as verl hands it to agent loop and reward manager."""
    question, reference = QUESTIONS[number]
    return {
        "raw_prompt": [{"role": "user", "content": question}],
        "uid": f"uid{number}",
        "data_source": "sums",
        "reward_model": {"ground_truth": reference},
        "extra_info": {"index": number},
        **scenario.row,
    }


async def _sample(
    config: Any, server: FakeServer, tokenizer: Any, rows: list[dict[str, Any]], scenario: Training
) -> list[tuple[dict[str, Any], Any]]:
    """(row, output) of every rollout."""
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap
    from verl.utils.dataset.rl_dataset import RLHFDataset

    rollout = config.actor_rollout_ref.rollout
    params = {key: rollout[key] for key in ("temperature", "top_p", "top_k")}
    params |= {"repetition_penalty": 1.0, "logprobs": scenario.log_probs}

    async def session(row: dict[str, Any], number: int) -> Any:
        await asyncio.sleep(number / 1000)  # in this order, and all before one has ended
        loop = parts.agent_loop(rollout.agent.default_agent_loop)(
            trainer_config=DictConfigWrap(config),
            server_manager=server,
            tokenizer=tokenizer,
            processor=None,
            dataset_cls=RLHFDataset,
            data_config=DictConfigWrap(config.data),
        )
        return await loop.run(params, session_id=number, **row)

    starts = [(row, number) for row in rows for number in range(scenario.rollouts)]
    outputs = await asyncio.gather(*(session(*start) for start in starts))
    return [(row, output) for (row, _), output in zip(starts, outputs, strict=True)]


async def _judge(config: Any, tokenizer: Any, outputs: list[tuple[dict[str, Any], Any]]) -> None:
    """Grade the rollouts one after the other, as verl's reward loop does."""
    from verl.trainer.ppo.reward import get_custom_reward_fn

    manager = parts.reward_manager(config, tokenizer, get_custom_reward_fn(config))
    try:
        for row, output in outputs:
            result = await manager.run_single(as_data(row, output))
            output.reward_score = result["reward_score"]
            output.extra_fields["reward_extra_info"] = dict(result["reward_extra_info"])
    finally:
        parts.close(manager)


def as_data(row: dict[str, Any], output: Any) -> Any:
    """One rollout as verl's agent loop worker hands it to the reward loop."""
    import torch
    from tensordict import TensorDict
    from verl import DataProto

    values = {**row, "tool_extra_fields": output.extra_fields, "response_len": len(output.response_ids)}
    arrays = {}
    for key, value in values.items():
        arrays[key] = np.empty(1, dtype=object)
        arrays[key][0] = value
    batch = TensorDict({"responses": torch.tensor([output.response_ids])}, batch_size=1)
    return DataProto(batch=batch, non_tensor_batch=arrays)


def _rollout(tokenizer: Any, one: tuple[dict[str, Any], Any], fields: Any, info: Any) -> dict[str, Any]:
    """What verl gets of a rollout, without its record."""
    asked, output = one
    return {
        "uid": asked["uid"],
        "prompt_ids": hashed(fields["prompts"].tolist()),
        "response": tokenizer.decode(output.response_ids),
        "response_ids": hashed(fields["responses"].tolist()),
        "mask": row(fields["response_mask"].tolist()),
        "log_probs": hashed(output.response_logprobs),
        "num_turns": fields["num_turns"],
        "num_preempted": output.metrics.num_preempted,
        "extra_fields": plain(fields["extra_fields"]),
        "reward_score": output.reward_score,
        "reward_extra_info": plain(info),
        "rm_scores": row(fields["rm_scores"].tolist()),
    }


def _advantages(
    config: Any, scenario: Training, outputs: list[tuple[dict[str, Any], Any]], fields: list[dict[str, Any]]
) -> dict[str, Any]:
    """Runs of each rollout's advantages, per variation of the settings."""
    from omegaconf import OmegaConf
    from torch.nn.utils.rnn import pad_sequence

    result = {}
    for changes in ({}, *scenario.estimates):
        algorithm: Any = OmegaConf.create(OmegaConf.to_container(config.algorithm, resolve=True))
        for key, value in changes.items():
            (algorithm.mrt if key in algorithm.mrt else algorithm)[key] = value
        rows = parts.advantages(
            token_level_rewards=pad_sequence([one["rm_scores"] for one in fields], batch_first=True),
            response_mask=pad_sequence([one["response_mask"] for one in fields], batch_first=True),
            index=np.array([asked["uid"] for asked, _ in outputs], dtype=object),
            config=algorithm,
        )
        label = ", ".join(f"{key}={value}" for key, value in changes.items()) or "as configured"
        result[label] = [row(values) for values in rows.tolist()]
    return result
