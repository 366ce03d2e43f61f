"""Bias and RMSE of every prover's J and progress, with tokens and seconds spent; prints one JSON line.

    VERL_PLATFORM=cpu python -m tests.benchmarks.provers_vllm --model outputs/quickstart/model \
        --data outputs/quickstart/data/test.parquet

The truth is J from `--truth` forced answers per prefix after the recipe's stop text; its own noise is in every RMSE and
printed beside them. Estimates are drawn from other answers than the truth, after `--stop-text`: so one that fits
the model less is measured against the same truth.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from transformers import AutoTokenizer

from mrt_verl.episode_kinds import load_splitter
from mrt_verl.evaluation.engines import VLLMEngine
from mrt_verl.grading import Grade, Grader
from mrt_verl.provers import Branches, load_prover
from mrt_verl.provers.ht import horvitz_thompson_weights
from mrt_verl.settings import MRTSettings
from mrt_verl.value_estimates import estimate_j, weights_of
from tests.builders import ROOT, default_settings

COUNTS = (1, 2, 4, 8)
DRAWS = 32
"""Further answers per prefix, from which DRAWS / G estimates at each G are made."""
SAMPLING = {"temperature": 1.0, "top_p": 1.0, "top_k": -1}


class Bench:
    """One engine, one model, and the prefixes of its traces."""

    def __init__(self, engine: VLLMEngine, tokenizer: Any, settings: MRTSettings, grader: Grader) -> None:
        self.engine, self.tokenizer, self.settings, self.grader = engine, tokenizer, settings, grader
        self.prefixes: list[list[int]] = []
        self.references: list[str] = []
        self.pairs: list[tuple[int, int]] = []
        """(prefix before, prefix after) of every episode."""

    async def sample_prefixes(self, rows: pd.DataFrame, count: int) -> None:
        """Prefixes before and after every episode of one trace per problem, until there are `count`."""
        splitter = load_splitter(self.tokenizer, self.settings)

        async def trace(row: Any) -> tuple[list[int], Any, list[int], str]:
            prompt = self.tokenizer.apply_chat_template(
                list(row.prompt), add_generation_prompt=True, tokenize=True, return_dict=False
            )
            params = {**SAMPLING, "max_tokens": 160}
            output = await self.engine.generate(request_id="trace", prompt_ids=list(prompt), sampling_params=params)
            split = splitter.split(output.token_ids, thinking_open=splitter.is_thinking_open(prompt))
            return list(prompt), split, output.token_ids, row.reward_model["ground_truth"]

        for prompt, split, ids, reference in await asyncio.gather(*(trace(row) for row in rows.itertuples())):
            if len(self.prefixes) >= count:
                return
            ends = [0, *(episode.end for episode in split.episodes)]
            first = len(self.prefixes)
            self.prefixes += [prompt + ids[:end] for end in ends]
            self.references += [reference] * len(ends)
            self.pairs += [(first + index, first + index + 1) for index in range(len(ends) - 1)]

    async def branch_all(self, settings: MRTSettings, count: int) -> tuple[list[Branches], float]:
        """`count` answers after every prefix, with their log-probs, and the seconds it took."""
        prover = load_prover(self.engine, self.tokenizer, settings)
        started = time.perf_counter()
        branches = await asyncio.gather(
            *(
                prover.branch(prefix, count=count, sampling_params=SAMPLING, request_id="b", references=[reference])
                for prefix, reference in zip(self.prefixes, self.references, strict=True)
            )
        )
        return branches, time.perf_counter() - started

    async def grade(self, branches: Sequence[Branches], stop_text: str) -> list[list[Grade]]:
        return [
            await self.grader.grade(
                [answer.text for answer in one.answers],
                reference,
                stop_text=stop_text,
                finished=[answer.finished for answer in one.answers],
            )
            for one, reference in zip(branches, self.references, strict=True)
        ]

    def errors(self, estimates: np.ndarray, truth: np.ndarray) -> dict[str, float]:
        """Bias and RMSE of J and of progress; estimates (prefixes, replicates), truth (prefixes,)."""
        before, after = np.array(self.pairs).T
        of_j = estimates - truth[:, None]
        of_progress = (estimates[after] - estimates[before]) - (truth[after] - truth[before])[:, None]
        return {
            "bias_j": round(float(of_j.mean()), 4),
            "rmse_j": round(float(np.sqrt((of_j**2).mean())), 4),
            "bias_progress": round(float(of_progress.mean()), 4),
            "rmse_progress": round(float(np.sqrt((of_progress**2).mean())), 4),
        }


def replicates(grades: Sequence[Grade], branches: Branches, count: int, weigh: bool) -> list[float]:
    """J from each run of `count` of a prefix's answers."""
    js = []
    for start in range(0, len(grades) - count + 1, count):
        some = slice(start, start + count)
        weights = horvitz_thompson_weights(branches.samples[some]) if weigh else None
        js.append(estimate_j(grades[some], weights) or 0.0)
    return js


async def measure(bench: Bench, truth_count: int, own: MRTSettings) -> dict[str, Any]:
    """The whole table; `own` are the settings of the estimates, the truth is by those of the bench."""
    ht = replace(own, prover="ht")
    many, _ = await bench.branch_all(bench.settings, truth_count)
    truth = np.array([estimate_j(grades) for grades in await bench.grade(many, bench.settings.stop_text)])
    print(f"truth: mean J {truth.mean():.3f} of {len(truth)} prefixes", flush=True)
    draws, _ = await bench.branch_all(ht, DRAWS)
    grades = await bench.grade(draws, own.stop_text)
    tokens = sum(one.tokens for one in draws) / len(draws) / DRAWS
    table: dict[str, Any] = {}
    kinds: dict[str, Callable[[int], tuple[MRTSettings, bool]]] = {
        "sample": lambda _: (own, False),
        "ht": lambda _: (ht, True),
    }
    for name, kind in kinds.items():
        for count in COUNTS:
            settings, weigh = kind(count)
            _, seconds = await bench.branch_all(settings, count)
            js = [replicates(g, one, count, weigh) for g, one in zip(grades, draws, strict=True)]
            row = bench.errors(np.array(js), truth)
            table[f"{name} G={count}"] = {**row, "tokens": round(tokens * count, 2), "seconds": round(seconds, 2)}
            print(name, count, table[f"{name} G={count}"], flush=True)
    scored, seconds = await bench.branch_all(replace(own, prover="likelihood"), 1)
    graded = zip(await bench.grade(scored, own.stop_text), scored, strict=True)
    js = [estimate_j(g, weights_of(one.answers)) for g, one in graded]
    row = bench.errors(np.array(js)[:, None], truth)
    spent = [one.tokens for one in scored]
    table["likelihood"] = {**row, "tokens": round(float(np.mean(spent)), 2), "seconds": round(seconds, 2)}
    print("likelihood", table["likelihood"], flush=True)
    anchored = replace(own, prover="anchored")
    for count in COUNTS:
        js, all_seconds, spent = [], [], []
        for _ in range(DRAWS // count):
            branches, seconds = await bench.branch_all(anchored, count)
            all_seconds.append(seconds)
            spent.append(sum(one.tokens for one in branches) / len(branches))
            graded = zip(await bench.grade(branches, own.stop_text), branches, strict=True)
            js.append([estimate_j(g, weights_of(one.answers)) for g, one in graded])
        row = bench.errors(np.array(js).T, truth)
        row |= {"tokens": round(float(np.mean(spent)), 2), "seconds": round(float(np.median(all_seconds)), 2)}
        table[f"anchored G={count}"] = row
        print("anchored", count, row, flush=True)
    noise = float(np.sqrt((truth * (1 - truth) / truth_count).mean()))
    return {
        "prefixes": len(truth),
        "episodes": len(bench.pairs),
        "truth_rmse_j": round(noise, 4),
        "truth_rmse_progress": round(noise * 2**0.5, 4),
        "ht_over_sample_rmse_progress_at_4": round(
            table["ht G=4"]["rmse_progress"] / table["sample G=4"]["rmse_progress"], 3
        ),
        "provers": table,
    }


async def main(arguments: argparse.Namespace) -> None:
    with initialize_config_dir(str(ROOT / "recipes" / "quickstart"), version_base=None):
        mrt = compose("train").mrt
    keys = ("markers", "stop_text", "reference_text", "min_steps", "branch_max_tokens")
    settings = default_settings(**{key: mrt[key] for key in keys if key in mrt})
    own = settings
    if arguments.stop_text:
        own = replace(settings, stop_text=arguments.stop_text, reference_text=arguments.reference_text)
    tokenizer = AutoTokenizer.from_pretrained(arguments.model)
    async with VLLMEngine(arguments.model, max_model_len=512) as engine:
        with Grader(thinking=None) as grader:
            bench = Bench(engine, tokenizer, settings, grader)
            await bench.sample_prefixes(pd.read_parquet(arguments.data), arguments.prefixes)
            print(json.dumps({"benchmark": "provers", **await measure(bench, arguments.truth, own)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--prefixes", type=int, default=320)
    parser.add_argument("--truth", type=int, default=256)
    parser.add_argument("--stop-text", help="of the estimates (the recipe's)")
    parser.add_argument("--reference-text", help="mrt.reference_text with --stop-text")
    asyncio.run(main(parser.parse_args()))
