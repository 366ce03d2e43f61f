"""Traces worth reading: each episode with its progress as a colour and the forced answers at its end.

Colours are laid over the page's own background, so that they are right in light and in dark mode.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mrt_verl.evaluation import traces as of_trace
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import Answer, TraceRecord

LONGEST = 1500
"""Characters of an episode that are shown; of a longer one its middle is left out."""
ROUNDS = 3
"""Traces shown of each kind."""
GAIN, LOSS = (0, 114, 178), (213, 94, 0)
"""Blue and vermilion, of Okabe and Ito."""


@dataclass(frozen=True, slots=True)
class Vote:
    """Equal forced answers at one boundary."""

    text: str
    count: int
    is_right: bool
    weight: float | None = None
    """What they weigh in J together, where a prover weighs or scores answers."""


@dataclass(frozen=True, slots=True)
class ShownEpisode:
    """An episode as the page shows it."""

    number: int
    text: str
    tokens: int
    j: str
    progress: str
    colour: str
    """CSS colour: blue for a gain, vermilion for a loss, the stronger the larger."""
    votes: list[Vote]
    inserted: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A trace as the page shows it."""

    why: str
    run: str
    problem: int
    trace: int
    question: str
    reference: str
    j_before: str
    votes_before: list[Vote]
    episodes: list[ShownEpisode]
    own: Vote
    graded: str
    """Why the final answer was graded so."""
    response_tokens: int
    gain: float
    """Largest progress of an episode; what a reader may sort by, like the next two."""
    loss: float
    tail: int
    """Tokens after J first reached 0.9."""


def pick_examples(run: Run) -> list[Example]:
    """Different traces of a run: the extreme one of each kind, then as many again, the next ones of each kind."""
    records = [record for problem in run.problems for record in problem if record.episodes]
    kinds: Sequence[tuple[str, Callable[[TraceRecord], float]]] = (
        ("The largest gain of one episode", lambda r: largest_gain(r)),
        ("The largest loss of one episode", lambda r: largest_loss(r)),
        ("The most tokens after J ≥ 0.9", lambda r: float(of_trace.overthinking_tokens(r))),
        ("The most thinking without a right answer", lambda r: r.think_tokens * float(r.own.score <= 0)),
    )
    further = [(f"{why}, number {rank}", value) for rank in range(2, ROUNDS + 1) for why, value in kinds]
    picked: list[Example] = []
    taken: set[tuple[int, int]] = set()
    for why, value in [*kinds, *further]:
        best = max((r for r in records if (r.problem, r.trace) not in taken), key=value, default=None)
        if best is not None and value(best) > 0:
            taken.add((best.problem, best.trace))
            picked.append(show(best, run.name, why))
    return picked


def largest_gain(record: TraceRecord) -> float:
    """Of an episode's progress; 0 without any."""
    return max((value for _, value in of_trace.progress(record)), default=0.0)


def largest_loss(record: TraceRecord) -> float:
    """Of an episode's progress, as a positive number; 0 without any."""
    return -min((value for _, value in of_trace.progress(record)), default=0.0)


def why_graded(record: TraceRecord) -> str:
    """The reason of the own answer's grade, in words."""
    own = record.own
    if not record.closed:
        return "the thinking was never closed, so there is no final answer"
    cut = "" if own.finished else ", and the response was cut off by the token budget"
    reasons = {
        "right": f"it equals the reference {record.reference}",
        "wrong": f"it does not equal the reference {record.reference}",
        "no_answer": "no answer was found after the thinking",
        "timeout": "grading took too long; it counts as unknown",
        "error": "grading failed; it counts as unknown",
    }
    return reasons.get(own.verdict, own.verdict) + cut


def show(record: TraceRecord, run: str, why: str) -> Example:
    """A trace in words."""
    progress = dict(of_trace.progress(record))
    own = record.own
    last = record.j_before
    episodes = []
    for index, episode in enumerate([*record.episodes, *record.extension]):
        is_inserted = index >= len(record.episodes)
        value = progress.get(index)
        if is_inserted and episode.j is not None and last is not None:
            value = episode.j - last
        last = episode.j if episode.j is not None else last
        episodes.append(
            ShownEpisode(
                number=index + 1,
                text=shorten(episode.text.strip("\n")),
                tokens=episode.end - episode.start,
                j=number(episode.j),
                progress=number(value, "+.2f"),
                colour=colour_of(value),
                votes=count_votes(episode.forced),
                inserted=is_inserted,
            )
        )
    return Example(
        why=why,
        run=run,
        problem=record.problem,
        trace=record.trace,
        question="\n".join(message["content"] for message in record.messages),
        reference=str(record.reference),
        j_before=number(record.j_before),
        votes_before=count_votes(record.before),
        episodes=episodes,
        own=Vote(own.extracted or "no answer", 1, own.score > 0),
        graded=why_graded(record),
        response_tokens=record.response_tokens,
        gain=largest_gain(record),
        loss=largest_loss(record),
        tail=of_trace.overthinking_tokens(record),
    )


def count_votes(answers: Sequence[Answer], most: int = 5) -> list[Vote]:
    """Equal answers together, the most frequent first; of many, the rarer wrong ones as one."""
    right = {answer.extracted: answer.score > 0 for answer in answers}
    counted = Counter(answer.extracted for answer in answers).most_common()
    weights: dict[str | None, float] = {}
    for answer in answers:
        if answer.weight is not None:
            weights[answer.extracted] = weights.get(answer.extracted, 0.0) + answer.weight
    shown = [pair for rank, pair in enumerate(counted) if rank < most or right[pair[0]]]
    votes = [Vote(shorten(text or "no answer", 60), count, right[text], weights.get(text)) for text, count in shown]
    others = [count for text, count in counted if (text, count) not in shown]
    return [*votes, Vote(f"{len(others)} others", sum(others), False)] if others else votes


def colour_of(progress: float | None) -> str:
    """CSS colour of a progress in [-1, 1], to lie over a background: none for 0, never so strong that text suffers."""
    if progress is None:
        return "rgba(128, 128, 128, 0.12)"
    strength = min(1.0, abs(progress)) ** 0.7 * 0.55  # small progress is the rule and must be seen
    red, green, blue = GAIN if progress > 0 else LOSS
    return f"rgba({red}, {green}, {blue}, {strength:.2f})"


def shorten(text: str, most: int = LONGEST) -> str:
    """The text, its middle left out where it is too long."""
    return text if len(text) <= most else f"{text[: most // 2]} […] {text[-most // 2 :]}"


def number(value: float | None, form: str = ".2f") -> str:
    """A number, or that it is unknown."""
    return "unknown" if value is None else format(value, form).replace("-", "\N{MINUS SIGN}")
