"""The whole inspection: sample, try stop texts, propose, look once more under the proposal, and tell."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.config import EvaluationConfig, evaluation_settings
from mrt_verl.evaluation.engines import VLLMEngine
from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.options import sampling_fields
from mrt_verl.evaluation.reporting import report
from mrt_verl.evaluation.settings import describe_run, read_settings
from mrt_verl.evaluation.stored import read_records
from mrt_verl.grading.text.boxes import in_box
from mrt_verl.inspect.advice import Proposal, is_worthwhile, propose, verdict
from mrt_verl.inspect.allowed import check_stop_text, chosen, refused_words
from mrt_verl.inspect.asked import read_asked
from mrt_verl.inspect.describe import describe_findings, print_table, stop_text_table
from mrt_verl.inspect.findings import Findings, read_findings
from mrt_verl.inspect.forced import REFERENCE
from mrt_verl.inspect.references import score_references
from mrt_verl.inspect.session import Session
from mrt_verl.inspect.stop_texts import Tried, candidates, find_places, try_stop_text
from mrt_verl.inspect.words import merge_words, pasted_words, shell_word
from mrt_verl.provers.spelling import spell
from mrt_verl.settings import MRTSettings
from mrt_verl.whole import write_text

ASKED, PROPOSED = "as-set", "proposed"
PLACES = 24
"""Prefixes after which stop texts are tried."""
DIRECT = 4
"""Answers without thinking per problem."""
RECUT = ("mrt.episodes=", "mrt.markers=", "mrt.stop_text=", "mrt_family=")
"""Proposals under which the same traces look different."""
FIRST, TRY, LAST = 0.5, 0.75, 1.0
"""Shares of the session's time after which no more traces are begun, stop texts tried, traces looked at once more."""


async def inspect_model(options: argparse.Namespace) -> None:
    """Print and write what MRT would find in a model.

    Raises:
        ValueError, RuntimeError: a setting or the data cannot be used, or a trace could not be sampled.
    """
    prover, sampling = read_asked(options)
    if prover not in (None, evaluation_settings().prover):
        print(f"mrt.prover={prover} is for training; here J is the mean of plain samples, whose noise is known")
    config = EvaluationConfig(
        models={ASKED: options.model},
        data=options.data,
        budgets=[options.response_tokens],
        out=options.out,
        traces=options.traces,
        problems=options.problems,
        direct_answers=DIRECT,
        **sampling_fields(sampling),
    )
    given = [text.replace("\\n", "\n") for text in options.stop_text]
    for text in given:
        check_stop_text(replace(config.settings, prover=prover or config.settings.prover), text)
    async with Session(config, options.minutes, stop_texts=given) as session:
        directory = await session.sample(ASKED, config.settings, share=FIRST)
        found = replace(read_run(directory, config.settings, prover), branch_time=session.timed.means())
        found = await try_answers(session, directory, found, given)
        tell(found)
        proposals = only_allowed(options, propose(found))
        recut = [one for one in proposals if one.override and one.override.startswith(RECUT)]
        if recut:
            words = [one.override for one in recut if one.override]
            print(f"\nonce more the same traces, with {' '.join(map(shell_word, words))}", flush=True)
            settings = read_settings(options.settings, merge_words(sampling.overrides, words))
            directory, found = await look_again(session, directory, found, settings)
            further = [one for one in propose(found) if not (one.override or "").startswith(RECUT)]
            proposals = only_allowed(options, [*recut, *further])
    write(options, directory, found, proposals)


async def look_again(
    session: Session, directory: Path, found: Findings, settings: MRTSettings
) -> tuple[Path, Findings]:
    """The same traces cut and answered by other settings; what was tried is kept if it is about their stop text."""
    traces = {(one.problem, one.trace): one for one in read_records(directory / "traces.jsonl")}
    directory = await session.sample(PROPOSED, settings, share=LAST, traces=traces)
    best = read_run(directory, settings, found.prover)
    if settings.stop_text == stop_text_of(found):
        best = replace(best, tried=found.tried, scored=found.scored)
    tell(best, stop_texts=False)
    return directory, best


def read_run(directory: Path, settings: MRTSettings, prover: str | None) -> Findings:
    """The findings of a run, with what training would branch instead of every boundary."""
    (run,) = load_runs([directory], common=True)
    if settings.max_episodes == evaluation_settings().max_episodes:
        settings = replace(settings, max_episodes=MRTSettings().max_episodes)
    return replace(read_findings(run, settings), prover=prover)


def only_allowed(options: argparse.Namespace, proposals: Sequence[Proposal]) -> list[Proposal]:
    """The proposals, with a note in place of each that training would refuse beside what was given."""
    words = [one.override for one in proposals if one.override]
    refused = refused_words(options.settings, options.overrides, words)
    kept = []
    for one in proposals:
        problem = refused.get(one.override or "")
        note = f"{one.override} would fit ({one.reason}), but training refuses it here: {problem}"
        kept.append(one if problem is None else Proposal(None, note))
    return kept


def stop_text_of(found: Findings) -> str:
    """The stop text to use: one that was tried, or the one as set."""
    best = chosen(found)
    return found.settings.stop_text if best is None else best.text


async def try_answers(session: Session, directory: Path, found: Findings, given: Sequence[str]) -> Findings:
    """The findings with stop texts and spellings of the reference tried, read from stop_texts.json if there."""
    records = list(read_records(directory / "traces.jsonl"))
    settings = session.config.settings
    wanted = candidates(settings, records, given)
    path = session.config.out / "stop_texts.json"
    key = {**describe_run(ASKED, len(records), session.config), "texts": [one.text for one in wanted]}
    stored = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if stored.get("of") == key and "scored_after" in stored:
        found = replace(found, tried=tuple(Tried(**row) for row in stored["tried"]))
        # another prover that is asked for may ask for another stop text
        return replace(found, scored=stored["scored"] if stored["scored_after"] == stop_text_of(found) else {})
    if found.without_thinking == 1.0:
        return found
    print("trying other stop texts", flush=True)
    sampler = session.sampler(settings)
    places = find_places(sampler, session.problems, records, PLACES)
    tried: tuple[Tried, ...] = ()
    for one in [one for one in wanted if one.name == "as set" or session.keeps(one.text)]:
        if not tried or session.has_time(TRY):
            row = await try_stop_text(sampler, one, places)
            tried += () if row is None else (row,)
    found = replace(found, tried=tried)
    after = stop_text_of(found)
    if settings.outcome == "math_verify" and isinstance(session.open(), VLLMEngine):
        as_asked = spell(after, settings.reference_text, [REFERENCE])
        written = dict.fromkeys([*as_asked, in_box(after, REFERENCE), found.forced.main_form[0]])
        forms = [form for form in written if form]
        found = replace(found, scored=await score_references(sampler, places, forms, stop_text=after))
    told = {"of": key, "tried": [asdict(row) for row in tried], "scored_after": after, "scored": found.scored}
    write_text(path, json.dumps(told, ensure_ascii=False) + "\n")
    return found


def tell(found: Findings, *, stop_texts: bool = True) -> None:
    """Print the findings."""
    print("\n" + "\n".join(f"{subject:<11} {text}" for subject, text in describe_findings(found)), flush=True)
    if stop_texts and found.tried:
        print("\n".join(print_table(stop_text_table(found.tried))), flush=True)


def write(options: argparse.Namespace, directory: Path, found: Findings, proposals: Sequence[Proposal]) -> None:
    """Print the recommendation and write the page and inspect.json."""
    words = [one.override for one in proposals if one.override]
    paste = " ".join(map(shell_word, pasted_words(options.overrides, words)))
    if options.settings:
        paste += f"   (beside what {', '.join(map(str, options.settings))} says)"
    reasons = [f"{one.override}: {one.reason}" if one.override else f"note: {one.reason}" for one in proposals]
    paste = f"to paste: {paste}" if is_worthwhile(found) else f"to paste, if you train all the same: {paste}"
    print("\n".join(["", verdict(found) + ".", *(f"  {line}" for line in reasons), paste]))
    page = options.out / "report"
    facts, tables = describe_findings(found), [stop_text_table(found.tried)] if found.tried else []
    title = f"What MRT sees in {Path(options.model).name}"
    notes = [verdict(found) + ".", *reasons, paste]
    report([directory], page, title=title, notes=notes, facts=facts, tables=tables, common=True)
    told: dict[str, Any] = {
        "verdict": verdict(found),
        "proposals": [asdict(one) for one in proposals],
        "findings": dict(facts),
        "stop_texts": [asdict(one) for one in found.tried],
        "stop_text": stop_text_of(found),
    }
    write_text(options.out / "inspect.json", json.dumps(told, indent=2, ensure_ascii=False) + "\n")
    print(f"page: {page / 'index.html'}")
