"""How long sampling took, beside the records."""

from dataclasses import dataclass


@dataclass(slots=True)
class Timed:
    """What traces that think took, in seconds of the clock, beside what else the engine did."""

    traces: int = 0
    trace_seconds: float = 0.0
    """In which the responses were generated."""
    branch_seconds: float = 0.0
    """Further ones, until all their forced answers were graded."""

    def add(self, trace_seconds: float, branch_seconds: float) -> None:
        """One trace more."""
        self.traces += 1
        self.trace_seconds += trace_seconds
        self.branch_seconds += branch_seconds

    def means(self) -> tuple[float, float] | None:
        """(seconds of a trace, of its forced answers); None without any."""
        return (self.trace_seconds / self.traces, self.branch_seconds / self.traces) if self.traces else None
