"""The package's provers through vLLM against the same provers on plain transformers; prints JSON.

    VERL_PLATFORM=cpu python -m tests.benchmarks.forced_answers.engine --model outputs/smollm2_cpu/model \
        --data outputs/forced_answers

Every prover runs twice at every prefix: on vLLM, then on an engine that says the same tokens and works out each
log-prob anew, without a cache. Weights and J must agree. Beside them stands the reference's probability from `collect`,
which knows nothing of the package's provers.
"""

import argparse
import asyncio
import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer

from mrt_verl.evaluation.engines import TokenOutput, VLLMEngine
from mrt_verl.grading import Grader
from mrt_verl.provers import Branches, load_prover
from mrt_verl.value_estimates import estimate_j, weights_of
from tests.benchmarks.forced_answers.collect import settings_of_run
from tests.benchmarks.forced_answers.estimators import path_probability
from tests.benchmarks.forced_answers.model import PrefixModel
from tests.benchmarks.forced_answers.stored import read_lines

PROVERS = ("likelihood", "ht", "anchored")
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1}
CONTEXT = 640


class Recorder:
    """An engine whose sampled answers are kept."""

    def __init__(self, engine: VLLMEngine) -> None:
        self._engine = engine
        self.drawn: dict[tuple[int, ...], dict[int, list[int]]] = {}

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """As VLLMEngine.generate."""
        output = await self._engine.generate(
            request_id=request_id, prompt_ids=prompt_ids, sampling_params=sampling_params
        )
        if sampling_params["max_tokens"] > 1:
            self.drawn.setdefault(tuple(prompt_ids), {})[sampling_params["seed"]] = list(output.token_ids)
        return output


class Reference:
    """An engine in plain transformers: each request is one uncached pass; sampled answers are those recorded."""

    def __init__(self, model: PrefixModel, recorder: Recorder) -> None:
        self._model = model.model
        self._recorder = recorder

    @functools.lru_cache(maxsize=4096)  # noqa: B019 one engine lives as long as the process
    def look(self, ids: tuple[int, ...]) -> tuple[list[float], torch.Tensor]:
        """(log-prob of every token but the first, log-probs of the next token)."""
        rows = self._model(torch.tensor([ids]), use_cache=False).logits[0].float().log_softmax(-1)
        return rows[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0].tolist(), rows[-1].clone()

    async def generate(self, *, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any]) -> TokenOutput:
        """As VLLMEngine.generate, for the requests of provers."""
        prompt = tuple(prompt_ids)
        if sampling_params["max_tokens"] > 1:
            ids = self._recorder.drawn[prompt][sampling_params["seed"]]
            log_probs = self.look((*prompt, *ids))[0][-len(ids) :]
            return TokenOutput(token_ids=ids, log_probs=log_probs, stop_reason="completed", extra_fields={})
        scored, row = self.look(prompt)
        allowed = sampling_params.get("allowed_token_ids")
        if allowed is not None:
            kept = torch.full_like(row, -torch.inf)
            kept[allowed] = row[allowed]
            row = kept.log_softmax(-1)
        token = int(row.argmax())
        extra: dict[str, Any] = {"num_cached_tokens": 0}
        if "prompt_logprobs" in sampling_params:
            extra["prompt_logprobs"] = [*([one] for one in scored), [0.0]]
        return TokenOutput(token_ids=[token], log_probs=[row[token].item()], stop_reason="length", extra_fields=extra)


class Comparison:
    """Provers on two engines, at one prefix after the other."""

    def __init__(self, engine: VLLMEngine, model: PrefixModel, tokenizer: Any, grader: Grader, count: int) -> None:
        self._recorder = Recorder(engine)
        self._engines = (self._recorder, Reference(model, self._recorder))
        self._tokenizer, self._grader, self._count = tokenizer, grader, count

    async def at(self, prefix: dict[str, Any], name: str) -> dict[str, Any]:
        """Weights and J of a prover on both engines."""
        settings = settings_of_run(prover=name, seed=1)
        how = {
            "count": self._count,
            "sampling_params": SAMPLING,
            "request_id": "r",
            "references": [prefix["reference"]],
        }
        both: list[Branches] = []
        for engine in self._engines:
            both.append(await load_prover(engine, self._tokenizer, settings).branch(prefix["ids"], **how))
        grades = [
            await self._grader.grade(
                [answer.text for answer in one.answers],
                prefix["reference"],
                stop_text=settings.stop_text,
                finished=[answer.finished for answer in one.answers],
            )
            for one in both
        ]
        ours, theirs = (weights_of(one.answers) or [] for one in both)
        off = max((abs(a - b) for a, b in zip(ours, theirs, strict=True)), default=0.0)
        js = [estimate_j(each, weights_of(one.answers)) for each, one in zip(grades, both, strict=True)]
        return {
            "weights_off": off,
            "j": js[0],
            "j_reference": js[1],
            "failures": both[0].failures + both[1].failures,
            "tokens": both[0].tokens,
        }


def summary(rows: Sequence[dict[str, Any]], exact: Sequence[float]) -> dict[str, Any]:
    """The largest differences of one prover."""
    js = np.array([[row["j"], row["j_reference"]] for row in rows], dtype=float)
    found = {
        "prefixes": len(rows),
        "largest_difference_of_a_weight": max(row["weights_off"] for row in rows),
        "largest_difference_of_j": float(np.abs(js[:, 0] - js[:, 1]).max()),
        "mean_j": float(js[:, 0].mean()),
        "failures": sum(row["failures"] for row in rows),
        "tokens_a_boundary": float(np.mean([row["tokens"] for row in rows])),
    }
    off = js[:, 0] - np.array(exact)
    return {**found, "j_minus_exact": {"mean": float(off.mean()), "largest": float(np.abs(off).max())}}


async def main(arguments: argparse.Namespace) -> None:
    torch.set_grad_enabled(False)
    prefixes = read_lines(arguments.data / "prefixes.jsonl")[: arguments.prefixes]
    lines = [line for line in read_lines(arguments.data / "answers.jsonl") if line["stop"] == "new"]
    exact = {line["prefix"]: sum(map(path_probability, line["exact"]["paths"])) for line in lines}
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    model = PrefixModel(arguments.model)
    async with VLLMEngine(str(arguments.model), max_model_len=CONTEXT) as engine:
        with Grader(thinking=None) as grader:
            comparison = Comparison(engine, model, tokenizer, grader, arguments.count)
            for name in PROVERS:
                rows = [await comparison.at(prefixes[index], name) for index in exact if index < len(prefixes)]
                known = [p for index, p in exact.items() if index < len(prefixes)]
                print(json.dumps({"prover": name, **summary(rows, known)}), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prefixes", type=int, default=1000)
    parser.add_argument("--count", type=int, default=4)
    asyncio.run(main(parser.parse_args()))
