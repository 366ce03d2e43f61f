"""What one rollout hands to the reward manager and to the metrics: typed parts, each filled by one party.

In memory the parts are apart; on the wire (Ray, verl's reward info) a record is one flat dict of their fields. What a
trace file of `mrt.trace_dir` holds of it is in trace_rows.py.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from mrt_verl.provers.base import Branches, ForcedAnswer

LOST = "lost"
"""Kind of a rollout whose trace the engine did not answer in time: it has one token, which is not trained."""
RECORD = "mrt"
"""Key of the record in verl's `extra_fields` and `reward_extra_info`."""


@dataclass(slots=True)
class ResponsePart:
    """What was sampled, by the rollout; positions are tokens of the response."""

    episodes: list[tuple[int, int, int]]
    """Per episode (start, marker_end, end); see episodes.Episode."""
    answer_start: int | None
    """First token of the final answer, or None where the thinking was never closed: no final answer."""
    finished: bool
    """Whether the response ended by itself, not by the token budget."""
    think_tokens: int
    response_tokens: int
    markers: int
    """Switch markers that open a step, before tiny episodes are merged."""
    prompt_tokens: int = 0
    kind: str = "trace"
    """`trace`, or in the prefix variant `continued`, `one_episode`, `forced` and `fallback` (a plain trace for want of
    a prefix); LOST in both."""
    prefix_tokens: int = 0
    """Tokens of the shared prefix that the response starts with (prefix variant)."""
    inserted_tokens: int = 0
    """Tokens of the response that were written for the policy (response_mask 0)."""
    prompt_text: str | None = None
    episode_texts: list[str] | None = None
    """Both only if traces are logged (`mrt.trace_dir`)."""


@dataclass(slots=True)
class BranchPart:
    """Forced answers and what they cost, by the prover."""

    forced: list[list[ForcedAnswer]] = field(default_factory=list)
    """Per boundary its forced answers; [] where nothing was branched."""
    forced_before: list[ForcedAnswer] = field(default_factory=list)
    """Forced answers before the first episode, shared by the rollouts of a prompt (J_{-1}, or J_j of a prefix)."""
    answer_tokens: list[float] = field(default_factory=list)
    """Per boundary the mean tokens of a forced answer, the stop text included, whoever paid for it."""
    before_tokens: float = 0.0
    """The same of `forced_before`."""
    own_is_sample: bool = False
    """Whether the trace's own answer is one sample of the last boundary's J."""
    shared_tokens: int = 0
    """Tokens sampled to find a shared prefix, counted at the rollout that started them."""
    branch_tokens: int = 0
    """Generated tokens of all branches this rollout paid for."""
    branch_prompt_tokens: int = 0
    branch_cached_tokens: int = 0
    branch_failures: int = 0
    branch_seconds: float = 0.0
    """Wall-clock between the end of the trace and the last forced answer."""

    def add_cost(self, branches: Iterable[Branches]) -> None:
        """Count some branches as paid for by this rollout."""
        for branch in branches:
            self.branch_tokens += branch.tokens
            self.branch_prompt_tokens += branch.prompt_tokens
            self.branch_cached_tokens += branch.cached_tokens
            self.branch_failures += branch.failures


@dataclass(slots=True)
class ValuePart:
    """Outcome, J and progress, by value_estimates.estimate_values."""

    outcome: float | None = None
    """None before grading, and where grading timed out or failed: such a rollout is left out of its group."""
    j_before: float | None = None
    js: list[float | None] = field(default_factory=list)
    """J per boundary; None where no branch of it is left."""
    progress: list[tuple[int, int, float]] = field(default_factory=list)
    """Per rewarded step (first episode, boundary, progress); see progress.ProgressStep."""
    alpha: float = 0.0
    """Weight of the bonus under which the rewards are laid out."""


@dataclass(slots=True)
class GradingPart:
    """What grading this rollout's answers cost and could not tell, by the reward manager."""

    answers: int = 0
    """Answers graded, final and forced."""
    grade_seconds: float = 0.0
    grade_timeouts: int = 0
    grade_errors: int = 0
    no_answers: int = 0
    timeout_example: str | None = None
    """The end of an answer whose grading timed out."""
    error_example: str | None = None
    """What went wrong where grading an answer failed."""
    grader: dict[str, Any] = field(default_factory=dict)
    """`worker` and the counters of its grading.GraderStats when this rollout was graded."""


@dataclass(slots=True)
class TextPart:
    """What a person reads of a rollout, by the reward manager; there only if traces are logged (`mrt.trace_dir`)."""

    uid: str
    """verl's, the same for the rollouts of a prompt in a step."""
    data_source: str
    problem: str
    """The prompt's last message; the whole prompt where the row holds no messages."""
    reference: Any
    lead_text: str
    """The response up to its first episode; all of it where there is none."""
    rest_text: str
    """The response after its last episode: the closing tag and the final answer."""
    extracted: str | None
    """The answer that was found in the final answer."""
    verdict: str
    """grading.Verdict of the final answer."""
    detail: str
    """Why there is no verdict, where there is none."""
    forced_verdicts: list[list[str]] = field(default_factory=list)
    """Per boundary those of BranchPart.forced."""
    before_verdicts: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RolloutRecord:
    """One rollout; plain values only, since it travels as a dict and as a JSON string."""

    response: ResponsePart
    branches: BranchPart = field(default_factory=BranchPart)
    values: ValuePart = field(default_factory=ValuePart)
    grading: GradingPart = field(default_factory=GradingPart)
    texts: TextPart | None = None

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> "RolloutRecord":
        """The record of a flat dict; fields it lacks have their defaults.

        Raises:
            TypeError: a field without default is missing.
        """

        def own(kind: type) -> dict[str, Any]:
            return {one.name: row[one.name] for one in fields(kind) if one.name in row}

        record = cls(
            ResponsePart(**own(ResponsePart)),
            BranchPart(**own(BranchPart)),
            ValuePart(**own(ValuePart)),
            GradingPart(**own(GradingPart)),
            TextPart(**texts) if (texts := row.get("texts")) else None,
        )
        # JSON knows no tuples
        record.response.episodes = [(start, marker_end, end) for start, marker_end, end in record.response.episodes]
        record.values.progress = [(first, boundary, value) for first, boundary, value in record.values.progress]
        record.branches.forced = [[ForcedAnswer(*a) for a in answers] for answers in record.branches.forced]
        record.branches.forced_before = [ForcedAnswer(*answer) for answer in record.branches.forced_before]
        return record

    def to_dict(self) -> dict[str, Any]:
        """All parts' fields in one flat dict; the texts, where there are any, as one value."""
        return {
            **asdict(self.response),
            **asdict(self.branches),
            **asdict(self.values),
            **asdict(self.grading),
            **({"texts": asdict(self.texts)} if self.texts is not None else {}),
        }

    @classmethod
    def from_json(cls, text: str) -> "RolloutRecord":
        return cls.from_dict(json.loads(text))

    def to_json(self) -> str:
        return json.dumps(self.to_dict())


def lost_record(prompt_text: str | None = None) -> RolloutRecord:
    """Of a rollout that did not come.

    Args:
        prompt_text: where traces are logged (`mrt.trace_dir`).
    """
    texts: dict[str, Any] = {} if prompt_text is None else {"prompt_text": prompt_text, "episode_texts": []}
    return RolloutRecord(
        ResponsePart([], None, False, think_tokens=0, response_tokens=0, markers=0, kind=LOST, **texts)
    )
