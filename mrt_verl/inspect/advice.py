"""The settings that fit a model, each with its reason; what is not listed is left at its default."""

from dataclasses import dataclass

from mrt_verl.grading.text.boxes import in_box
from mrt_verl.inspect.findings import Findings
from mrt_verl.inspect.forced import REFERENCE

FEW = 0.7
"""Share of traces with a single episode from which markers find too little."""
SHORT_TRACE = 2000
"""Tokens up to which scoring a reference is cheap (docs/provers.md)."""
ONE_FORM = 0.6
"""Share of the answers in one form from which a scored reference speaks for them."""
READABLE = 0.8
LEAST_SIGNAL = 0.03
"""Standard deviation of progress below which there is nothing to credit."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting."""

    override: str
    """As on a training run's command line."""
    reason: str


def propose(found: Findings) -> list[Proposal]:
    """What to set for this model, in the order in which it matters."""
    return [*_episodes(found), *_answers(found), *_prover(found)]


def verdict(found: Findings) -> str:
    """Whether MRT has anything to offer here, in one sentence."""
    signal = found.signal
    if found.without_thinking == 1.0:
        return "no trace thinks: MRT has nothing to credit here; set the tags that this model writes (mrt_family)"
    if signal.j_before > 0.9:
        return "the model is right without thinking: MRT has little to offer on these problems"
    if signal.accuracy == 0.0 and signal.j_last == 0.0:
        return "no answer is ever right: neither MRT nor GRPO can learn from these problems; take easier ones"
    if signal.true_std < LEAST_SIGNAL:
        return (
            f"progress without noise is {signal.true_std:.3f}: MRT has little to offer here, thinking hardly changes "
            "the chance of success"
        )
    return (
        f"episodes differ in progress by {signal.true_std:.2f} beyond noise, and {signal.progress_groups:.0%} of the "
        "groups would train on progress alone: MRT has something to credit here"
    )


def _episodes(found: Findings) -> list[Proposal]:
    openings, settings = found.openings, found.settings
    if settings.episodes != "markers" or not found.traces or found.without_thinking == 1.0:
        return []
    if found.single_share >= FEW:
        reason = f"{found.single_share:.0%} of the traces are one episode under markers; "
        if openings.paragraphs_mean >= 3 and openings.numbered_share >= 0.5:
            return [
                Proposal("mrt.episodes=steps", reason + f"{openings.numbered_share:.0%} of the paragraphs are numbered")
            ]
        if openings.paragraphs_mean >= 3:
            return [
                Proposal("mrt.episodes=paragraphs", reason + f"they have {openings.paragraphs_mean:.1f} paragraphs")
            ]
        every = max(round(found.think_tokens / settings.max_episodes), settings.min_episode_tokens, 1)
        return [Proposal(f"mrt.episodes=tokens:{every}", reason + "they have no paragraphs either")]
    missing = [word for word in openings.others if found.episodes_mean < 3]
    if missing:
        words = ",".join(repr(word) for word in [*settings.markers, *missing[:4]])
        return [
            Proposal(f'mrt.markers="[{words}]"', f"{', '.join(missing[:4])} open paragraphs often and are no markers")
        ]
    return []


def _answers(found: Findings) -> list[Proposal]:
    forced, proposals = found.forced, []
    if forced.count and forced.readable_share < READABLE:
        proposals.append(
            Proposal(
                "mrt.stop_text=…",
                f"only {forced.readable_share:.0%} of the forced answers can be read; word it as this model answers",
            )
        )
    if forced.count and forced.finished_share < READABLE:
        longer = 2 * found.settings.branch_max_tokens
        proposals.append(
            Proposal(
                f"mrt.branch_max_tokens={longer}", f"only {forced.finished_share:.0%} of the answers end by themselves"
            )
        )
    return proposals


def _prover(found: Findings) -> list[Proposal]:
    form, share = found.forced.main_form
    default = in_box(found.settings.stop_text, REFERENCE)
    if found.settings.outcome != "math_verify" or found.response_tokens > SHORT_TRACE or share < ONE_FORM:
        reason = (
            "traces are long"
            if found.response_tokens > SHORT_TRACE
            else f"no form of writing has more than {share:.0%}"
        )
        return [Proposal("mrt.prover=ht", f"{reason}: sampled answers cost least and miss no spelling")]
    proposals = [Proposal("mrt.prover=likelihood", f"short traces, and {share:.0%} of the answers are written alike")]
    if form != default:
        text = form.replace('"', '\\"')
        proposals.append(
            Proposal(f'mrt.reference_text="{text}"', f"that is how {share:.0%} of the answers are written")
        )
    return proposals
