"""What the provers get from a real vLLM engine, as JSON: run by test_prover_vllm.py in a process of its own."""

import asyncio
import json
import sys

from transformers import AutoTokenizer

from mrt_verl.evaluation.engines import VLLMEngine
from mrt_verl.provers import load_prover, scoring
from mrt_verl.provers.spelling import token_paths
from tests.builders import default_settings

PROMPT = "Let me try 3 and 7. 3 + 7 = 10, no.\n\nWait, let me try 1 2 4 5 6 8 9. yes.\n\n" * 4
OWN = {"stop_text": "The answer is \\boxed", "reference_text": "{ {reference}}", "branch_max_tokens": 6}
HOW = {"count": 3, "sampling_params": {"temperature": 0.8, "top_p": 1.0, "top_k": -1}, "request_id": "r"}
BLOCK = 16


class Greedy:
    """An engine that draws the likeliest answer."""

    def __init__(self, engine):
        self.engine = engine

    async def generate(self, *, sampling_params, **request):
        return await self.engine.generate(sampling_params={**sampling_params, "temperature": 0.0}, **request)


async def anchor(engine, tokenizer, prefix):
    """A reference that begins like the answer drawn after `prefix`, scored by `anchored`; None if it has no text."""
    own = {**OWN, "stop_text": "The answer is \\boxed{", "reference_text": "{reference}}", "prover": "anchored"}
    prover = load_prover(Greedy(engine), tokenizer, default_settings(**own))
    how = {**HOW, "count": 1}
    (sample,) = (await prover.sample(prefix, **how, log_probs=True)).samples
    reference = tokenizer.decode(sample.token_ids[:2]) + " 3, 7"
    (path,) = token_paths(tokenizer, prover.stop_after(prefix)[0], reference + "}")
    if path.moves_stop or path.ids[:2] != sample.token_ids[:2]:
        return None
    branches = await prover.branch(prefix, **how, references=[reference])
    return {
        "prompt_ids": [*prefix, *prover.stop_ids],
        "answer_ids": path.ids,
        "closers": path.closers,
        "weight": branches.answers[0].weight,
        "prompt_tokens": branches.prompt_tokens,
    }


async def main(model: str) -> None:
    scoring.NEGLIGIBLE = 0.0  # to a model that has learnt nothing every answer is improbable
    tokenizer = AutoTokenizer.from_pretrained(model)
    text = tokenizer.encode(PROMPT)
    async with VLLMEngine(model, max_model_len=512, block_size=BLOCK) as engine:
        likelihood = load_prover(engine, tokenizer, default_settings(**OWN, prover="likelihood"))
        scored = []
        (path,) = token_paths(tokenizer, OWN["stop_text"], "{ 3, 7}")
        for shorter in range(BLOCK):  # somewhere the end of a cached block falls inside the answer
            prefix = text[: len(text) - shorter]
            twice = [await likelihood.branch(prefix, **HOW, references=["3, 7"]) for _ in range(2)]
            scored.append(
                {
                    "prompt_ids": [*prefix, *likelihood.stop_ids[: path.shared]],
                    "weights": [one.answers[0].weight for one in twice],
                    "cached": [one.cached_tokens for one in twice],
                    "prompt_tokens": [one.prompt_tokens for one in twice],
                }
            )
        anchored = [await anchor(engine, tokenizer, text[: len(text) - shorter]) for shorter in range(2 * BLOCK)]
        ht = load_prover(engine, tokenizer, default_settings(**OWN, prover="ht"))
        samples = (await ht.branch(text, **HOW)).samples
    drawn = [[list(sample.token_ids), list(sample.log_probs or ())] for sample in samples]
    found = {
        "answer_ids": path.ids,
        "closers": path.closers,
        "scored": scored,
        "prompt_ids": [*text, *ht.stop_ids],
        "samples": drawn,
    }
    print(json.dumps({**found, "anchored": [one for one in anchored if one]}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
