"""vLLM's log-probs, sampled and scored, against transformers; a cached prefix; answers in batch and one by one."""

import asyncio
import statistics
from collections.abc import Sequence
from typing import Any

from data_prep.search_task import STOP_TEXT, make_problems
from mrt_verl.sampling_params import UNTRUNCATED, score_params
from tests.gpu.models import WARM_START, Forward
from tests.gpu.report import Options, Report

TRACES, TOKENS, BLOCK = 16, 160, 16
TEMPERATURES = (1.0, 0.9)
SCORED = 6
"""Tokens of the scored text."""
MEAN, WORST = {"cpu": 1e-4, "cuda": 0.02}, {"cpu": 1e-3, "cuda": 0.3}
"""Mean and largest gap to a float32 forward pass: vLLM runs in float32 on a CPU, in bfloat16 on a GPU."""


def run(report: Report, options: Options) -> None:
    asyncio.run(_run(report, options))


async def _run(report: Report, options: Options) -> None:
    from mrt_verl.evaluation.engines import VLLMEngine

    own: dict[str, Any] = {} if options.tiny else {"gpu_memory_utilization": 0.3, "block_size": BLOCK}
    async with VLLMEngine(str(WARM_START), max_model_len=384, dtype=options.dtype, **own) as engine:
        config = engine._engine.vllm_config
        report.note(
            runner="v2" if getattr(config, "use_v2_model_runner", False) else "v1",
            attention=str(getattr(config.attention_config, "backend", "")),
        )
        await check_engine(report, options, engine)


async def check_engine(report: Report, options: Options, engine: Any, *, traces: int = TRACES) -> None:
    """All checks of an engine that serves the warm start."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    forward = Forward.of(str(WARM_START), options.device)
    prompts = [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": one.question}], add_generation_prompt=True, return_dict=False
        )
        for one in make_problems(0)[:traces]
    ]
    written: list[list[int]] = []
    for temperature in TEMPERATURES:
        written = await _sampled(report, options, engine, forward, prompts, temperature)
    text = [*prompts[0], *written[0]][:100]
    await _scored(report, options, engine, forward, text)
    await _batched(report, options, engine, [*text, *tokenizer.encode(STOP_TEXT)])


async def _sampled(
    report: Report, options: Options, engine: Any, forward: Forward, prompts: Sequence[list[int]], temperature: float
) -> list[list[int]]:
    """Traces of every prompt, whose log-probs are those of a forward pass at the same temperature."""
    params = {**UNTRUNCATED, "temperature": temperature, "max_tokens": TOKENS, "logprobs": True}
    asked = (engine.generate(request_id="t", prompt_ids=ids, sampling_params=params) for ids in prompts)
    outputs = await asyncio.gather(*asked)
    gaps = []
    for prompt, output in zip(prompts, outputs, strict=True):
        expected = forward.continuation(prompt, output.token_ids, temperature)
        gaps += [abs(one - other) for one, other in zip(output.log_probs, expected, strict=True)]
    mean, worst = statistics.mean(gaps), max(gaps)
    name = f"sampled log-probs at T={temperature}"
    holds = mean < MEAN[options.device] and worst < WORST[options.device]
    report.check(name, holds, f"{len(gaps)} tokens")
    report.note(**{f"{name}: mean gap": f"{mean:.1e}", f"{name}: worst": f"{worst:.1e}"})
    return [output.token_ids for output in outputs]


async def _scored(report: Report, options: Options, engine: Any, forward: Forward, text: list[int]) -> None:
    """The last tokens of a prompt, scored without and with what the cache holds of it, wherever a cached block ends."""
    for read in (False, True):
        worst, cached, rows = 0.0, [], []
        for shorter in range(BLOCK):
            ids = text[: len(text) - shorter]
            params = score_params(read_prefix_cache=read)
            output = await engine.generate(request_id="s", prompt_ids=ids, sampling_params=params)
            given = output.extra_fields["prompt_logprobs"]
            hit = output.extra_fields["num_cached_tokens"]
            cached.append(hit)
            rows.append(len(given))
            # counted from the end, without the row of what follows; a row holds where the token before it
            # was computed, not read from the cache
            wanted = min(SCORED, len(ids) - 1 - hit)
            expected = forward.continuation(ids[:-wanted], ids[-wanted:]) if wanted else []
            got = [row[0] for row in given[-1 - wanted : -1]]
            same_length = len(got) == len(expected)
            gap = max((abs(a - b) for a, b in zip(got, expected, strict=False)), default=0.0)
            worst = max(worst, gap if same_length else float("inf"))
        name = f"scored prompt, cache {'read' if read else 'not read'}"
        report.check(name, worst < WORST[options.device], f"worst gap {worst:.1e}")
        report.check(f"{name}: cached tokens", (max(cached) > 0) == read, cached)
        report.note(**{f"{name}: rows of {len(text)}": f"{min(rows)} to {max(rows)}"})


async def _batched(report: Report, options: Options, engine: Any, prompt: list[int]) -> None:
    """Sixteen seeded forced answers after one prefix: all at once, and one by one."""

    async def answer(seed: int) -> Any:
        params = {**UNTRUNCATED, "max_tokens": 12, "logprobs": True, "seed": seed}
        return await engine.generate(request_id="a", prompt_ids=prompt, sampling_params=params)

    together = await asyncio.gather(*(answer(seed) for seed in range(16)))
    alone = [await answer(seed) for seed in range(16)]
    same = sum(one.token_ids == other.token_ids for one, other in zip(together, alone, strict=True))
    pairs = [(one, other) for one, other in zip(together, alone, strict=True) if one.token_ids == other.token_ids]
    gaps = [abs(a - b) for one, other in pairs for a, b in zip(one.log_probs, other.log_probs, strict=True)]
    different = len({tuple(one.token_ids) for one in together})
    # in bfloat16 a batch adds up in another order, and a draw near the edge of two tokens may turn out the other way
    least = 16 if options.tiny else 8
    report.check("answers in batch as one by one", same >= least and max(gaps) < WORST[options.device], f"{same} of 16")
    report.check("seeds draw different answers", different > 1, f"{different} of 16")
    report.note(answers_alike=same, answers_worst_gap=f"{max(gaps, default=0.0):.1e}")
