"""Traces worth reading: each episode with its progress as a colour and the forced answers at its end."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mrt_verl.evaluation import traces as of_trace
from mrt_verl.evaluation.load import Run
from mrt_verl.evaluation.records import Answer, TraceRecord

LONGEST = 1500
"""Characters of an episode that are shown; of a longer one its middle is left out."""
GAIN, LOSS = (0, 114, 178), (213, 94, 0)
"""Blue and vermilion, of Okabe and Ito."""


@dataclass(frozen=True, slots=True)
class Vote:
    """Equal forced answers at one boundary."""

    text: str
    count: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class ShownEpisode:
    """An episode as the page shows it."""

    number: int
    text: str
    tokens: int
    j: str
    progress: str
    colour: str
    """CSS background: blue for a gain, vermilion for a loss, the stronger the larger."""
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
    response_tokens: int


def pick_examples(run: Run) -> list[Example]:
    """Up to four different traces of a run, each the extreme one of its kind."""
    records = [record for problem in run.problems for record in problem if record.episodes]
    kinds: Sequence[tuple[str, Callable[[TraceRecord], float]]] = (
        ("The largest gain of one episode", lambda r: max((v for _, v in of_trace.progress(r)), default=0.0)),
        ("The largest loss of one episode", lambda r: -min((v for _, v in of_trace.progress(r)), default=0.0)),
        ("The most tokens after J ≥ 0.9", lambda r: float(of_trace.overthinking_tokens(r))),
        ("The most thinking without a right answer", lambda r: r.think_tokens * float(r.own.score <= 0)),
    )
    picked: list[Example] = []
    taken: set[tuple[int, int]] = set()
    for why, value in kinds:
        best = max((r for r in records if (r.problem, r.trace) not in taken), key=value, default=None)
        if best is not None and value(best) > 0:
            taken.add((best.problem, best.trace))
            picked.append(show(best, run.name, why))
    return picked


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
        response_tokens=record.response_tokens,
    )


def count_votes(answers: Sequence[Answer], most: int = 5) -> list[Vote]:
    """Equal answers together, the most frequent first; of many, the rarer wrong ones as one."""
    right = {answer.extracted: answer.score > 0 for answer in answers}
    counted = Counter(answer.extracted for answer in answers).most_common()
    shown = [pair for rank, pair in enumerate(counted) if rank < most or right[pair[0]]]
    votes = [Vote(shorten(text or "no answer", 60), count, right[text]) for text, count in shown]
    others = [count for text, count in counted if (text, count) not in shown]
    return [*votes, Vote(f"{len(others)} others", sum(others), False)] if others else votes


def colour_of(progress: float | None) -> str:
    """CSS colour of a progress in [-1, 1]: white for none, fully coloured at the ends, always light enough for text."""
    if progress is None:
        return "#f2f2f2"
    strength = min(1.0, abs(progress)) ** 0.7 * 0.55  # small progress is the rule and must be seen
    base = GAIN if progress > 0 else LOSS
    return "#" + "".join(f"{round(255 + (channel - 255) * strength):02x}" for channel in base)


def shorten(text: str, most: int = LONGEST) -> str:
    """The text, its middle left out where it is too long."""
    return text if len(text) <= most else f"{text[: most // 2]} […] {text[-most // 2 :]}"


def number(value: float | None, form: str = ".2f") -> str:
    """A number, or that it is unknown."""
    return "unknown" if value is None else format(value, form).replace("-", "\N{MINUS SIGN}")
