"""molt-rl as a host: a rollout is handed over as several rows, so that each episode is paid by itself.

Under `--algo.advantage.estimator reinforce --algo.advantage.no_whiten` a row's reward is the advantage of its sampled
tokens. The rows of a rollout have the same tokens; each trains those that share one advantage. molt calls for one
rollout at a time: with `--rollout.num_runners 1` all calls of a prompt reach this process, and a group is n of them.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np

from mrt_verl.evaluation.engines import TokenOutput, read_output, vllm_params
from mrt_verl.openrlhf.arrivals import Arrivals
from mrt_verl.openrlhf.executor import MRTExecutor, refuse_images
from mrt_verl.openrlhf.group import Graded
from mrt_verl.openrlhf.response import action_ranges, make_response
from mrt_verl.openrlhf.scalar import token_advantages
from mrt_verl.provers import prover_class


class MoltEngine:
    """molt's client of its router, as a rollout's engine; `request_id` keeps a trace and its answers on one server."""

    def __init__(self, llm_engine: Any) -> None:
        self._engine = llm_engine

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """One continuation; molt's client sends no `logit_bias`, so that a forced answer may be an empty box."""
        params = vllm_params(sampling_params)
        found, _ = await self._engine.generate(list(prompt_ids), params, session_id=request_id)
        return read_output(SimpleNamespace(outputs=found.outputs, num_cached_tokens=0, prompt_logprobs=None))


class MoltRunner(MRTExecutor):
    """The runner of one process; molt_agent.py gives it molt's base class and its Trajectory."""

    engine_class = MoltEngine
    trajectory_class: Any = None

    def __init__(self) -> None:
        super().__init__()
        self._arrivals = Arrivals(self.settings.stall_timeout_s)
        if prover_class(self.settings).scores_reference:
            raise ValueError(f"mrt.prover={self.settings.prover!r} under molt; allowed: one that scores no prompts")

    async def execute(  # type: ignore[override]
        self,
        prompt: str,
        label: Any,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
        tools: Any = None,
    ) -> list[Any]:
        """One rollout of a prompt, handed over when all of its group have come; `tools` are in the prompt already.

        Raises:
            ValueError: the row or the run cannot be rolled out, or the others of its group do not come.
        """
        refuse_images(images)
        is_training = self._is_training(None, sampling_params)
        wanted = self.config.host.n_samples_per_prompt if is_training else 1
        return await self._arrivals.meet(
            (prompt, repr(label), is_training),
            wanted,
            lambda: self._roll_out(wanted, prompt, label, sampling_params, max_length, hf_tokenizer, llm_engine),
        )

    def _is_training(self, count: int | None, sampling_params: Any) -> bool:
        """Whether a call is trained on; its temperature alone tells, and the first of a run is always trained on."""
        return super()._is_training(None, sampling_params)

    def hand_over(self, graded: list[Graded], *, is_training: bool, **of_group: Any) -> list[Any]:
        """The rows of each rollout, one for each of its advantages; of an evaluation one row, paid the outcome."""
        pairs = [(one.rolled_out.trace, one.rolled_out.record) for one in graded]
        advantages, mask = token_advantages(pairs, self.settings)
        found = []
        for one, values, sampled in zip(graded, advantages, mask.astype(bool), strict=True):
            response = make_response(one, reward=one.score, **of_group)
            del response["mm_train_inputs"]
            start, paid = len(of_group["prompt_ids"]), np.unique(values[sampled]) if is_training else [one.score]
            parts = [(value, sampled & (values == value) if is_training else sampled) for value in paid]
            found.append([self._row(response, float(value), part, start) for value, part in parts])
        return found

    def _row(self, response: dict[str, Any], reward: float, trained: np.ndarray, start: int) -> Any:
        ranges = action_ranges(trained.astype(int).tolist(), start)
        own = {"observation_text": "", "reward": reward, "action_ranges": ranges}
        return self.trajectory_class(**{**response, **own})
