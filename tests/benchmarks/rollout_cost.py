"""What MRT's branches cost a rollout: MRT's agent loop against verl's `single_turn_agent`; prints one JSON line.

    VERL_PLATFORM=cpu python -m tests.benchmarks.rollout_cost --model outputs/quickstart/model \
        --data outputs/quickstart/data/test.parquet

One vLLM engine serves both, alternating in one run: the same prompts, traces of exactly 512 tokens (the thinking is
never closed), at most 6 episodes, the short stop text. Ratios are of medians over the repeats. What the agent
loop adds outside the engine is measured against an engine that answers at once.
"""

import argparse
import asyncio
import gc
import json
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

TRACE_TOKENS, GROUP = 512, 8
STOP = 'mrt.stop_text="Time is up.\n</think>\n\nThe answer is \\boxed"'
OVERRIDES = (
    "reward_model=mrt",
    "actor_rollout_ref.rollout.name=vllm",
    f"actor_rollout_ref.rollout.n={GROUP}",
    f"actor_rollout_ref.rollout.response_length={TRACE_TOKENS}",
    "mrt.max_episodes=6",
    "mrt.min_steps=1",
    "mrt.branch_max_tokens=12",
    "mrt.markers=[Wait,Alternatively,But wait]",
)
VARIANTS = {
    "default": (),
    "sample, G=4": ("mrt.prover=sample", "mrt.branches=4"),
    "anchored, G=1": ("mrt.prover=anchored", "mrt.branches=1"),
    "likelihood": ("mrt.prover=likelihood",),
    "uncertain": ("mrt.boundary_choice=uncertain",),
}


class FixedLength:
    """Lets the engine write traces of one length: what would end the thinking is not sampled."""

    def __init__(self, engine: Any, banned: list[int], trace_tokens: int = TRACE_TOKENS) -> None:
        self.engine, self.bias = engine, {token: -100.0 for token in banned}
        self.last_trace, self.trace_tokens = 0.0, trace_tokens

    async def generate(
        self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> Any:
        if sampling_params["max_tokens"] == self.trace_tokens:
            sampling_params = {**sampling_params, "logit_bias": self.bias}
        output = await self.engine.generate(
            request_id=request_id, prompt_ids=prompt_ids, sampling_params=sampling_params
        )
        if len(output.token_ids) == self.trace_tokens:
            self.last_trace = time.perf_counter()
        return as_verls(output.token_ids, output.log_probs, output.extra_fields)


class Instant:
    """Answers at once: 512 tokens of a real trace, or a short answer."""

    def __init__(self, trace: list[int], answer: list[int]) -> None:
        self.trace, self.answer, self.calls = trace, answer, 0

    async def generate(
        self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **_: Any
    ) -> Any:
        self.calls += 1
        ids = self.trace if sampling_params["max_tokens"] == TRACE_TOKENS else self.answer
        fields: dict[str, Any] = {"num_cached_tokens": 0}
        if "prompt_logprobs" in sampling_params:
            fields["prompt_logprobs"] = [[-0.1]] * len(prompt_ids)
        return as_verls(list(ids), [-0.5] * len(ids), fields)


def as_verls(token_ids: list[int], log_probs: list[float] | None, extra_fields: dict[str, Any]) -> Any:
    from verl.workers.rollout.replica import TokenOutput

    return TokenOutput(token_ids=token_ids, log_probs=log_probs, extra_fields=extra_fields)


class Loops:
    """Runs batches of rollouts through verl's agent loops as its workers do."""

    def __init__(
        self, tokenizer: Any, prompts: list[Any], references: list[str], trace_tokens: int = TRACE_TOKENS
    ) -> None:
        self.tokenizer, self.prompts, self.references = tokenizer, prompts, references
        self.trace_tokens = trace_tokens

    def config(self, *overrides: str) -> Any:
        import verl  # noqa: F401 - loads the plugin
        from hydra import compose, initialize_config_module

        with initialize_config_module("verl.trainer.config", version_base=None):
            return compose("ppo_trainer", overrides=[*OVERRIDES, STOP, *overrides])

    async def batch(self, kind: type, config: Any, server: Any) -> tuple[list[Any], float]:
        """All rollouts of the batch concurrently, and the seconds they took."""
        from verl.experimental.agent_loop.agent_loop import DictConfigWrap
        from verl.utils.dataset.rl_dataset import RLHFDataset

        async def rollout(prompt: int, session: int) -> Any:
            loop = kind(
                trainer_config=DictConfigWrap(config),
                server_manager=server,
                tokenizer=self.tokenizer,
                processor=None,
                dataset_cls=RLHFDataset,
                data_config=DictConfigWrap(config.data),
            )
            params = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "logprobs": True, "max_tokens": self.trace_tokens}
            row = {"raw_prompt": self.prompts[prompt], "reward_model": {"ground_truth": self.references[prompt]}}
            return await loop.run(params, uid=str(prompt), session_id=session, **row)

        started = time.perf_counter()
        outputs = await asyncio.gather(
            *(rollout(prompt, session) for prompt in range(len(self.prompts)) for session in range(GROUP))
        )
        return outputs, time.perf_counter() - started


def cost(outputs: list[Any]) -> dict[str, float]:
    """Shares of one MRT batch."""
    records = [output.extra_fields["mrt"] for output in outputs]
    trace = sum(record["response_tokens"] for record in records)
    return {
        "extra_tokens": sum(record["branch_tokens"] for record in records) / trace,
        "prefix_cache_hit": sum(r["branch_cached_tokens"] for r in records)
        / sum(r["branch_prompt_tokens"] for r in records),
        "episodes": statistics.mean(len(record["episodes"]) for record in records),
        "failures": sum(record["branch_failures"] for record in records),
    }


async def measure_streaming(loops: Loops, server: FixedLength, tokenizer: Any, repeats: int) -> dict[str, float]:
    """What starting branches before their trace has ended could gain at most.

    `after`: a batch of plain traces, then as many forced answers as MRT's default asks for, after an earlier batch's
    boundaries. `at_once`: both started together.
    """
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

    from mrt_verl.hooks.agent_loop import MRTAgentLoop
    from mrt_verl.provers import load_prover
    from mrt_verl.settings import MRTSettings

    config = loops.config()
    prover = load_prover(server, tokenizer, MRTSettings.from_config(config.mrt))

    async def branch(outputs: list[Any]) -> None:
        await asyncio.gather(
            *(
                prover.branch(
                    output.prompt_ids + output.response_ids[:end],
                    count=prover.answers_drawn(prover.settings),
                    sampling_params={"temperature": 1.0, "top_p": 1.0, "top_k": -1},
                    request_id="streaming",
                    references=["3, 7"],
                )
                for output in outputs
                for _, _, end in output.extra_fields["mrt"]["episodes"]
            )
        )

    after, at_once = [], []
    for _ in range(repeats):
        outputs, _ = await loops.batch(MRTAgentLoop, config, server)
        started = time.perf_counter()
        await loops.batch(SingleTurnAgentLoop, config, server)
        await branch(outputs)
        after.append(time.perf_counter() - started)
        outputs, _ = await loops.batch(MRTAgentLoop, config, server)
        started = time.perf_counter()
        await asyncio.gather(loops.batch(SingleTurnAgentLoop, config, server), branch(outputs))
        at_once.append(time.perf_counter() - started)
    return {
        "after": round(statistics.median(after), 3),
        "at_once": round(statistics.median(at_once), 3),
        "ratio": round(statistics.median(at_once) / statistics.median(after), 3),
    }


async def measure(loops: Loops, engine: Any, tokenizer: Any, repeats: int) -> dict[str, Any]:
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

    from mrt_verl.hooks.agent_loop import MRTAgentLoop

    server = FixedLength(engine, [tokenizer.convert_tokens_to_ids("</think>"), tokenizer.eos_token_id])
    plain = loops.config()
    configs = {name: loops.config(*overrides) for name, overrides in VARIANTS.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ("plain", *VARIANTS)}
    tails: list[float] = []
    shares: dict[str, dict[str, float]] = {}
    for repeat in range(repeats + 1):  # the first warms up
        _, took = await loops.batch(SingleTurnAgentLoop, plain, server)
        seconds["plain"].append(took)
        for name, config in configs.items():
            outputs, took = await loops.batch(MRTAgentLoop, config, server)
            seconds[name].append(took)
            shares[name] = cost(outputs)
            if name == "default":
                tails.append((time.perf_counter() - server.last_trace) / took)
        print(f"repeat {repeat}: " + ", ".join(f"{k} {v[-1]:.2f} s" for k, v in seconds.items()), flush=True)
    medians = {name: statistics.median(values[1:]) for name, values in seconds.items()}
    return {
        "seconds": {name: round(value, 3) for name, value in medians.items()},
        "wall_clock_ratio": {name: round(medians[name] / medians["plain"], 3) for name in VARIANTS},
        "tail_share": round(statistics.median(tails[1:]), 3),
        "streaming": await measure_streaming(loops, server, tokenizer, repeats),
        **{
            key: {name: round(share[key], 3) for name, share in shares.items()}
            for key in ("extra_tokens", "prefix_cache_hit", "episodes", "failures")
        },
    }


async def overhead(loops: Loops, tokenizer: Any, batches: int) -> dict[str, float]:
    """Milliseconds a branch outside the engine, and the growth of memory over many batches."""
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

    from mrt_verl.hooks.agent_loop import MRTAgentLoop

    text = "Try 3 and 7: 3 + 7 = 10, off 12 by 2, no.\n\nWait, try 9 and 4: 9 + 4 = 13, off 12 by 1, no.\n\n" * 20
    instant = Instant(tokenizer.encode(text)[:TRACE_TOKENS], tokenizer.encode("9, 4}"))
    config = loops.config()
    milliseconds, memory = [], []
    for batch in range(batches):
        _, plain = await loops.batch(SingleTurnAgentLoop, config, instant)
        calls = instant.calls
        outputs, took = await loops.batch(MRTAgentLoop, config, instant)
        branches = instant.calls - calls - len(outputs)
        milliseconds.append((took - plain) / branches * 1000)
        del outputs
        gc.collect()
        if batch in (batches // 5, batches - 1):
            memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20)
    return {
        "loop_ms_per_branch": round(statistics.median(milliseconds), 3),
        "memory_growth_mb": round(memory[-1] - memory[0], 2),
        "batches": batches,
    }


def with_context(model: str, directory: Path, positions: int) -> str:
    """A copy of a small model that takes longer texts than it was trained on: its words do not matter here."""
    shutil.copytree(model, directory, dirs_exist_ok=True)
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "max_position_embeddings": positions}))
    return str(directory)


async def main(arguments: argparse.Namespace) -> None:
    from transformers import AutoTokenizer

    from mrt_verl.evaluation.engines import VLLMEngine

    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    rows = pd.read_parquet(arguments.data).head(arguments.prompts)
    references = [row["ground_truth"] for row in rows.reward_model]
    loops = Loops(tokenizer, [list(prompt) for prompt in rows.prompt], references)
    small = Loops(tokenizer, loops.prompts[:2], references[:2])
    result: dict[str, Any] = {"benchmark": "rollout_cost", "rollouts": len(rows) * GROUP, "trace_tokens": TRACE_TOKENS}
    result |= await overhead(small, tokenizer, batches=50)
    settings = {"max_model_len": 704, "max_num_seqs": arguments.max_num_seqs, "block_size": arguments.block_size}
    with tempfile.TemporaryDirectory() as directory:
        async with VLLMEngine(with_context(arguments.model, Path(directory), 1024), **settings) as engine:
            result |= {**settings, **await measure(loops, engine, tokenizer, arguments.repeats)}
    print(json.dumps(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--block-size", type=int, default=16)
    parser.add_argument("--max-num-seqs", type=int, default=256)
    asyncio.run(main(parser.parse_args()))
