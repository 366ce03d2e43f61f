"""What a branch costs the server's front end by the length of its prefix: scored against sampled; prints one JSON line.

    VERL_PLATFORM=cpu python -m tests.benchmarks.scored_prompts --model outputs/quickstart/model

vLLM hands back the log-probs of a whole prompt, also of the part it read from its cache, and they are unpacked token by
token in the front end, whose CPU time is what is measured here (the engine is another process). A GPU does not change
it. Prefixes are random tokens and cached; the scored text has 6 tokens, the sampled answer as many.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mrt_verl.evaluation.engines import VLLMEngine
from mrt_verl.sampling_params import UNTRUNCATED, answer_params, score_params
from tests.benchmarks.rollout_cost import with_context

ANSWER_TOKENS = 6
KINDS = {
    "sampled": answer_params(UNTRUNCATED, max_tokens=ANSWER_TOKENS, stop=["\n"], temperature=None, log_probs=True)
    | {"ignore_eos": True},
    "scored": score_params(read_prefix_cache=True),
}


async def front_end_ms(engine: VLLMEngine, prefix: list[int], kind: str, requests: int) -> float:
    """CPU milliseconds of this process for each of so many concurrent requests."""
    rng = np.random.default_rng(0)
    tails = rng.integers(3, 250, (requests, ANSWER_TOKENS)).tolist() if kind == "scored" else [[]] * requests
    started = time.process_time()
    await asyncio.gather(
        *(
            engine.generate(request_id=kind, prompt_ids=[*prefix, *tail], sampling_params=dict(KINDS[kind]))
            for tail in tails
        )
    )
    return (time.process_time() - started) / requests * 1000


async def main(arguments: argparse.Namespace) -> None:
    result: dict[str, Any] = {"benchmark": "scored_prompts", "requests": arguments.requests}
    longest = max(arguments.tokens) + 64
    with tempfile.TemporaryDirectory() as directory:
        model = with_context(arguments.model, Path(directory), longest)
        async with VLLMEngine(model, max_model_len=longest, max_num_seqs=arguments.requests) as engine:
            for tokens in arguments.tokens:
                prefix = np.random.default_rng(tokens).integers(3, 250, tokens).tolist()
                row: dict[str, list[float]] = {kind: [] for kind in KINDS}
                for _ in range(arguments.repeats + 1):  # the first fills the cache
                    for kind, values in row.items():
                        values.append(await front_end_ms(engine, prefix, kind, arguments.requests))
                medians = {kind: round(statistics.median(values[1:]), 3) for kind, values in row.items()}
                print(f"{tokens} tokens: {medians} ms a request", flush=True)
                result[str(tokens)] = medians
    print(json.dumps(result))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokens", type=int, nargs="+", default=[512, 2048, 8192, 16384])
    parser.add_argument("--requests", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=5)
    asyncio.run(main(parser.parse_args()))
