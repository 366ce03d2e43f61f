"""The prefix variant's agent loop: a prompt's rollouts share a prefix, as `mrt.prefix_mode` says (mrt_verl.prefix)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from mrt_verl.branching import PerPrompt
from mrt_verl.hooks.agent_loop import MRTAgentLoop
from mrt_verl.hooks.loop_output import MRTAgentLoopOutput
from mrt_verl.online import RolledOut
from mrt_verl.prefix import MODES, PrefixGroup
from mrt_verl.provers import Branches
from mrt_verl.rollout import Response
from mrt_verl.token_text import encode_open
from mrt_verl.trace import Trace


class MRTPrefixAgentLoop(MRTAgentLoop):
    """MRT with a shared prefix; verl makes a loop for each rollout, so the loops of a prompt share its group."""

    _groups: ClassVar[PerPrompt[PrefixGroup]] = PerPrompt()

    async def respond(
        self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]
    ) -> MRTAgentLoopOutput:
        """One rollout; validation rollouts are plain traces."""
        if row.get("mrt_validate", False):
            return await self.run_trace(prompt_ids, sampling_params, row)
        host = _Host(self, prompt_ids, sampling_params, row)
        with self._groups.of_prompt(row["uid"], lambda: self._group(prompt_ids, sampling_params, row)) as group:
            return self.make_output(prompt_ids, await group.roll_out(int(row["session_id"]), host))

    def _group(self, prompt_ids: list[int], sampling_params: dict[str, Any], row: dict[str, Any]) -> PrefixGroup:
        given = (lambda: self._dataset_prefix(row)) if self.settings.prefix_source == "dataset" else None
        mode = MODES[self.settings.prefix_mode]
        return mode(self.rollout, self.rollout_config.n, prompt_ids, dict(sampling_params), given=given)

    def _dataset_prefix(self, row: dict[str, Any]) -> list[int]:
        """Token ids of the row's column `prefix`.

        Raises:
            ValueError: there is no such column, or it holds something else than a text or null.
        """
        if "prefix" not in row:
            raise ValueError(
                "mrt.prefix_source=dataset: the dataset has no column `prefix`; data_prep prefixes makes it"
            )
        text = row["prefix"]
        if text is None or text != text:  # pandas writes a missing text as NaN
            return []
        if not isinstance(text, str):
            raise ValueError(f"column `prefix` holds {text!r} ({type(text).__name__}); allowed: a text, or null")
        return encode_open(self.tokenizer, text)


@dataclass(frozen=True, slots=True)
class _Host:
    """How one loop samples (mrt_verl.prefix.Host)."""

    loop: MRTPrefixAgentLoop
    prompt_ids: list[int]
    sampling_params: dict[str, Any]
    row: dict[str, Any]

    async def trace(self, session: int, kind: str) -> RolledOut:
        return await self.loop.roll_out(self.prompt_ids, self.sampling_params, self.row, kind, is_branching=False)

    async def go_on(self, trace: Trace, request_id: str, session: int) -> tuple[Response, Sequence[Branches]]:
        return await self.loop.go_on(self.prompt_ids, self.sampling_params, self.row, trace, request_id)
