"""The agent loop "mrt": one rollout of the online variant, with what the rollouts of a prompt share."""

import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from verl.experimental.agent_loop.agent_loop import AgentLoopBase

from mrt_verl.branching import PerPrompt, PromptBranches, RolloutBranches
from mrt_verl.grading import Grader
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.comparison import as_references
from mrt_verl.grading.outcomes import FileFunction
from mrt_verl.hooks.checks.local import context_tokens
from mrt_verl.hooks.engine import VerlEngine
from mrt_verl.hooks.loop_output import MRTAgentLoopOutput, make_output
from mrt_verl.hooks.replica import pinned
from mrt_verl.hooks.row_inputs import RowInputs, read_inputs
from mrt_verl.online import RolledOut, j_estimator, roll_out
from mrt_verl.provers import Branches, Prover
from mrt_verl.rollout import Response, Rollout
from mrt_verl.rollout_record import lost_record
from mrt_verl.settings import MRTSettings
from mrt_verl.trace import Trace, TraceLost

logger = logging.getLogger(__name__)


@functools.lru_cache(maxsize=1)
def build_grader(tokenizer: Any, settings: MRTSettings, reward: Any) -> AnswerGrader:
    """The agent loops' own grader, used only by insertion policies that ask for J; `reward` is that node of the run."""
    grader = Grader(deadline_s=settings.grade_timeout_s, thinking=None)
    return AnswerGrader(grader, tokenizer, settings, FileFunction.from_node(reward.get("custom_reward_function")))


def seeded(settings: MRTSettings, rollout: Any) -> MRTSettings:
    """The settings, with the rollout's seed where its server would seed all requests alike."""
    if settings.seed is None and getattr(rollout, "full_determinism", False):
        return replace(settings, seed=int(rollout.seed))
    return settings


class MRTAgentLoop(AgentLoopBase):
    """Online MRT: J at every boundary of an on-policy trace (the online variant of arXiv 2503.07572's code)."""

    _shared: ClassVar[PerPrompt[PromptBranches]] = PerPrompt()
    tokenizer: Any  # verl's annotation names transformers' factory

    def __init__(self, *args: Any, settings: MRTSettings | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = seeded(settings or MRTSettings.from_config(self.config.mrt), self.rollout_config)
        self.response_length: int = self.rollout_config.response_length
        self.engine = VerlEngine(self.server_manager, server=self.rollout_config.name)
        self.inputs = RowInputs()
        self.rollout = Rollout(
            *(self.engine, self.tokenizer, self.settings),
            response_tokens=self.response_length,
            context_tokens=context_tokens(self.config),
        )

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> MRTAgentLoopOutput:
        """One rollout of one dataset row; one that is lost its group outlives."""
        prompt_ids = await self.read_row(row)
        try:
            return await self.respond(prompt_ids, sampling_params, row)
        except TraceLost as error:
            logger.warning("a rollout is lost, its group trains on the others: %s", error)
            return self.make_lost(prompt_ids, sampling_params, row)

    async def read_row(self, row: dict[str, Any]) -> list[int]:
        """The prompt of the row that this loop rolls out; verl makes a loop for each rollout.

        Raises:
            ValueError: it holds what cannot be rolled out.
        """
        messages = list(row["raw_prompt"])
        self.inputs = await read_inputs(self, messages, row)
        self.engine.of_row = self.inputs.request
        images = {"images": self.inputs.images} if self.inputs.images else {}
        return await self.build_prompt(messages, **images)

    async def build_prompt(self, messages: list[dict[str, Any]], **images: Any) -> list[int]:
        """Token ids of the prompt; verl 0.9.0 has its token builder off unless told otherwise."""
        if self.continuous_token_builder is None and hasattr(self, "apply_chat_template"):
            return list(await self.apply_chat_template(messages, **images))
        return list(await self.ct_build_initial_tokens(messages, **images))

    async def respond(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """One rollout; validation rollouts are plain traces unless `mrt.val_branches`."""
        return await self.run_trace(prompt_ids, sampling_params, row)

    async def run_trace(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """A trace from the prompt with J at its boundaries; a validated one without, unless `mrt.val_branches`."""
        is_branching = self.settings.val_branches or not row.get("mrt_validate", False)
        rolled_out = await self.roll_out(prompt_ids, sampling_params, row, "trace", is_branching=is_branching)
        return self.make_output(prompt_ids, rolled_out)

    async def roll_out(
        self,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        row: dict[str, Any],
        kind: str,
        *,
        is_branching: bool,
    ) -> RolledOut:
        """A trace from the prompt, as online.roll_out."""
        with self._shared.of_prompt(row["uid"], PromptBranches) as shared:
            branches = self._branches(shared, sampling_params, row)
            return await roll_out(
                *(self.rollout, prompt_ids, branches),
                lambda request_id: self.sample(prompt_ids, sampling_params, request_id, row, branches),
                kind=kind,
                is_branching=is_branching,
                pinned=lambda request_id: self._pinned(request_id, prompt_ids),
            )

    async def go_on(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any], trace: Trace, request_id: str
    ) -> tuple[Response, Sequence[Branches]]:
        """A trace continued to its end, and the branches that its insertions paid for."""
        with self._shared.of_prompt(row["uid"], PromptBranches) as shared:
            branches = self._branches(shared, sampling_params, row)
            response = await self.sample(prompt_ids, sampling_params, request_id, row, branches, trace)
        return response, branches.paid

    @contextlib.asynccontextmanager
    async def _pinned(self, request_id: str, prompt_ids: list[int]) -> AsyncIterator[Prover]:
        async with pinned(self.server_manager, request_id, prompt_ids) as replica:
            yield self.rollout.prover.on(self.engine.on(replica))

    async def sample(
        self,
        prompt_ids: list[int],
        sampling_params: dict[str, Any],
        request_id: str,
        row: dict[str, Any],
        branches: RolloutBranches,
        trace: Trace | None = None,
    ) -> Response:
        """A response, where the policy of `mrt.insertion` may ask for J: the boundaries find here what it asked for."""

        estimate = j_estimator(
            *(self.rollout, prompt_ids, branches, request_id),
            grader=self._grader,
            row=row,
        )
        return await self.rollout.sample(
            prompt_ids,
            sampling_params,
            request_id,
            trace=trace,
            purpose=f"rollout {row.get('session_id', 0)}",
            # what helps a validated trace must not know the reference answer
            estimate_j=None if row.get("mrt_validate", False) else estimate,
        )

    def _grader(self) -> AnswerGrader:
        return build_grader(self.tokenizer, self.settings, self.config.reward)

    def _branches(
        self, shared: PromptBranches, sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> RolloutBranches:
        references = as_references(row.get("reward_model", {}).get("ground_truth", ""))

        async def are_right(answers: Sequence[str]) -> list[bool]:
            return await self._grader().are_right(answers, row)

        return RolloutBranches(shared, sampling_params=sampling_params, references=references, are_right=are_right)

    def make_lost(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """What stands for a trace that did not come: a row that trains nothing and counts in no mean.

        An exception would do in verl's synchronous trainer, which trains on a group's survivors; the asynchronous ones
        throw the whole group away.
        """
        trace = Trace(has_log_probs=bool(sampling_params.get("logprobs")))
        if row.get("global_steps") is not None:
            weights = max(int(row["global_steps"]) - 1, 0)  # those that a prompt of this step is answered with
            trace.extra_fields = {"min_global_steps": weights, "max_global_steps": weights}
        record = lost_record(None if self.settings.trace_dir is None else self.tokenizer.decode(prompt_ids))
        return self.make_output(prompt_ids, RolledOut(trace, record, 0.0, ""))

    def make_output(self, prompt_ids: list[int], rolled_out: RolledOut) -> MRTAgentLoopOutput:
        """The rollout as verl wants it."""
        trace, record, seconds, _ = rolled_out
        eos, of_row = self.tokenizer.eos_token_id, self.inputs.output
        return make_output(prompt_ids, trace, record, of_row, eos_token_id=eos, trace_seconds=seconds)
