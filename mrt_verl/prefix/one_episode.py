"""`mrt.prefix_mode=one_episode`: plain rollouts, and one-episode rollouts from a prefix of the first of them (ours).

The first `mrt.plain_share` of a prompt's rollouts are plain traces, trained as GRPO trains them. The first of them is
cut at a random boundary, before its first episode included; the other rollouts write one episode from there and are
forced to answer. They start from the same J, so their outcomes, compared with each other, are the episode's progress.
"""

import time

from mrt_verl.online import RolledOut
from mrt_verl.prefix.episode import EpisodeSampler
from mrt_verl.prefix.group import Host, PrefixGroup
from mrt_verl.rollout_record import BranchPart, ResponsePart, RolloutRecord
from mrt_verl.settings import plain_rollouts
from mrt_verl.trace import Trace, TraceLost, in_time


class OneEpisodeGroup(PrefixGroup):
    """All tokens but those that opened a further episode are trained on."""

    async def roll_out(self, session: int, host: Host) -> RolledOut:
        if 0 < session < plain_rollouts(self.count, self.settings.plain_share):
            return await host.trace(session, "trace")
        source, _ = await self.source.get(lambda: host.trace(0, "trace"))
        if session == 0:
            return source
        ends = [end for _, _, end in source.record.response.episodes]
        cut = self.cut([0, *ends[:-1]], source.trace.ids)
        if cut is None:
            return await host.trace(session, "fallback")
        return await self._one_episode(source, cut, session)

    async def _one_episode(self, source: RolledOut, cut: int, session: int) -> RolledOut:
        started, trace, request_id = time.perf_counter(), Trace(), source.request_id
        trace.add_written(source.trace.ids[:cut])
        sampling = EpisodeSampler(self.rollout).sample(
            self.prompt_ids, self.sampling_params, request_id, trace, purpose=f"rollout {session}"
        )
        dropped = await in_time(sampling, self.settings.trace_timeout_s)
        end = len(trace.ids)
        # another rollout may have thought the same, and must not be told to answer the same
        answer = await self.force([*self.prompt_ids, *trace.ids], 1, request_id, first=session)
        if not answer.samples:
            raise TraceLost("the forced answer of a rollout failed")
        inserted = self.append(trace, answer, 0)
        response = ResponsePart(
            episodes=[(cut, cut, end)],
            answer_start=end,  # with the stop text, which opens the box
            finished=answer.answers[0].finished,
            think_tokens=end - cut,
            response_tokens=len(trace.ids),
            markers=0,
            kind="one_episode",
            prefix_tokens=cut,
            inserted_tokens=inserted,
        )
        branches = BranchPart(
            forced=[[]],
            answer_tokens=[0.0],
            own_is_sample=True,
            shared_tokens=dropped,
            branch_prompt_tokens=answer.prompt_tokens,
            branch_cached_tokens=answer.cached_tokens,
        )
        return self.rolled_out(trace, RolloutRecord(response, branches), slice(cut, end), started, request_id)
