"""Every prover's J after a boundary against J by enumeration of all answers the model may give, by transformers."""

import asyncio
import heapq
import math
import statistics
from collections.abc import Sequence
from typing import Any

from data_prep.search_task import STOP_TEXT, make_problems
from mrt_verl.grading import Grader
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.provers import PROVERS, load_prover
from mrt_verl.provers.answer_end import read_answer
from mrt_verl.settings import MRTSettings
from mrt_verl.value_estimates import estimate_j, weights_of
from tests.builders import default_settings
from tests.gpu.models import WARM_START, Forward
from tests.gpu.report import Options, Report

PREFIXES, REPEATS, ANSWERS = 4, 64, 4
LEFT = 0.01
"""Probability of the answers that are not enumerated, at most."""
BEAM = 64
"""Partial answers that are continued in one forward pass."""
CONTINUED = 1e-5
"""Partial answers less likely than this are left."""
OWN = {"stop_text": STOP_TEXT, "branch_max_tokens": 12, "branches": ANSWERS}
NOISE = 4.0
"""Standard errors by which the mean of the repeats may miss; a chance of 1 in 16,000 each."""


def run(report: Report, options: Options) -> None:
    asyncio.run(_run(report, options))


async def _run(report: Report, options: Options) -> None:
    from transformers import AutoTokenizer

    from mrt_verl.evaluation.engines import VLLMEngine

    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    forward = Forward.of(str(WARM_START), options.device)
    own: dict[str, Any] = {} if options.tiny else {"gpu_memory_utilization": 0.3, "block_size": 16}
    settings = {name: default_settings(**OWN, prover=name) for name in PROVERS}
    grader = AnswerGrader(Grader(deadline_s=30.0, thinking=None), tokenizer, settings["sample"], None)
    async with VLLMEngine(str(WARM_START), max_model_len=384, dtype=options.dtype, **own) as engine:
        for number, problem in enumerate(make_problems(0)[:PREFIXES]):
            prefix = await _prefix(engine, tokenizer, problem.question)
            prover = load_prover(engine, tokenizer, settings["sample"])
            prompt = [*prefix, *prover.stop_after(prefix)[1]]
            row = {"reward_model": {"ground_truth": problem.answer}}
            exact = await _exact(forward, tokenizer, grader, prompt, prover.banned_ids, settings["sample"], row)
            report.note(**{f"prefix {number}: enumerated": {k: round(v, 4) for k, v in exact.items()}})
            for name in PROVERS:
                prover = load_prover(engine, tokenizer, settings[name])
                await _compare(report, f"prefix {number}, {name}", prover, grader, prefix, row, exact, options)


async def _prefix(engine: Any, tokenizer: Any, question: str) -> list[int]:
    """A prompt and what the model thinks after it, up to the end of its first paragraph."""
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
    )
    params = {"temperature": 1.0, "max_tokens": 40, "stop": ["\n\n"], "include_stop_str_in_output": True, "seed": 1}
    output = await engine.generate(request_id="p", prompt_ids=ids, sampling_params=params)
    return [*ids, *output.token_ids]


async def _exact(
    forward: Forward,
    tokenizer: Any,
    grader: AnswerGrader,
    prompt: list[int],
    banned: Sequence[int],
    settings: MRTSettings,
    row: dict[str, Any],
) -> dict[str, float]:
    """J by enumeration; of it the share written as the reference; and the probability that was left out."""
    texts, left = enumerate_answers(forward, tokenizer, prompt, banned, settings)
    from mrt_verl.provers.base import ForcedAnswer

    answers = [ForcedAnswer(text, True, p) for text, p in texts.items()]
    grades = await grader.grade_forced(answers, [], row)
    right = math.fsum(p * grade.score for p, grade in zip(texts.values(), grades, strict=True))
    return {"j": right, "left": left, "answers": float(len(texts))}


def enumerate_answers(
    forward: Forward, tokenizer: Any, prompt: list[int], banned: Sequence[int], settings: MRTSettings
) -> tuple[dict[str, float], float]:
    """({text of an answer that ends: its probability}, probability of all others), most likely beginnings first."""
    eos, texts, done = tokenizer.eos_token_id, dict[str, float](), 0.0
    todo: list[tuple[float, tuple[int, ...]]] = [(-1.0, ())]  # a heap: smallest first, so probabilities are negative
    while todo and 1.0 - done > LEFT:
        if -todo[0][0] < CONTINUED:
            break
        length = len(todo[0][1])
        chosen = [heapq.heappop(todo)]
        while todo and len(chosen) < BEAM and len(todo[0][1]) == length and -todo[0][0] >= CONTINUED:
            chosen.append(heapq.heappop(todo))
        rows = forward.rows([[*prompt, *ids] for _, ids in chosen])[:, -1]
        rows[:, list(banned)] = -math.inf
        rows = rows.log_softmax(-1).exp().cpu()
        for (negative, ids), row in zip(chosen, rows, strict=True):
            for token in (row * -negative > CONTINUED / 10).nonzero()[:, 0].tolist():
                p, longer = -negative * row[token].item(), (*ids, token)
                text, _, ends = read_answer(tokenizer, longer, settings, ended_by_itself=token == eos)
                if ends:
                    texts[text] = texts.get(text, 0.0) + p
                    done += p
                elif len(longer) < settings.branch_max_tokens:
                    heapq.heappush(todo, (-p, longer))
    return texts, 1.0 - done


async def _compare(
    report: Report,
    name: str,
    prover: Any,
    grader: AnswerGrader,
    prefix: list[int],
    row: dict[str, Any],
    exact: dict[str, float],
    options: Options,
) -> None:
    """The mean of many estimates: J where the prover is unbiased; its own probability of the reference else."""
    js = []
    for repeat in range(REPEATS):
        branches = await prover.branch(
            prefix,
            count=ANSWERS,
            sampling_params={"temperature": 1.0, "top_p": 1.0, "top_k": -1},
            request_id=f"{name} {repeat}",
            references=[row["reward_model"]["ground_truth"]],
        )
        if branches.failures:
            report.check(name, False, f"{branches.failures} branches failed")
            return
        grades = await grader.grade_forced(branches.answers, [], row)
        js.append(estimate_j(grades, weights_of(branches.answers)) or 0.0)
    mean, spread = statistics.mean(js), statistics.pstdev(js)
    allowed = NOISE * spread / math.sqrt(REPEATS) + exact["left"] + (1e-3 if options.tiny else 0.03)
    low = exact["j"] - allowed
    holds = low <= mean <= exact["j"] + allowed if not _biased(prover) else mean <= exact["j"] + allowed
    report.check(name, holds, f"mean {mean:.4f} of J {exact['j']:.4f}, spread {spread:.4f}, allowed {allowed:.4f}")
    report.note(**{f"{name}: mean, spread": [round(mean, 4), round(spread, 4)]})


def _biased(prover: Any) -> bool:
    """Whether it knows the reference's own spelling alone, a lower bound of J."""
    return not prover.answers_drawn(prover.settings)
