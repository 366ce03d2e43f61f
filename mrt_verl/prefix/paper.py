"""`mrt.prefix_mode=paper`: all rollouts of a prompt start from one prefix of a trace (the RL of arXiv 2503.07572).

The prefix is cut from a trace that is sampled for it, or is the dataset's. Some rollouts are forced to answer there,
which estimates its J; the others think on and are paid outcome - J.
"""

import time
from dataclasses import dataclass
from uuid import uuid4

from mrt_verl.online import RolledOut, make_record
from mrt_verl.prefix.group import Host, PrefixGroup
from mrt_verl.provers import Branches
from mrt_verl.rollout_record import BranchPart, ResponsePart, RolloutRecord
from mrt_verl.settings import forced_rollouts
from mrt_verl.trace import Trace


@dataclass(frozen=True, eq=False)
class ForcedPrefix:
    """What the rollouts of a prompt start from."""

    ids: list[int]
    """Token ids of the response up to an episode boundary; [] if there is none and all rollouts are plain traces."""
    forced: Branches | None
    """The forced answers after it, one for each rollout that has to answer; None without a prefix."""
    tokens: int
    """Tokens sampled to find the prefix."""
    request_id: str


class ForcedPrefixGroup(PrefixGroup):
    """A prompt without a prefix gets plain rollouts, counted by `mrt/fallback_share`."""

    async def roll_out(self, session: int, host: Host) -> RolledOut:
        prefix, owns = await self.source.get(self._find_prefix)
        if prefix.forced is None:
            rolled_out = await host.trace(session, "fallback")
        elif session < len(prefix.forced.answers):
            rolled_out = self._answer(prefix, prefix.forced, session)
        else:
            rolled_out = await self._think_on(prefix, prefix.forced, session, host)
        if owns:
            branches = rolled_out.record.branches
            branches.shared_tokens = prefix.tokens
            branches.branch_failures += prefix.forced.failures if prefix.forced else 0
        return rolled_out

    async def _find_prefix(self) -> ForcedPrefix:
        request_id = uuid4().hex
        if self.given is not None:
            trace = Trace()
            trace.add_written(self.given())
            source, tokens = self.rollout.read(self.prompt_ids, trace), 0
        else:
            source = await self.rollout.sample(
                self.prompt_ids, self.sampling_params, request_id, insert=False, purpose="prefix"
            )
            tokens = len(source.ids)
        ends = [episode.end for episode in source.episodes if episode.end > 0]
        # the dataset chose where to cut; nothing can be learnt after the last episode of a trace
        given = self.given is not None
        end = max(self.fitting(ends), default=None) if given else self.cut(ends[:-1], source.ids)
        if end is None:
            return ForcedPrefix([], None, tokens, request_id)
        count = forced_rollouts(self.count, self.settings.forced_share)
        forced = await self.force([*self.prompt_ids, *source.ids[:end]], count, request_id)
        return ForcedPrefix(source.ids[:end], forced, tokens, request_id)

    def _answer(self, prefix: ForcedPrefix, forced: Branches, session: int) -> RolledOut:
        """The rollout that was forced to answer after the prefix; its tokens are sampled already."""
        trace, started = Trace(), time.perf_counter()
        trace.add_written(prefix.ids)
        inserted = self.append(trace, forced, session)
        response = ResponsePart(
            episodes=[],
            answer_start=len(prefix.ids),  # with the stop text, which opens the box
            finished=forced.answers[session].finished,
            think_tokens=len(prefix.ids),
            response_tokens=len(trace.ids),
            markers=0,
            kind="forced",
            prefix_tokens=len(prefix.ids),
            inserted_tokens=inserted,
        )
        branches = BranchPart(
            branch_prompt_tokens=forced.prompt_tokens // len(forced.answers),
            branch_cached_tokens=forced.cached_tokens // len(forced.answers),
        )
        return self.rolled_out(trace, RolloutRecord(response, branches), slice(None), started, prefix.request_id)

    async def _think_on(self, prefix: ForcedPrefix, forced: Branches, session: int, host: Host) -> RolledOut:
        """The rollout that goes on thinking: one step, paid outcome - J of the prefix."""
        trace, started, cut = Trace(), time.perf_counter(), len(prefix.ids)
        trace.add_written(prefix.ids)
        response, paid = await host.go_on(trace, prefix.request_id, session)
        record = make_record(self.rollout, self.prompt_ids, response, "continued")
        record.response.prefix_tokens = cut
        record.response.episodes = [(cut, cut, len(trace.ids))]
        record.branches = BranchPart(
            forced=[[]],
            answer_tokens=[0.0],
            forced_before=list(forced.answers),
            before_tokens=self.rollout.answer_tokens(forced),
            own_is_sample=True,
        )
        record.branches.add_cost(paid)
        return self.rolled_out(trace, record, slice(cut, None), started, prefix.request_id)
