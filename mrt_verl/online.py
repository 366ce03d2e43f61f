"""One rollout of the online variant, under any host: a trace, J without thinking, and J at the trace's boundaries."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, NamedTuple
from uuid import uuid4

from mrt_verl.branching import RolloutBranches
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.insertions import EstimateJ
from mrt_verl.provers import Branches, Prover
from mrt_verl.rollout import Response, Rollout
from mrt_verl.rollout_record import BranchPart, ResponsePart, RolloutRecord
from mrt_verl.trace import Trace
from mrt_verl.value_estimates import estimate_j, weights_of

Pinned = Callable[[str], AbstractAsyncContextManager[Prover]]
"""pinned(request_id): the prover on the server whose cache holds that trace."""


class RolledOut(NamedTuple):
    """What a host turns into a row of its own: the response's tokens, and the record that goes with them."""

    trace: Trace
    record: RolloutRecord
    trace_seconds: float
    request_id: str
    """Of the trace: the engine's cache holds it under this."""


async def roll_out(
    rollout: Rollout,
    prompt_ids: list[int],
    branches: RolloutBranches,
    respond: Callable[[str], Awaitable[Response]],
    *,
    kind: str = "trace",
    is_branching: bool = True,
    pinned: Pinned | None = None,
) -> RolledOut:
    """A trace and its forced answers.

    Args:
        branches: those of its prompt, J_{-1} among them, which its rollouts share.
        respond: samples the response under a request id.
        kind: of the record.
        is_branching: False for a plain trace.
        pinned: where the forced answers are asked; None asks where the trace was.

    Raises:
        TraceTimeout: the trace took longer than `mrt.trace_timeout_s`.
    """
    pools = is_branching and rollout.prover.pools_answers

    def ask_before() -> "asyncio.Task[Branches]":
        prefix = rollout.before_thinking(prompt_ids)
        return asyncio.create_task(branches.ask(rollout.prover, prefix, rollout.branches, uuid4().hex))

    before = ask_before() if is_branching and not pools else None
    request_id, started = uuid4().hex, time.perf_counter()
    try:
        with branches.pool.writing() if pools else nullcontext():
            response = await respond(request_id)
            if pools:
                branches.pool.add(rollout.final_answer(response))
    except BaseException:
        if before is not None:
            before.cancel()  # the answers themselves are those of the prompt's other rollouts too
        raise
    trace_seconds = time.perf_counter() - started
    record = make_record(rollout, prompt_ids, response, kind)
    if pools:
        await branches.await_pool()
        before = ask_before()
    if before is not None:
        started = time.perf_counter()
        server = pinned(request_id) if pinned else nullcontext(rollout.prover)
        await _branch(rollout, record.branches, prompt_ids, response, branches, await before, request_id, server)
        record.branches.branch_seconds = time.perf_counter() - started
    record.branches.add_cost(branches.paid)
    return RolledOut(response.trace, record, trace_seconds, request_id)


def j_estimator(
    rollout: Rollout,
    prompt_ids: list[int],
    branches: RolloutBranches,
    request_id: str,
    *,
    grader: Callable[[], AnswerGrader],
    row: Mapping[str, Any],
) -> EstimateJ:
    """J after some tokens of a response, for an insertion policy that asks for it.

    Args:
        branches: where the trace's boundaries find what was asked for.
        grader: made when J is asked for.
        row: of verl's data, for the grader.
    """

    async def estimate(ids: Sequence[int]) -> float | None:
        forced = await branches.ask(rollout.prover, [*prompt_ids, *ids], rollout.branches, request_id)
        grades = await grader().grade_forced(forced.answers, list(ids), row)
        return estimate_j(grades, weights_of(forced.answers))

    return estimate


async def _branch(
    rollout: Rollout,
    part: BranchPart,
    prompt_ids: list[int],
    response: Response,
    branches: RolloutBranches,
    before: Branches,
    request_id: str,
    server: AbstractAsyncContextManager[Prover],
) -> None:
    """Forced answers without thinking and at the response's boundaries, into the record."""
    part.forced_before = list(before.answers)
    part.before_tokens = rollout.answer_tokens(before)
    if not response.boundaries:
        return
    part.own_is_sample = rollout.own_is_sample(response)
    async with server as prover:
        at = await rollout.branch(
            prompt_ids,
            response.boundaries,
            lambda prefix, count: branches.ask(prover, prefix, count, request_id),
            own_is_sample=part.own_is_sample,
            before=before,
        )
    numbers = range(len(response.boundaries))
    part.forced = [list(at[n].answers) if n in at else [] for n in numbers]
    part.answer_tokens = [rollout.answer_tokens(at[n]) if n in at else 0.0 for n in numbers]


def make_record(rollout: Rollout, prompt_ids: list[int], response: Response, kind: str) -> RolloutRecord:
    """What a response tells before anything is graded."""
    ids, episodes = response.ids, response.episodes
    part = ResponsePart(
        episodes=[(episode.start, episode.marker_end, episode.end) for episode in episodes],
        answer_start=response.answer_start,
        finished=response.finished,
        think_tokens=sum(episode.end - episode.start for episode in episodes),
        response_tokens=len(ids),
        markers=response.markers,
        prompt_tokens=len(prompt_ids),
        kind=kind,
        inserted_tokens=sum(end - start for start, end in response.trace.inserted),
    )
    if rollout.settings.trace_dir is not None:
        part.prompt_text = rollout.tokenizer.decode(prompt_ids)
        part.episode_texts = [rollout.tokenizer.decode(ids[episode.start : episode.end]) for episode in episodes]
    return RolloutRecord(part)
