"""What each process of a run does with the rollouts of one prompt after another, without Ray; see memory.py."""

import asyncio
import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from mrt_verl.rollout_record import RECORD
from tests.fakes import FakeServer, Request, toy_tokenizer
from tests.golden import training as golden
from tests.golden.scenarios import QUESTIONS, Training

GROUP = 8
"""Rollouts of a prompt."""


class Part(Protocol):
    """One process."""

    def round(self, number: int) -> None:
        """The rollouts of the prompt of that number."""

    def close(self) -> None:
        """End what was started."""


class Server(FakeServer):
    """One that does not keep what it was asked, and answers in verl's own class."""

    async def generate(self, **request: Any) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        return TokenOutput(**asdict(await super().generate(**request)))

    def _note(self, request_id: str, prompt_ids: Any, params: dict[str, Any], further: dict[str, Any]) -> Request:
        text = str(self.tokenizer.decode(list(prompt_ids)))
        # verl's own agent loop leaves the limit to verl's server
        return Request(request_id, tuple(prompt_ids), text, {"max_tokens": 96, **params}, 0, further)


class AgentLoops:
    """verl's agent-loop worker with what it makes for each rollout; its rewards are laid out as if they were graded."""

    def __init__(self, variants: int, scenario: Training, loop: str = "mrt") -> None:
        """Keep the parts; what is written repeats after so many prompts, 0 for never."""
        import verl.experimental.agent_loop.single_turn_agent_loop  # noqa: F401 - registers verl's
        from verl.experimental.agent_loop.agent_loop import AgentLoopWorker
        from verl.utils.dataset.rl_dataset import RLHFDataset

        import mrt_verl.hooks.loops  # noqa: F401 - registers ours

        class Worker(AgentLoopWorker):
            def __init__(worker) -> None:
                worker.config, worker.llm_client, worker.tokenizer = self.config, self.server, self.tokenizer
                worker.processor, worker.hf_model_type, worker.tools = None, "qwen2", []
                worker.dataset_cls = RLHFDataset

            async def _agent_loop_postprocess(worker, output: Any, validate: bool, **row: Any) -> Any:
                if RECORD in output.extra_fields:
                    graded = json.dumps(output.extra_fields[RECORD])
                    output.reward_score, output.extra_fields["reward_extra_info"] = 1.0, {RECORD: graded}
                output.as_dict()
                return output

        self.variants, self.scenario, self.loop = variants, scenario, loop
        self.config, self.tokenizer = golden.compose(scenario), toy_tokenizer()
        self.config.actor_rollout_ref.rollout.response_length = scenario.response_tokens
        self.server = Server(self.tokenizer, lambda _: "", log_prob=lambda *_: -0.5, extra_fields=golden.STEPS)
        self.worker, self.event_loop = Worker(), asyncio.new_event_loop()

    def round(self, number: int) -> None:
        self.roll_out(number)

    def roll_out(self, number: int) -> list[tuple[dict[str, Any], Any]]:
        """(row, output) of each rollout."""
        seed = number % self.variants if self.variants else number
        # a trace in eight differs by the request's number alone, which this server does not count
        authors = [golden.make_author(self.config.mrt, {"seed": seed * GROUP + one}) for one in range(GROUP)]
        traces = itertools.cycle(authors)
        self.server.write = lambda request: (authors[0] if authors[0]._is_branch(request) else next(traces)).write(
            request
        )
        question, reference = QUESTIONS[seed % len(QUESTIONS)]
        row = {
            "raw_prompt": [{"role": "user", "content": question}],
            "uid": uuid4().hex,
            "data_source": "sums",
            "reward_model": {"ground_truth": reference if self.variants else str(number)},
            "extra_info": {"index": number},
        }
        outputs = self.event_loop.run_until_complete(self._group(row, number))
        return [(row, output) for output in outputs]

    async def _group(self, row: dict[str, Any], step: int) -> list[Any]:
        params = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "repetition_penalty": 1.0, "logprobs": True}
        info = {"step": step, "sample_index": 0, "rollout_n": 0, "validate": False}
        starts = (
            self.worker._run_agent_loop(params, info, agent_name=self.loop, trace=False, session_id=one, **row)
            for one in range(GROUP)
        )
        return list(await asyncio.gather(*starts))

    def close(self) -> None:
        self.event_loop.close()


class Rewards:
    """The reward worker, over the rollouts of a few prompts again and again, or with a new reference each."""

    def __init__(self, variants: int, scratch: Path) -> None:
        from mrt_verl.hooks.reward_manager import MRTRewardManager

        loops = AgentLoops(max(min(variants, 64), 8), Training(rollouts=GROUP))
        self.variants = variants
        self.rollouts = [loops.roll_out(number) for number in range(loops.variants)]
        loops.config.mrt.trace_dir = str(scratch)
        self.manager = MRTRewardManager(loops.config, loops.tokenizer, None)
        self.event_loop = asyncio.new_event_loop()
        loops.close()

    def round(self, number: int) -> None:
        self.grade(number)

    def grade(self, number: int) -> list[str]:
        """The graded records."""
        return self.event_loop.run_until_complete(self._grade(number))

    async def _grade(self, number: int) -> list[str]:
        rollouts = self.rollouts[number % len(self.rollouts)]
        new: Mapping[str, Any] = {} if self.variants else {"reward_model": {"ground_truth": f"{number}+x"}}
        asked = [golden.as_data({**row, "uid": uuid4().hex, **new}, output) for row, output in rollouts]
        graded = await asyncio.gather(*map(self.manager.run_single, asked))
        return [one["reward_extra_info"][RECORD] for one in graded]

    def close(self) -> None:
        self.manager.grader.close()
        self.event_loop.close()


class Trainer:
    """What ours does in the trainer's process: records read, reported and logged, advantages, looks at the stack."""

    def __init__(self, variants: int, scratch: Path) -> None:
        from mrt_verl.settings import MRTSettings
        from mrt_verl.step_report import StepReport

        rewards = Rewards(variants, scratch)
        self.config = golden.compose(Training(rollouts=GROUP))
        self.config.mrt.trace_dir = str(scratch)
        self.texts = [rewards.grade(number) for number in range(len(rewards.rollouts))]
        rewards.close()
        self.report = StepReport(MRTSettings.from_config(self.config.mrt), response_tokens=96)

    def round(self, number: int) -> None:
        import numpy as np
        import torch

        from mrt_verl.hooks.actor_watch import handed_over
        from mrt_verl.hooks.advantage import compute_mrt_advantage
        from mrt_verl.rollout_grading import reward_row
        from mrt_verl.rollout_record import RolloutRecord

        records = [RolloutRecord.from_json(text) for text in self.texts[number % len(self.texts)]]
        self.report.step(records, number, asked=len(records))
        masks = [torch.ones(record.response.response_tokens, dtype=torch.int64) for record in records]
        rows = [
            torch.from_numpy(reward_row(record, 1.0, mask.tolist()))
            for record, mask in zip(records, masks, strict=True)
        ]
        pad = torch.nn.utils.rnn.pad_sequence
        index = np.array([uuid4().hex] * len(records), dtype=object)
        compute_mrt_advantage(
            pad(rows, batch_first=True), pad(masks, batch_first=True), index, config=self.config.algorithm
        )
        handed_over()

    def close(self) -> None:
        pass


class Balancer:
    """verl's load balancer: two request ids a rollout, as an MRT rollout has."""

    def __init__(self) -> None:
        from verl.workers.rollout.router import GlobalRequestLoadBalancer

        self.balancer = GlobalRequestLoadBalancer({"server": object()})

    def round(self, number: int) -> None:
        for _ in range(2 * GROUP):
            request_id = uuid4().hex
            server, _ = self.balancer.acquire_server(request_id)
            self.balancer.release_server(server)

    def close(self) -> None:
        pass


PARTS = {
    "agent-loop": lambda variants, scratch: AgentLoops(variants, Training(rollouts=GROUP)),
    "prefix": lambda variants, scratch: AgentLoops(
        variants, Training(reward_model="mrt_prefix", overrides=("mrt.prover=sample",), rollouts=GROUP)
    ),
    "single-turn": lambda variants, scratch: AgentLoops(variants, Training(rollouts=GROUP), "single_turn_agent"),
    "reward": Rewards,
    "trainer": Trainer,
    "balancer": lambda variants, scratch: Balancer(),
}
"""(variants, a directory to write into) -> the process."""
