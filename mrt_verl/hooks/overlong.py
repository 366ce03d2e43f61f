"""DAPO's soft punishment of overlong responses, on the outcome alone: J, progress and `acc` know nothing of it."""

from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class OverlongBuffer:
    """`reward.reward_kwargs.overlong_buffer_cfg`, as verl's dapo reward manager reads it."""

    start: int
    """Response tokens up to which nothing is taken off."""
    length: int
    """Tokens after which the whole factor is taken off."""
    factor: float
    log: bool

    @classmethod
    def from_config(cls, reward: Any) -> Self | None:
        """The run's buffer, None where it is off; checks.identity has refused one that cannot work."""
        kwargs = reward.get("reward_kwargs") or {}
        node = kwargs.get("overlong_buffer_cfg")
        if node is None or not node.get("enable"):
            return None
        length = int(node["len"])
        start = int(kwargs["max_resp_len"]) - length
        return cls(start, length, float(node.get("penalty_factor", 1.0)), bool(node.get("log", False)))

    def penalty(self, response_tokens: int) -> float:
        """min(0, -(tokens - start) / length · factor), added to the outcome reward."""
        return min(-(response_tokens - self.start) / self.length * self.factor, 0.0)
