"""What one rollout hands to the reward manager and to the metrics, beside the tokens verl knows."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class RolloutRecord:
    """Plain values only: it travels through Ray as a dict and through verl's reward info as a JSON string."""

    episodes: list[tuple[int, int, int]]
    """Per episode (start, marker_end, end), token positions in the response; see episodes.Episode."""
    answer_start: int | None
    """First token of the final answer, or None where the thinking was never closed: no final answer."""
    finished: bool
    """Whether the response ended by itself, not by the token budget."""
    think_tokens: int
    response_tokens: int
    markers: int
    """Switch markers that open a step, before tiny episodes are merged."""
    forced: list[list[tuple[str, bool, float | None]]] = field(default_factory=list)
    """Per boundary its prover.ForcedAnswer; [] where nothing was branched."""
    forced_before: list[tuple[str, bool, float | None]] = field(default_factory=list)
    """Forced answers before the first episode, shared by the rollouts of a prompt (J_{-1}, or J_j of a prefix)."""
    own_is_sample: bool = False
    """Whether the trace's own answer is one sample of the last boundary's J."""
    kind: str = "trace"
    """`trace`, or in the prefix variant `continued`, `forced` and `fallback` (a plain trace for want of a prefix)."""
    prefix_tokens: int = 0
    """Tokens of the shared prefix that the response starts with (prefix variant)."""
    shared_tokens: int = 0
    """Tokens sampled to find that prefix, counted at the rollout that started them."""
    branch_tokens: int = 0
    """Generated tokens of all branches this rollout paid for."""
    branch_prompt_tokens: int = 0
    branch_cached_tokens: int = 0
    branch_failures: int = 0
    inserted_tokens: int = 0
    """Tokens of the response that were written for the policy (response_mask 0)."""
    branch_seconds: float = 0.0
    """Wall-clock between the end of the trace and the last forced answer."""
    prompt_text: str | None = None
    episode_texts: list[str] | None = None
    """Both only if traces are logged (`mrt.trace_dir`)."""
    # filled in by the reward manager
    outcome: float | None = None
    j_before: float | None = None
    js: list[float | None] = field(default_factory=list)
    """J per boundary; None where no branch of it is left."""
    progress: list[tuple[int, int, float]] = field(default_factory=list)
    """Per rewarded step (first episode, boundary, progress); see progress.ProgressStep."""
    alpha: float = 0.0
    answers: int = 0
    """Answers graded, final and forced."""
    grade_seconds: float = 0.0
    grade_timeouts: int = 0
    grade_errors: int = 0
    no_answers: int = 0
    timeout_example: str | None = None
    """The end of an answer whose grading timed out."""
    grader: dict[str, Any] = field(default_factory=dict)
    """`worker` and the counters of its grading.GraderStats when this rollout was graded."""

    @classmethod
    def from_json(cls, text: str) -> "RolloutRecord":
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def spans(self) -> list[tuple[int, int]]:
        """Tokens each rewarded step's bonus falls on: behind the marker that opens it, through what ends it.

        Ending an episode, by the next marker or by closing the thinking, is its last decision and carries its bonus.
        Without it a policy is paid for whatever else it writes behind an episode that made progress, and within 20
        updates it no longer writes markers nor closes its thinking.
        """
        starts = [marker_end for _, marker_end, _ in self.episodes]
        think_end = max((end for *_, end in self.episodes), default=0)
        ends = [*starts[1:], max(think_end, self.answer_start or 0)]
        return [(starts[first], ends[boundary]) for first, boundary, _ in self.progress]

    def add_branches(self, branches: Sequence[Any]) -> None:
        """Add the cost of some prover.Branches."""
        for branch in branches:
            self.branch_tokens += branch.tokens
            self.branch_prompt_tokens += branch.prompt_tokens
            self.branch_cached_tokens += branch.cached_tokens
            self.branch_failures += branch.failures
