"""One scripted problem through each host: verl's agent loop and manager, OpenRLHF's executor, the study's loop."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.sampling_params import request_seed
from mrt_verl.settings import MRTSettings
from tests import rollouts
from tests.builders import default_settings
from tests.fakes import FakeServer, Request, run_at_once
from tests.openrlhf_host import PROMPT, SETTINGS, generate_responses, stand_in_for_vllm

SESSIONS, SEED, BUDGET, CONTEXT = 4, 7, 120, 400
MESSAGES = [{"role": "user", "content": "Numbers: 3, 7, 9, 4?"}]
"""Whose chat template is PROMPT."""
ROW = {"data_source": "openrlhf", "prompt": MESSAGES, "reward_model": {"ground_truth": "9, 4"}, "extra_info": {}}


@dataclass(frozen=True)
class Case:
    """A group of rollouts: its settings, and what the engine does.

    Whatever the engine writes depends on a request's seed alone, which is made of its tokens and its purpose: hosts
    that ask for other tokens, or under another name, get other texts.
    """

    traces: tuple[str, ...]
    forced: tuple[str, ...]
    reward_model: str = "mrt"
    settings: dict[str, Any] = field(default_factory=dict)
    lost_session: int | None = None
    """Whose trace never comes."""
    fails: Callable[[Request], bool] = lambda _: False
    """Which forced answers fail."""
    function: Path | None = None
    """Of a reward function `score`."""

    @property
    def node(self) -> dict[str, Any]:
        return {**SETTINGS, "seed": SEED, "bonus_norm": "rms", **self.settings}

    def write(self, request: Request) -> str:
        if rollouts.is_forced(request) and self.fails(request):
            raise RuntimeError("engine trouble")
        texts = self.forced if rollouts.is_forced(request) else self.traces
        return texts[seed_of(request) % len(texts)]

    def is_hanging(self, prompt_ids: list[int]) -> Callable[[Request], bool]:
        lost = request_seed(SEED, prompt_ids, f"rollout {self.lost_session}")["seed"]
        return lambda request: self.lost_session is not None and seed_of(request) == lost


def seed_of(request: Request) -> int:
    """A scored prompt has none: it draws nothing."""
    return int(request.params.get("seed", 0))


@dataclass(frozen=True)
class Rolled:
    """A rollout as its host hands it on."""

    ids: list[int]
    """Of the response."""
    mask: list[int]
    log_probs: list[float]
    record: RolloutRecord
    advantages: list[float]
    """Of the response's tokens."""


@dataclass(frozen=True)
class Played:
    """What a host made of a case."""

    rollouts: list[Rolled]
    requests: list[Request]
    metrics: dict[str, float]


def play_verl(case: Case, compose: Any, tokenizer: Any, monkeypatch: Any) -> Played:
    from omegaconf import OmegaConf

    from mrt_verl.hooks.advantage import compute_mrt_advantage
    from mrt_verl.hooks.agent_loop import MRTAgentLoop
    from mrt_verl.hooks.prefix_loop import MRTPrefixAgentLoop
    from mrt_verl.hooks.reward_manager import MRTRewardManager
    from mrt_verl.step_report import StepReport

    named = [] if case.function is None else [f"path={case.function}", "name=score"]
    config = compose(
        f"reward_model={case.reward_model}",
        f"actor_rollout_ref.rollout.n={SESSIONS}",
        *rollouts.OVERRIDES,
        *(f"reward.custom_reward_function.{one}" for one in named),
    )
    for key, value in case.node.items():
        OmegaConf.update(config, f"mrt.{key}", value)
    loop = MRTAgentLoop if config.mrt.variant == "online" else MRTPrefixAgentLoop
    hanging = case.is_hanging(tokenizer.encode(PROMPT))
    row = {key: value for key, value in ROW.items() if key != "prompt"}
    outputs, server = rollouts.roll_out(
        loop, config, tokenizer, case.write, sessions=SESSIONS, is_hanging=hanging, prompt=MESSAGES, **row
    )
    manager = MRTRewardManager(config, tokenizer, None)
    rows, records = [], []
    for output in outputs:
        graded = asyncio.run(manager.run_single(_verl_data(output)))
        output.reward_score = graded["reward_score"]
        output.extra_fields["reward_extra_info"] = graded["reward_extra_info"]
        rows.append(output.as_dict()["rm_scores"])
        records.append(RolloutRecord.from_json(graded["reward_extra_info"]["mrt"]))
    manager.grader.close()
    rewards = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
    masks = [torch.tensor(output.response_mask, dtype=torch.float32) for output in outputs]
    mask = torch.nn.utils.rnn.pad_sequence(masks, batch_first=True)
    advantages, _ = compute_mrt_advantage(rewards, mask, np.array(["u"] * SESSIONS, dtype=object), config.algorithm)
    metrics = StepReport(MRTSettings.from_config(config.mrt), response_tokens=BUDGET).step(records, 1)
    found = [
        Rolled(
            *(output.response_ids, output.response_mask, output.response_logprobs, record),
            advantages[number, : len(output.response_ids)].tolist(),
        )
        for number, (output, record) in enumerate(zip(outputs, records, strict=True))
    ]
    return Played(found, server.requests, metrics)


def _verl_data(output: Any) -> Any:
    from tensordict import TensorDict
    from verl import DataProto

    fields = {**ROW, "tool_extra_fields": output.extra_fields, "response_len": len(output.response_ids)}
    arrays = {key: np.array([value, None], dtype=object)[:1] for key, value in fields.items()}
    batch = TensorDict({"responses": torch.tensor([output.response_ids])}, batch_size=1)
    return DataProto(batch=batch, non_tensor_batch=arrays)


def play_openrlhf(case: Case, compose: Any, tokenizer: Any, monkeypatch: Any) -> Played:
    from mrt_verl.openrlhf.executor import MRTExecutor

    stand_in_for_vllm(monkeypatch)
    node: dict[str, Any] = {"reward_model": case.reward_model, "mrt": case.node}
    node["openrlhf"] = {"n_samples_per_prompt": SESSIONS, "report_rollouts": SESSIONS}
    if case.function is not None:
        node["reward"] = {"custom_reward_function": {"path": str(case.function), "name": "score"}}
    path = Path(case.settings["trace_dir"]).parent / "mrt.yaml"
    path.write_text(yaml.safe_dump(node))
    monkeypatch.setenv("MRT_CONFIG", str(path))
    executor = MRTExecutor()
    records: list[RolloutRecord] = []
    report = executor.report.add
    monkeypatch.setattr(executor.report, "add", lambda some, *rest: (records.extend(some), report(some, *rest)))
    prompt_ids = tokenizer.encode(PROMPT)
    label = ROW["reward_model"]
    responses, server = generate_responses(
        executor, tokenizer, case.write, label=label, max_length=CONTEXT, is_hanging=case.is_hanging(prompt_ids)
    )
    executor.grader.close()
    found = []
    for response, record in zip(responses, records, strict=True):
        start = len(prompt_ids)
        ids, log_probs = response["observation_tokens"], response["rollout_log_probs"]
        assert ids[:start] == prompt_ids and not any(log_probs[:start])
        mask = [int(any(a <= at < b for a, b in response["action_ranges"])) for at in range(start, len(ids))]
        advantages = [response["reward"] * one for one in mask]
        found.append(Rolled(ids[start:], mask, log_probs[start:], record, advantages))
    return Played(found, server.requests, responses[0]["extra_logs"])


def play_study(case: Case, compose: Any, tokenizer: Any, monkeypatch: Any) -> Played:
    from mrt_verl.advantage import mrt_advantage
    from mrt_verl.metrics import compute_metrics
    from mrt_verl.rollout_grading import grade_rollout, reward_batch
    from recipes.study.fast import loop as study

    hanging = case.is_hanging(tokenizer.encode(PROMPT))
    server = FakeServer(
        tokenizer,
        case.write,
        delay=lambda one: rollouts.NEVER if hanging(one) else 0.0 if rollouts.is_forced(one) else 0.1,
        cached=lambda _: 1,
    )
    server.max_model_len = CONTEXT  # type: ignore[attr-defined]
    monkeypatch.setattr(study, "TorchEngine", lambda *_, **__: server)
    settings = default_settings(reward_model=case.reward_model, **case.node)
    experiment = study.Experiment(
        settings, seed=1, tokens=1, learning_rate=0.1, rollouts=SESSIONS, response_tokens=BUDGET
    )
    loop = study.Loop(torch.nn.Linear(1, 1), tokenizer, experiment)

    async def play() -> tuple[list[Any], list[float]]:
        some = await loop._group(ROW)
        return some, [(await grade_rollout(loop.answers, one.record, one.trace.ids, ROW)).score for one in some]

    group, scores = run_at_once(play())
    loop.answers.grader.close()
    rewards, mask = map(torch.from_numpy, reward_batch([(one.trace, one.record) for one in group], scores))
    advantages = mrt_advantage(rewards, mask, np.zeros(SESSIONS, dtype=np.int64), settings, study.grpo)
    found = [
        Rolled(one.trace.ids, one.trace.mask, one.trace.log_probs, one.record, row[: len(one.trace.ids)].tolist())
        for one, row in zip(group, advantages, strict=True)
    ]
    return Played(found, server.requests, compute_metrics([one.record for one in group], budget=BUDGET))


HOSTS = {"verl": play_verl, "openrlhf": play_openrlhf, "study": play_study}
