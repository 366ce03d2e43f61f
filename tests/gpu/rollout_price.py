"""P1: the wall-clock of a rollout with each prover over that of plain traces, on random weights of R1-1.5B's shape.

16 prompts x 8 traces of one length (their end tokens are not drawn), cut into six episodes. Answers of 12 tokens: one a
boundary with `seen`, the default, four with the others that sample.
verl's agent loops run in this process over one vLLM engine, as in tests/benchmarks/rollout_cost.py; prompts differ
between batches, or plain traces would find theirs in the cache. Grading, which runs in other processes, is left out.
"""

import asyncio
import statistics
import time
from typing import Any

from data_prep.search_task import make_problems
from tests.benchmarks.rollout_cost import GROUP, FixedLength, Loops, cost
from tests.gpu.models import WARM_START, r1_shape, random_model
from tests.gpu.report import Options, Report

PROMPTS, ANSWER_TOKENS, PROMPT_ROOM, BLOCK = 16, 12, 256, 16
VARIANTS = {
    "seen": ("mrt.prover=seen",),
    "ht": ("mrt.prover=ht", "mrt.branches=4"),
    "sample": ("mrt.prover=sample", "mrt.branches=4"),
    "likelihood": ("mrt.prover=likelihood",),
    "anchored": ("mrt.prover=anchored", "mrt.branches=4"),
}
SAMPLING = ("seen", "ht")
GOAL = 1.05
"""For those; the others' is to be as near as reading the cached prefix brings."""


def run(report: Report, options: Options, *, tokens: str, cache: str = "whole") -> None:
    asyncio.run(_run(report, options, int(tokens) // (32 if options.tiny else 1), cache))


async def _run(report: Report, options: Options, tokens: int, cache: str) -> None:
    from transformers import AutoTokenizer

    from mrt_verl.evaluation.engines import VLLMEngine
    from mrt_verl.provers import scoring

    scoring.NEGLIGIBLE = 0.0  # random weights find every reference improbable, and would be spared half of its requests
    started = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    context = tokens + PROMPT_ROOM
    model = random_model(
        *(options.out / "model", r1_shape(tiny=options.tiny)),
        context=max(context, 512),
        device=options.device,
        dtype=options.dtype,
    )
    prompts = 2 if options.tiny else PROMPTS
    own: dict[str, Any] = {"max_model_len": context, "max_num_seqs": 256, "block_size": BLOCK}
    if cache == "quarter":  # as 512 traces of 8k are on one card: branches queue and find their prefix gone
        own["num_gpu_blocks_override"] = prompts * GROUP * (tokens + 64) // BLOCK // 4 + 1
    own |= {} if options.tiny else {"gpu_memory_utilization": 0.8}
    async with VLLMEngine(model, dtype=options.dtype, **own) as engine:
        report.note(start_s=round(time.perf_counter() - started, 1), trace_tokens=tokens, rollouts=prompts * GROUP)
        await _measure(report, options, engine, tokenizer, tokens, prompts, started)


def overrides(tokens: int) -> list[str]:
    """Six episodes of one length."""
    words = [f"actor_rollout_ref.rollout.response_length={tokens}", f"data.max_response_length={tokens}"]
    words += [f"mrt.episodes=tokens:{tokens // 6 + 1}", "mrt.max_episodes=6", f"mrt.branch_max_tokens={ANSWER_TOKENS}"]
    return [*words, "mrt.min_episode_tokens=0"]


async def _measure(
    report: Report, options: Options, engine: Any, tokenizer: Any, tokens: int, prompts: int, started: float
) -> None:
    """Batches with each prover, each beside a plain one, as many rounds as the time allows."""
    from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

    from mrt_verl.hooks.agent_loop import MRTAgentLoop

    banned = [tokenizer.convert_tokens_to_ids("</think>"), tokenizer.eos_token_id]
    server = FixedLength(engine, banned, trace_tokens=tokens)
    names = SAMPLING if tokens > 4096 else tuple(VARIANTS)
    problems = iter(make_problems(0))
    seconds: dict[str, list[float]] = {}
    shares: dict[str, dict[str, float]] = {}

    async def batch(name: str) -> float:
        fresh = [next(problems) for _ in range(prompts)]
        asked = [[{"role": "user", "content": one.question}] for one in fresh]
        loops = Loops(tokenizer, asked, [one.answer for one in fresh], trace_tokens=tokens)
        words = [*overrides(tokens), *VARIANTS.get(name, ())]
        kind = SingleTurnAgentLoop if name == "plain" else MRTAgentLoop
        outputs, took = await loops.batch(kind, loops.config(*words), server)
        seconds.setdefault(name, []).append(took)
        if name != "plain":
            shares[name] = cost(outputs)
        return took

    last = await batch("plain")  # warms up: compiles, captures graphs
    seconds.clear()
    for _ in range(1 if options.tiny else 3):
        for name in ("plain", *names):
            if time.perf_counter() - started + 1.3 * last < options.limit - 10:
                last = await batch(name)
    _tell(report, options, seconds, shares)


def _tell(
    report: Report, options: Options, seconds: dict[str, list[float]], shares: dict[str, dict[str, float]]
) -> None:
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    report.note(seconds=medians, batches={name: len(values) for name, values in seconds.items()})
    for name, share in shares.items():
        report.check(f"{name}: no branch failed", share["failures"] == 0, share["failures"])
        report.check(f"{name}: six boundaries", share["episodes"] == 6, share["episodes"])
        report.note(
            **{f"{name}: {key}": round(share[key], 4) for key in ("extra_tokens", "prefix_cache_hit", "episodes")}
        )
        ratio = medians[name] / medians["plain"]
        report.note(**{f"{name}: wall clock / plain": round(ratio, 3)})
        if not options.tiny and name in SAMPLING:
            report.check(f"{name}: at most {GOAL}", ratio <= GOAL, f"{ratio:.3f}")
