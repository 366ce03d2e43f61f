"""The study's loop without verl, Ray and vLLM: a third host of the package's rollout, grading and advantage.

One process and one core: rollouts by `engine`, one update of on-policy policy gradient a step, Adam, a learning
rate that decays over the tokens the run may generate. What it does to a batch is what verl does at the study's settings
(one update a step, loss a mean over tokens, gradients clipped at 1, no KL).
"""

import asyncio
import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from mrt_verl.advantage import mrt_advantage
from mrt_verl.branching import PromptBranches, RolloutBranches
from mrt_verl.grading import Grader
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.comparison import as_references
from mrt_verl.metrics import compute_metrics
from mrt_verl.online import RolledOut, roll_out
from mrt_verl.prefix import MODES
from mrt_verl.rollout import Response, Rollout
from mrt_verl.rollout_grading import grade_rollout, reward_batch
from mrt_verl.settings import MRTSettings
from mrt_verl.trace import Trace
from recipes.study.fast.engine import TorchEngine

SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "logprobs": True}
Score = Callable[[float, float], float]
"""score(outcome, length) -> what the outcome counts; the length is a share of the response tokens."""


@dataclass(frozen=True)
class Experiment:
    """One training run."""

    settings: MRTSettings
    seed: int
    tokens: int
    """Tokens to generate, branches included; the run ends with the step that gets there. The learning rate decays over
    them."""
    learning_rate: float
    prompts: int = 8
    rollouts: int = 4
    response_tokens: int = 160
    updates: int | None = None
    """Steps that end the run instead, and over which the learning rate decays."""
    is_plain: bool = False
    """Whether rollouts are traces alone: GRPO."""
    score: Score = field(default=lambda outcome, length: outcome)


class Loop:
    """A model in training; `steps` yields the metrics of each step."""

    def __init__(self, model: Any, tokenizer: Any, experiment: Experiment) -> None:
        self.model, self.tokenizer, self.experiment = model, tokenizer, experiment
        torch.manual_seed(experiment.seed)
        self.engine = TorchEngine(model, tokenizer, seed=experiment.seed)
        self.rollout = Rollout(
            *(self.engine, tokenizer, experiment.settings),
            response_tokens=experiment.response_tokens,
            context_tokens=self.engine.max_model_len,
        )
        self.answers = AnswerGrader(Grader(deadline_s=5.0, thinking=None), tokenizer, experiment.settings, None)
        self.optimizer = torch.optim.AdamW(model.parameters(), experiment.learning_rate, weight_decay=0.0)
        self.spent = 0
        self.updates = 0

    def steps(self, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, float]]:
        """Train on verl's rows in an order of the seed until the run is done."""
        rng = np.random.default_rng(self.experiment.seed)
        order = itertools.chain.from_iterable(rng.permutation(len(rows)).tolist() for _ in itertools.count())
        while self.done < 1:
            batch = [rows[index] for index in itertools.islice(order, self.experiment.prompts)]
            yield asyncio.run(self._step(batch))

    @property
    def done(self) -> float:
        """Share of the run."""
        if self.experiment.updates is not None:
            return self.updates / self.experiment.updates
        return self.spent / self.experiment.tokens

    async def _step(self, rows: Sequence[dict[str, Any]]) -> dict[str, float]:
        started, done = time.perf_counter(), self.done
        count = self.experiment.rollouts
        groups = await asyncio.gather(*map(self._group, rows))
        sampled = time.perf_counter()
        rolled = [(row, one) for row, group in zip(rows, groups, strict=True) for one in group]
        traces, scores, room = [one for _, one in rolled], [], self.experiment.response_tokens
        for row, one in rolled:
            grade = await grade_rollout(self.answers, one.record, one.trace.ids, row)
            scores.append(self.experiment.score(grade.score, len(one.trace.ids) / room))
        metrics = compute_metrics([one.record for one in traces], budget=room)
        index = np.repeat(np.arange(len(rows)), count)
        prompts = [prompt for row in rows for prompt in [self.encode(row)] * count]
        self.spent += sum(map(generated_tokens, traces))
        self.updates += 1
        graded = time.perf_counter()
        norm = self._update(prompts, traces, scores, index, done)
        self.engine.forget()
        plain = [one.record.values.outcome for one in traces if one.record.response.kind in ("trace", "fallback")]
        return {
            **metrics,
            "plain_outcome": float(np.mean(plain)) if plain else 0.0,
            "tokens": float(self.spent),
            "grad_norm": norm,
            "response_length": float(np.mean([len(one.trace.ids) for one in traces])),
            "time/rollout": sampled - started,
            "time/grading": graded - sampled,
            "time/update": time.perf_counter() - graded,
            "seconds": time.perf_counter() - started,
        }

    def encode(self, row: dict[str, Any]) -> list[int]:
        ids = self.tokenizer.apply_chat_template(list(row["prompt"]), add_generation_prompt=True, return_dict=False)
        return list(ids)

    async def _group(self, row: dict[str, Any]) -> list[RolledOut]:
        """The rollouts of one prompt."""
        host, sessions = Prompt(self, row), range(self.experiment.rollouts)
        settings = self.experiment.settings
        if settings.variant == "online":
            return list(await asyncio.gather(*(host.trace(session, "trace") for session in sessions)))
        group = MODES[settings.prefix_mode](self.rollout, len(sessions), host.prompt_ids, SAMPLING)
        return list(await asyncio.gather(*(group.roll_out(session, host) for session in sessions)))

    def _update(
        self,
        prompts: Sequence[list[int]],
        traces: Sequence[RolledOut],
        scores: Sequence[float],
        index: np.ndarray,
        done: float,
    ) -> float:
        """One step of policy gradient; returns the norm of the gradient before it was clipped.

        Args:
            done: share of the run before this step.
        """
        pairs = [(one.trace, one.record) for one in traces]
        rewards, response_mask = map(torch.from_numpy, reward_batch(pairs, scores))
        width = response_mask.shape[1]
        advantages = mrt_advantage(rewards, response_mask, index, self.experiment.settings, grpo)
        for group in self.optimizer.param_groups:
            group["lr"] = self.experiment.learning_rate * (1 + math.cos(math.pi * min(done, 1.0))) / 2
        self.optimizer.zero_grad()
        used = np.flatnonzero((advantages * response_mask).abs().sum(1).numpy() > 0)
        total = response_mask.sum()
        for part in np.array_split(used, max(len(used) // 16, 1)) if len(used) else []:
            rows = sorted(part.tolist(), key=lambda row: len(traces[row].trace.ids))
            log_probs = self._log_probs([prompts[row] for row in rows], [traces[row].trace.ids for row in rows], width)
            policy_loss(log_probs, advantages[rows], response_mask[rows], total).backward()
        norm = float(torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0))
        self.optimizer.step()
        return norm

    def _log_probs(self, prompts: list[list[int]], responses: list[list[int]], width: int) -> torch.Tensor:
        """(rows, width) log-probs of the responses' tokens, 0 after their ends."""
        longest = max(len(p) + len(r) for p, r in zip(prompts, responses, strict=True))
        ids = torch.zeros(len(prompts), longest, dtype=torch.long)
        for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
            ids[row, : len(prompt) + len(response)] = torch.tensor([*prompt, *response])
        logits = self.model(input_ids=ids[:, :-1], use_cache=False).logits
        of_next = torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0]
        rows = []
        for row, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
            start = len(prompt) - 1
            own = of_next[row, start : start + len(response)]
            rows.append(torch.nn.functional.pad(own, (0, width - len(response))))
        return torch.stack(rows)


class Prompt:
    """How the rollouts of one prompt are sampled (mrt_verl.prefix.Host)."""

    def __init__(self, loop: Loop, row: dict[str, Any]) -> None:
        self.loop, self.row = loop, row
        self.prompt_ids = loop.encode(row)
        self.references = as_references(row["reward_model"]["ground_truth"])
        self.shared = PromptBranches()

    async def trace(self, session: int, kind: str) -> RolledOut:
        experiment, rollout = self.loop.experiment, self.loop.rollout
        branches = RolloutBranches(
            self.shared,
            sampling_params=SAMPLING,
            references=self.references,
            are_right=functools.partial(self.loop.answers.are_right, row=self.row),
        )
        return await roll_out(
            *(rollout, self.prompt_ids, branches),
            lambda request_id: self._sample(request_id, session, None),
            kind=kind,
            is_branching=experiment.settings.variant == "online" and not experiment.is_plain,
        )

    async def go_on(self, trace: Trace, request_id: str, session: int) -> tuple[Response, tuple[()]]:
        return await self._sample(request_id, session, trace), ()

    async def _sample(self, request_id: str, session: int, trace: Trace | None) -> Response:
        purpose = f"rollout {session}"
        return await self.loop.rollout.sample(self.prompt_ids, SAMPLING, request_id, trace=trace, purpose=purpose)


def policy_loss(
    log_probs: torch.Tensor, advantages: torch.Tensor, response_mask: torch.Tensor, total: torch.Tensor
) -> torch.Tensor:
    """The gradient of verl's clipped loss where the policy is still the one that sampled: its ratios are 1.

    Args:
        log_probs, advantages, response_mask: (rows, width), of a part of the batch.
        total: trained tokens of the whole batch (`loss_agg_mode=token-mean`).
    """
    return -(log_probs * advantages * response_mask).sum() / total


def generated_tokens(one: RolledOut) -> int:
    """Tokens that the policy generated for a rollout, its branches included."""
    branches = one.record.branches
    return sum(one.trace.mask) + branches.branch_tokens + branches.shared_tokens


def grpo(values: torch.Tensor, index: np.ndarray) -> torch.Tensor:
    """verl's group-relative outcome: less the group's mean, divided by its deviation; a group of one keeps it."""
    result = torch.zeros_like(values)
    for group in np.unique(index):
        rows = torch.from_numpy(index == group)
        some = values[rows]
        result[rows] = some if len(some) == 1 else (some - some.mean()) / (some.std() + 1e-6)
    return result
