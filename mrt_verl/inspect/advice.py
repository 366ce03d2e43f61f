"""The settings that fit a model, each with its reason; what is not listed is left at its default (pure)."""

import math
from dataclasses import dataclass, replace

from mrt_verl.inspect.allowed import chosen, default_prover, is_allowed
from mrt_verl.inspect.findings import Findings
from mrt_verl.inspect.forced import REFERENCE
from mrt_verl.inspect.words import quoted
from mrt_verl.provers.spelling import spell

FEW = 0.7
"""Share of traces with a single episode from which markers find too little."""
SHORT_TRACE = 2000
"""Tokens up to which scoring a reference is cheap (docs/provers.md)."""
SEEN_BY_SCORE = 0.6
"""Probability of a scored reference over that of a right answer, from which scoring speaks for the answers."""
READABLE = 0.8
LEAST_SIGNAL = 0.1
"""Standard deviation of progress beyond chance below which there is little to credit: J moves by a tenth."""
MUTE = 0.9
"""Share of traces without thinking from which the tags are at fault, not the model."""
SOMETHING = "MRT has something to credit here"
LEAST_J = 0.02
"""Below it a share of J says nothing."""
LEAST_PAIRS = 25
"""Successive episodes from which their autocorrelation says something: it is known to 2 / sqrt(25) = 0.4."""
UNDONE = -0.2
"""Autocorrelation of progress below which J goes up and down again (metric_table.py)."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting, or a remark where no value can be proposed."""

    override: str | None
    """As Hydra reads it; `words.shell_word` makes it one of a command line."""
    reason: str


def propose(found: Findings) -> list[Proposal]:
    """What to set for this model, in the order in which it matters."""
    if found.without_thinking >= MUTE:
        return [_thinking_tags(found)]
    return [*_episodes(found), *_answers(found), *_prover(found), *_credit(found)]


def verdict(found: Findings) -> str:
    """Whether MRT has anything to offer here, in one sentence."""
    signal = found.signal
    if found.without_thinking >= MUTE:
        few = "No trace thinks" if found.without_thinking == 1.0 else f"Only {1 - found.without_thinking:.0%} think"
        return f"{few}, as far as these tags tell: MRT has nothing to credit here"
    if signal.accuracy == 0.0 and signal.j_last == 0.0 and signal.j_before == 0.0:
        return "No answer is ever right: neither MRT nor GRPO can learn from these problems; take easier ones"
    if signal.j_before > 0.9:
        return "The model is right without thinking: MRT has little to offer on these problems"
    low, high = signal.true_range
    if high < LEAST_SIGNAL:
        return (
            f"Beyond chance, progress differs by {high:.2f} at most: MRT has little to offer here, thinking hardly "
            "changes the chance of success"
        )
    if signal.noise_std is None:
        return (
            "What chance does to progress is not known, for no two successive boundaries have two answers each: take "
            "more problems, more time or more branches"
        )
    if not low:
        return (
            f"Chance among the forced answers hides whether episodes differ ({signal.steps} episodes, progress beyond "
            f"chance between 0 and {high:.2f}): take more problems, more time or more branches"
        )
    if found.single_share >= FEW:
        return (
            f"{found.single_share:.0%} of the traces are one episode: MRT could credit little more than the outcome "
            "here, unless episodes are found otherwise"
        )
    return f"Episodes differ in progress by {signal.true_std:.2f} beyond chance (at least {low:.2f}): {SOMETHING}"


def is_worthwhile(found: Findings) -> bool:
    """Whether training with MRT is to be advised."""
    return verdict(found).endswith(SOMETHING)


def _thinking_tags(found: Findings) -> Proposal:
    if found.settings.think_close is None:
        return Proposal(None, "the responses are empty: look at the chat template and the sampling")
    return Proposal(
        "mrt_family=plain",
        f"{found.without_thinking:.0%} of the traces have nothing in {found.settings.think_open} … "
        f"{found.settings.think_close}: this takes the whole response for thinking. If the chat template closes the "
        "thinking itself, switch that off (Qwen3: enable_thinking); if the model writes other tags, name them by "
        "mrt.think_open and mrt.think_close",
    )


def _episodes(found: Findings) -> list[Proposal]:
    openings, settings = found.openings, found.settings
    if settings.episodes != "markers" or not found.traces:
        return []
    if found.single_share >= FEW:
        reason = f"{found.single_share:.0%} of the traces are one episode under markers; "
        if openings.paragraphs_mean >= 3 and openings.numbered_share >= 0.5:
            numbered = f"{openings.numbered_share:.0%} of the paragraphs are numbered"
            return [Proposal("mrt.episodes=steps", reason + numbered)]
        if openings.paragraphs_mean >= 3:
            paragraphs = f"they have {openings.paragraphs_mean:.1f} paragraphs"
            return [Proposal("mrt.episodes=paragraphs", reason + paragraphs)]
        every = max(round(found.think_tokens / settings.max_episodes), settings.min_episode_tokens, 1)
        return [Proposal(f"mrt.episodes=tokens:{every}", reason + "they have no paragraphs to go by either")]
    missing = [word for word in openings.others if found.episodes_mean < 3][:4]
    if missing:
        words = ", ".join(quoted(word) for word in [*settings.markers, *missing])
        return [Proposal(f"mrt.markers=[{words}]", f"{', '.join(missing)} open paragraphs often and are no markers")]
    return []


def _answers(found: Findings) -> list[Proposal]:
    forced, proposals = found.forced, []
    if (best := chosen(found)) is not None and best is not found.tried[0]:
        before = found.tried[0]
        agreement = "" if best.agreement is None else f", {before.agreement:.0%} → {best.agreement:.0%} agree with it"
        reason = f"{best.name}: {before.readable:.0%} → {best.readable:.0%} of the answers can be read{agreement}"
        proposals.append(Proposal(f"mrt.stop_text={quoted(best.text)}", reason))
    elif forced.count and forced.readable_share < READABLE:
        reason = (
            f"only {forced.readable_share:.0%} of the forced answers can be read, and no stop text tried is clearly "
            "better: word one as this model closes its own answers, and try it with --stop-text"
        )
        proposals.append(Proposal(None, reason))
    if forced.count and forced.finished_share < READABLE:
        longer = 2 * found.settings.branch_max_tokens
        reason = f"only {forced.finished_share:.0%} of the answers end by themselves"
        proposals.append(Proposal(f"mrt.branch_max_tokens={longer}", reason))
    return proposals


def _credit(found: Findings) -> list[Proposal]:
    """Which credit pays what lasts, where it is one of these two."""
    signal, credit = found.signal, found.settings.credit
    if signal.pairs < LEAST_PAIRS or credit not in ("progress", "median"):
        return []
    margin = 2 / math.sqrt(signal.pairs)
    measured = f"progress from one episode to the next has autocorrelation {signal.lag1:+.2f} ± {margin:.2f}"
    if signal.lag1 < UNDONE:
        reason = f"{measured}: J goes up and down again, and progress pays for both; median pays for what stays"
        return [Proposal("mrt.credit=median", reason)]
    if credit == "progress":
        return []
    reason = f"the default; {measured}: J mostly stays, so that mrt.credit=progress, the paper's, pays about the same"
    return [Proposal("mrt.credit=median", reason)]


def _prover(found: Findings) -> list[Proposal]:
    """The default, or for short traces whose reference is spelled as the model spells it what draws nothing.

    A prover that was asked for stays. What is proposed is allowed after the stop text that is proposed.
    """
    if found.prover is not None:
        return []
    best = chosen(found)
    settings = found.settings if best is None else replace(found.settings, stop_text=best.text)
    if (name := default_prover(settings)) is None:
        return []
    default = [Proposal(f"mrt.prover={name}", _why(name, found))]
    form, share = max(found.scored.items(), key=lambda pair: pair[1], default=("", 0.0))
    right = best.right if best else found.signal.j_last
    if not form or found.response_tokens > SHORT_TRACE or right < LEAST_J or share < SEEN_BY_SCORE * right:
        return default
    if not is_allowed(settings, prover="pooled", reference_text=form):
        return default
    reason = (
        f"short traces, and the reference as this model writes it has probability {share:.2f} where sampled answers "
        f"are right with {right:.2f}: nothing need be drawn"
    )
    proposals = [Proposal("mrt.prover=pooled", reason)]
    if [form] != spell(settings.stop_text, settings.reference_text, [REFERENCE]):
        proposals.append(Proposal(f"mrt.reference_text={quoted(form)}", "that is how most answers are written"))
    return proposals


def _why(name: str, found: Findings) -> str:
    """Why a prover stands where none was asked for."""
    if name == "seen":
        return f"the default, one answer a boundary: {found.price.get('seen, G = 1', 0.0):.0%} more tokens"
    if name == "ht":
        price = next((share for kind, share in found.price.items() if kind.startswith("sample or ht")), 0.0)
        return (
            f"four answers a boundary, for the default cannot read what follows this stop text: {price:.0%} more tokens"
        )
    return f"the one that mrt.variant={found.settings.variant} takes"
