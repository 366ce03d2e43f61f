"""Whether a training run would take what is proposed: by the package's own checks, on the settings that come of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mrt_verl.inspect.findings import Findings
from mrt_verl.inspect.stop_texts import Tried, choose
from mrt_verl.inspect.words import merge_words, named_values, training_settings
from mrt_verl.parts import check_parts, stop_problems
from mrt_verl.setting_checks import texts_of
from mrt_verl.settings import MRTSettings

PROVERS = ("seen", "ht", "sample")
"""The default, then what takes its place where that is refused: `ht` after any stop text, `sample` in any variant."""


def refusal(settings: MRTSettings) -> str | None:
    """Why a training run would not take these settings; None if it would."""
    try:
        check_parts(settings)
    except ValueError as error:
        return str(error)
    return next(iter([*stop_problems(settings), *_interpolations(settings)]), None)


def is_allowed(settings: MRTSettings, **changes: Any) -> bool:
    """Whether a training run would take these settings after some changes."""
    try:
        return refusal(replace(settings, **changes)) is None
    except ValueError:
        return False  # a value that no setting has


def default_prover(settings: MRTSettings) -> str | None:
    """The prover to take where none is asked for: the first of PROVERS that these settings allow; None of none."""
    return next((name for name in PROVERS if is_allowed(settings, prover=name)), None)


def chosen(found: Findings) -> Tried | None:
    """The stop text to use, of those that training takes with the prover asked for; None where none were tried."""
    if not found.tried:
        return None
    as_set, *others = found.tried
    allowed = [one for one in others if is_allowed(found.settings, stop_text=one.text, prover=found.prover or "sample")]
    return choose([as_set, *allowed])


def check_stop_text(settings: MRTSettings, text: str) -> None:
    """Raises ValueError: a stop text to try is one that training refuses."""
    problem = refusal(replace(settings, stop_text=text))
    if problem is not None:
        raise ValueError(f"--stop-text: {problem}")


def asked_settings(files: Sequence[Path], words: Sequence[str]) -> MRTSettings:
    """The settings of a training run with these words beside some files; a default prover if they name none.

    Raises:
        ValueError: a setting does not exist or is not allowed.
    """
    settings = training_settings(files, words)
    if "prover" in named_values(files, words):
        return settings
    return replace(settings, prover=default_prover(settings) or PROVERS[0])


def problem_with(files: Sequence[Path], words: Sequence[str]) -> str | None:
    """Why a training run would not take these words of a command line beside some files; None if it would."""
    try:
        settings = asked_settings(files, words)
    except ValueError as error:
        return str(error)
    if "mrt_family=plain" in words and settings.think_close is not None:
        named = ", ".join(map(str, files))
        return f"mrt.think_close={settings.think_close!r} in {named}, which wins; allowed: a file without tags"
    return refusal(settings)


def refused_words(files: Sequence[Path], given: Sequence[str], proposed: Sequence[str]) -> dict[str, str]:
    """{word: why training would refuse it} of the proposed words that it would; the others can be pasted together."""
    if problem_with(files, merge_words(given, proposed)) is None:
        return {}
    kept: list[str] = []
    refused: dict[str, str] = {}
    for word in proposed:
        problem = problem_with(files, merge_words(given, [*kept, word]))
        if problem is None:
            kept.append(word)
        else:
            refused[word] = problem
    return refused


def _interpolations(settings: MRTSettings) -> Iterator[str]:
    """Escaped it would reach Hydra, but verl resolves its config anew, and reads it as an interpolation then."""
    for key in ("stop_text", "reference_text", "markers"):
        for text in texts_of(getattr(settings, key)):
            if "${" in text:
                yield f"mrt.{key}={text!r}; allowed: a text without ${{, which verl's config reads as an interpolation"
