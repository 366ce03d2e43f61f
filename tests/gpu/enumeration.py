"""Every prover's J after a boundary against J by enumeration of all answers the model may give, by transformers."""

import asyncio
import heapq
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data_prep.search_task import STOP_TEXT, make_problems
from mrt_verl.grading import Grader
from mrt_verl.grading.answers import AnswerGrader
from mrt_verl.provers import PROVERS, load_prover
from mrt_verl.provers.answer_end import read_answer
from mrt_verl.provers.spelling import spell
from mrt_verl.settings import MRTSettings
from mrt_verl.value_estimates import estimate_j, weights_of
from tests.builders import default_settings
from tests.gpu.models import WARM_START, Forward
from tests.gpu.report import Options, Report

PREFIXES, REPEATS, ANSWERS = 4, 64, 4
TRIED, OPEN = 64, (0.1, 0.99)
"""Problems that are looked at, and J of those that are taken."""
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
    from mrt_verl.evaluation.engines import VLLMEngine

    own: dict[str, Any] = {} if options.tiny else {"gpu_memory_utilization": 0.3, "block_size": 16}
    async with VLLMEngine(str(WARM_START), max_model_len=384, dtype=options.dtype, **own) as engine:
        await check_provers(report, options, engine)


async def check_provers(report: Report, options: Options, engine: Any, *, prefixes: int = PREFIXES) -> None:
    """Every prover on an engine that serves the warm start."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(WARM_START)
    forward = Forward.of(str(WARM_START), options.device)
    settings = {name: default_settings(**OWN, prover=name) for name in PROVERS}
    grader = AnswerGrader(Grader(deadline_s=30.0, thinking=None), tokenizer, settings["sample"], None)
    number = 0
    for problem in make_problems(0)[:TRIED]:
        prefix = await _prefix(engine, tokenizer, problem.question)
        prover = load_prover(engine, tokenizer, settings["sample"])
        prompt = [*prefix, *prover.stop_after(prefix)[1]]
        row = {"reward_model": {"ground_truth": problem.answer}}
        answers, left = enumerate_answers(forward, tokenizer, prompt, prover.banned_ids, settings["sample"])
        grades = await grader.grade_forced([(one.text, True, one.mass) for one in answers], [], row)
        right = [grade.score > 0 for grade in grades]
        j = math.fsum(answer.mass for answer, is_right in zip(answers, right, strict=True) if is_right)
        if not OPEN[0] < j < OPEN[1]:
            continue  # where next to no answer is right, a wrong prover is right too
        report.note(**{f"prefix {number}: J, answers, left": [round(j, 4), len(answers), round(left, 4)]})
        for name in PROVERS:
            prover = load_prover(engine, tokenizer, settings[name])
            mean_of = expected(prover, answers, right, [problem.answer])
            allowed = left + (1e-3 if options.tiny else 0.03)  # bfloat16 moves the probabilities themselves
            await _compare(report, f"prefix {number}, {name}", prover, grader, prefix, row, mean_of, allowed)
        number += 1
        if number == prefixes:
            break
    report.check("prefixes at which J is open", number == prefixes, f"{number} among {TRIED} problems")


async def _prefix(engine: Any, tokenizer: Any, question: str) -> list[int]:
    """A prompt and what the model thinks after it, up to the end of its first paragraph."""
    ids = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], add_generation_prompt=True, return_dict=False
    )
    params = {"temperature": 1.0, "max_tokens": 40, "stop": ["\n\n"], "include_stop_str_in_output": True, "seed": 1}
    output = await engine.generate(request_id="p", prompt_ids=ids, sampling_params=params)
    return [*ids, *output.token_ids]


@dataclass(frozen=True)
class Answer:
    """One way to answer, by its stem (provers/answer_end.py)."""

    text: str
    through: float
    """Probability that an answer begins with the stem."""
    mass: float
    """Probability that it ends right after it, so reading `text`."""


def enumerate_answers(
    forward: Forward, tokenizer: Any, prompt: list[int], banned: Sequence[int], settings: MRTSettings
) -> tuple[list[Answer], float]:
    """The answers that end, and the probability of all others; most likely beginnings first."""
    answers: dict[tuple[str, tuple[int, ...]], Answer] = {}
    todo: list[tuple[float, tuple[int, ...]]] = [(-1.0, ())]  # a heap: smallest first, so probabilities are negative
    left = 1.0
    while todo and left > LEFT and -todo[0][0] > CONTINUED:
        chosen = [heapq.heappop(todo)]
        while todo and len(chosen) < BEAM and len(todo[0][1]) == len(chosen[0][1]) and -todo[0][0] > CONTINUED:
            chosen.append(heapq.heappop(todo))
        rows = forward.rows([[*prompt, *ids] for _, ids in chosen])[:, -1]
        rows[:, list(banned)] = -math.inf
        for (negative, ids), row in zip(chosen, rows.log_softmax(-1).exp().cpu(), strict=True):
            for token in (row * -negative > CONTINUED / 10).nonzero()[:, 0].tolist():
                p, longer = -negative * row[token].item(), (*ids, token)
                is_end = token == tokenizer.eos_token_id
                text, _, ends = read_answer(tokenizer, longer, settings, ended_by_itself=is_end)
                if ends:
                    known = answers.get((text, ids))
                    answers[text, ids] = Answer(text, -negative, p + (known.mass if known else 0.0))
                    left -= p
                elif len(longer) < settings.branch_max_tokens:
                    heapq.heappush(todo, (-p, longer))
    return list(answers.values()), left


def expected(prover: Any, answers: Sequence[Answer], right: Sequence[bool], references: Sequence[str]) -> float:
    """What a prover's estimates are on average: J if it is unbiased, else J without what it does not see."""
    settings = prover.settings
    spelled = spell(settings.stop_text, settings.reference_text, references) if prover.scores_reference else []
    count = prover.answers_drawn(settings)
    total = 0.0
    for answer, is_right in zip(answers, right, strict=True):
        seen = 1.0 - (1.0 - answer.through) ** count
        total += answer.mass * is_right * (1.0 if prover.is_unbiased or answer.text in spelled else seen)
    return total


async def _compare(
    report: Report,
    name: str,
    prover: Any,
    grader: AnswerGrader,
    prefix: list[int],
    row: dict[str, Any],
    mean_of: float,
    allowed: float,
) -> None:
    """The mean of many estimates against what it should be."""
    asked = (
        prover.branch(
            prefix,
            count=ANSWERS,
            sampling_params={"temperature": 1.0, "top_p": 1.0, "top_k": -1},
            request_id=f"{name} {repeat}",
            references=[row["reward_model"]["ground_truth"]],
        )
        for repeat in range(REPEATS)
    )
    js = []
    for branches in await asyncio.gather(*asked):
        if branches.failures:
            report.check(name, False, f"{branches.failures} branches failed")
            return
        grades = await grader.grade_forced(branches.answers, [], row)
        js.append(estimate_j(grades, weights_of(branches.answers)) or 0.0)
    mean, spread = statistics.mean(js), statistics.pstdev(js)
    allowed += NOISE * spread / math.sqrt(REPEATS)
    said = f"mean {mean:.4f}, expected {mean_of:.4f}, spread {spread:.4f}, allowed {allowed:.4f}"
    report.check(name, abs(mean - mean_of) <= allowed, said)
    report.note(**{f"{name}: mean, expected, spread": [round(x, 4) for x in (mean, mean_of, spread)]})
