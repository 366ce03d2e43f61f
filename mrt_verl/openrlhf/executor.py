"""What OpenRLHF's rollout actor calls, once per rollout: the calls of a prompt become one group."""

import asyncio
import logging
import os
from typing import Any, ClassVar
from uuid import uuid4

from mrt_verl.grading import Grader
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.log import speak_up
from mrt_verl.metrics import compute_metrics
from mrt_verl.openrlhf.config import RunConfig, config_path, read_config
from mrt_verl.openrlhf.engine import OpenRLHFEngine, trace_params
from mrt_verl.openrlhf.group import Graded, PromptGroup, read_row
from mrt_verl.openrlhf.response import make_response
from mrt_verl.openrlhf.room import share_context
from mrt_verl.openrlhf.scalar import group_rewards
from mrt_verl.openrlhf.window import WindowedReport
from mrt_verl.parts import text_problems
from mrt_verl.provers import prover_class
from mrt_verl.rollout import Rollout
from mrt_verl.token_text import encode_open

logger = logging.getLogger(__name__)


class Calls:
    """The calls for one prompt that have come so far."""

    def __init__(self, sampling_params: Any) -> None:
        self.sampling_params = sampling_params  # kept, so that no other object gets its id
        self.count = 0
        self.task: asyncio.Task[list[dict[str, Any]]] | None = None


def refuse_images(images: Any) -> None:
    """Raises ValueError: a row holds images."""
    if images:
        raise ValueError(f"images={images!r:.80}; allowed: rows of text, this host rolls out no images")


class MRTExecutor:
    """The executor of one vLLM engine; agent.py gives it OpenRLHF's base class."""

    engine_class: ClassVar[Any] = OpenRLHFEngine

    def __init__(self) -> None:
        """Read MRT_CONFIG; raises ValueError, before the engine starts, where it cannot work."""
        speak_up()
        self.config: RunConfig = read_config(config_path(os.environ))
        self.settings = self.config.settings
        self.grader = Grader(deadline_s=self.settings.grade_timeout_s, thinking=None)
        self.report = WindowedReport(self.config)
        self._calls: dict[Any, Calls] = {}
        self._rollouts: dict[tuple[Any, int, int], Rollout] = {}
        self._tokenizer: Any = None
        self._answer_tokens = 0
        self._has_trained = False

    async def execute(
        self,
        prompt: str,
        label: Any,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """One rollout of a prompt, handed over when all of its group have come.

        Raises:
            ValueError: the row or the run cannot be rolled out.
        """
        refuse_images(images)
        key = (id(sampling_params), prompt, repr(label))
        calls = self._calls.setdefault(key, Calls(sampling_params))
        session, calls.count = calls.count, calls.count + 1
        await asyncio.sleep(0)  # the others of the group were started with this one: now they have all come
        if calls.task is None:
            del self._calls[key]
            calls.task = asyncio.create_task(
                self._roll_out(calls.count, prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine)
            )
        return (await asyncio.shield(calls.task))[session]

    async def _roll_out(
        self,
        count: int,
        prompt: str,
        label: Any,
        sampling_params: Any,
        max_length: int,
        tokenizer: Any,
        llm_engine: Any,
    ) -> list[Any]:
        is_training = self._is_training(count, sampling_params)
        if not is_training:
            logger.info("%d rollouts at temperature %g: an evaluation", count, sampling_params.temperature)
        self._prepare(tokenizer, sampling_params)
        prompt_ids, budget = share_context(
            self._tokenizer.encode(prompt, add_special_tokens=False),
            max_tokens=sampling_params.max_tokens,
            max_length=max_length,
            answer_tokens=self._answer_tokens if is_training else 0,
        )
        rollout = self._rollout(llm_engine, budget, max_length)
        answers = AnswerGrader(self.grader, self._tokenizer, self.settings, self.config.reward_function)
        params, row = trace_params(sampling_params), {**read_row(label), "uid": uuid4().hex}
        group = PromptGroup(rollout, answers, prompt_ids, row, params, is_training=is_training)
        graded = await group.roll_out(count)
        logs: dict[str, float] = {}
        if is_training:
            records = [one.rolled_out.record for one in graded]
            logs = compute_metrics(records, budget=sampling_params.max_tokens or budget)
            self.report.add(records, logs, budget)
        of_row = {"prompt": prompt, "label": label, "prompt_ids": prompt_ids, "has_log_probs": params["logprobs"]}
        return self.hand_over(graded, is_training=is_training, logs=logs, **of_row)

    def hand_over(self, graded: list[Graded], *, is_training: bool, **of_group: Any) -> list[Any]:
        """A group's rollouts as their host wants them, each with its one reward; of an evaluation, the outcome."""
        rewards = [one.score for one in graded]
        if is_training:
            rewards = group_rewards([(one.rolled_out.trace, one.rolled_out.record) for one in graded], self.settings)
        return [make_response(one, reward=reward, **of_group) for one, reward in zip(graded, rewards, strict=True)]

    def _is_training(self, count: int | None, sampling_params: Any) -> bool:
        """Whether a group is trained on; all that tells is its size, None where it is not known, and temperature.

        Raises:
            ValueError: the first group of a run, which is always trained on, has others than the settings say.
        """
        host, temperature = self.config.host, sampling_params.temperature
        if count in (None, host.n_samples_per_prompt) and temperature == host.temperature:
            self._has_trained = True
            return True
        if not self._has_trained:
            first = "rollout" if count is None else f"group of {count} rollouts"
            raise ValueError(
                f"openrlhf.n_samples_per_prompt={host.n_samples_per_prompt}, openrlhf.temperature={host.temperature:g}"
                f" with a first {first} at temperature {temperature:g}; allowed: the run's "
                "--rollout.n_samples_per_prompt and --rollout.temperature"
            )
        return False

    def _prepare(self, tokenizer: Any, sampling_params: Any) -> None:
        """Keep the first tokenizer, of which OpenRLHF sends a copy with every prompt, and check what it needs."""
        if self._tokenizer is not None:
            return
        for problem in text_problems(self.settings, tokenizer, "the run"):
            raise ValueError(problem)
        prover = prover_class(self.settings)
        if self.settings.variant == "online" and prover.needs_log_probs and sampling_params.logprobs is None:
            raise ValueError(
                f"mrt.prover={self.settings.prover!r} with --algo.advantage.is_correction_level off; allowed: token, "
                "seq, with which vLLM gives the log-probs it sampled from, or mrt.prover=sample"
            )
        if self.settings.variant == "online":  # the prefix variant's answers are part of their responses
            self._answer_tokens = len(encode_open(tokenizer, self.settings.stop_text)) + self.settings.branch_max_tokens
        self._tokenizer = tokenizer

    def _rollout(self, llm_engine: Any, budget: int, max_length: int) -> Rollout:
        """One per budget: without --rollout.max_new_tokens it is what the prompt leaves of the context."""
        key = (llm_engine, budget, max_length)
        if key not in self._rollouts:
            self._rollouts[key] = Rollout(
                *(self.engine_class(llm_engine), self._tokenizer, self.settings),
                response_tokens=budget,
                context_tokens=max_length,
            )
        return self._rollouts[key]
