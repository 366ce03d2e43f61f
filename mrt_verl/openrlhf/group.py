"""The rollouts of one prompt under OpenRLHF: sampled, graded and paid together.

An executor is called once for each of them and is not told which it is, of how many, nor for what. All n calls of a
prompt are started together and given one SamplingParams object, which is theirs alone, and OpenRLHF waits for all of
them before it goes on: so the group is known by that object, and whole after one turn of the event loop.
"""

import asyncio
import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mrt_verl.branching import PromptBranches, RolloutBranches
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.grading.comparison import as_references
from mrt_verl.online import RolledOut, j_estimator, roll_out
from mrt_verl.prefix import MODES
from mrt_verl.provers import Branches
from mrt_verl.rollout import Response, Rollout
from mrt_verl.rollout_grading import grade_rollout
from mrt_verl.rollout_record import lost_record
from mrt_verl.trace import Trace, TraceLost

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Graded:
    """A graded rollout."""

    rolled_out: RolledOut
    score: float
    """Of its own answer; 0 where it is lost or not graded."""


def read_row(label: Any) -> dict[str, Any]:
    """A row of verl's data from OpenRLHF's label: a reference answer, several, or verl's column `reward_model`.

    As a mapping it may hold `data_source` and `extra_info` too, for a reward function.

    Raises:
        ValueError: it holds no reference answer.
    """
    fields = dict(label) if isinstance(label, Mapping) else {"ground_truth": label}
    truth = fields.get("ground_truth")
    if not as_references(truth):
        raise ValueError(
            f"label={label!r:.120}; allowed: a reference answer, several, or a mapping with `ground_truth`, in the "
            "column that --data.label_key names"
        )
    return {
        "reward_model": {"ground_truth": truth},
        "data_source": fields.get("data_source") or "openrlhf",
        "extra_info": fields.get("extra_info"),
    }


def make_trainable(trace: Trace, eos_token_id: int) -> Trace:
    """The trace; one without a sampled token, as that of a lost rollout, gets an end of sequence.

    OpenRLHF divides by the sampled tokens of a row, so there must be one.
    """
    if not any(trace.mask):
        trace.add_sampled([eos_token_id], None)
    return trace


class PromptGroup:
    """All rollouts of a prompt; of an evaluation, plain traces."""

    def __init__(
        self,
        rollout: Rollout,
        answers: AnswerGrader,
        prompt_ids: list[int],
        row: dict[str, Any],
        sampling_params: dict[str, Any],
        *,
        is_training: bool,
    ) -> None:
        self.rollout, self.answers, self.prompt_ids, self.row = rollout, answers, prompt_ids, row
        self.sampling_params, self.is_training = sampling_params, is_training
        self.shared = PromptBranches()

    async def roll_out(self, count: int) -> list[Graded]:
        """`count` graded rollouts; one that is lost its group outlives."""
        settings, tokenizer = self.rollout.settings, self.rollout.tokenizer
        group = None
        if settings.variant == "prefix" and self.is_training:
            mode = MODES[settings.prefix_mode]
            group = mode(self.rollout, count, self.prompt_ids, dict(self.sampling_params))

        async def one(session: int) -> Graded:
            try:
                found = await (group.roll_out(session, self) if group else self.trace(session, "trace"))
            except TraceLost as error:
                logger.warning("a rollout is lost, its group trains on the others: %s", error)
                record = lost_record(None if settings.trace_dir is None else tokenizer.decode(self.prompt_ids))
                return Graded(RolledOut(make_trainable(Trace(), tokenizer.eos_token_id), record, 0.0, ""), 0.0)
            own = await grade_rollout(self.answers, found.record, found.trace.ids, self.row)
            make_trainable(found.trace, tokenizer.eos_token_id)
            return Graded(found, own.score)

        return list(await asyncio.gather(*map(one, range(count))))

    async def trace(self, session: int, kind: str) -> RolledOut:
        """A trace from the prompt, as online.roll_out (and mrt_verl.prefix.Host)."""
        branches = self._branches()
        return await roll_out(
            *(self.rollout, self.prompt_ids, branches),
            lambda request_id: self._sample(request_id, session, branches),
            kind=kind,
            is_branching=self.is_training and self.rollout.settings.variant == "online",
        )

    async def go_on(self, trace: Trace, request_id: str, session: int) -> tuple[Response, Sequence[Branches]]:
        """A trace continued to its end, and the branches that its insertions paid for."""
        branches = self._branches()
        return await self._sample(request_id, session, branches, trace), branches.paid

    def _branches(self) -> RolloutBranches:
        references = as_references(self.row["reward_model"]["ground_truth"])
        return RolloutBranches(
            self.shared,
            sampling_params=self.sampling_params,
            references=references,
            are_right=functools.partial(self.answers.are_right, row=self.row),
        )

    async def _sample(
        self, request_id: str, session: int, branches: RolloutBranches, trace: Trace | None = None
    ) -> Response:
        estimate = j_estimator(
            *(self.rollout, self.prompt_ids, branches, request_id), grader=lambda: self.answers, row=self.row
        )
        return await self.rollout.sample(
            *(self.prompt_ids, self.sampling_params, request_id),
            trace=trace,
            purpose=f"rollout {session}",
            # what helps an evaluated trace must not know the reference answer
            estimate_j=estimate if self.is_training else None,
        )
