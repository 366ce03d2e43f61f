"""The pool of a prompt's right answers: who waits for whom, what is graded, what is scored; and J made of it."""

import asyncio
import random
from dataclasses import replace

import pytest

from data_prep.search_task import format_pair, make_problems
from mrt_verl.answer_pool import MOST, AnswerPool
from mrt_verl.grading.text.boxes import in_box
from mrt_verl.provers import load_prover
from recipes.quickstart.prepare import SEED, rows
from recipes.study.fast.arms import ARMS
from recipes.study.fast.loop import SAMPLING, Experiment, Loop, Prompt
from recipes.study.fast.study import base_settings
from recipes.study.fast.tasks import TASKS, TRAIN


class Judge:
    """Right is what does not start with a minus; remembers what it was asked."""

    def __init__(self):
        self.asked = []

    async def __call__(self, answers):
        self.asked.append(list(answers))
        await asyncio.sleep(0)
        return [not answer.startswith("-") for answer in answers]


async def write(pool, judge, answer, *, seconds=0.0, fails=False):
    with pool.writing():
        await asyncio.sleep(seconds)
        if fails:
            raise RuntimeError("lost")
        pool.add(answer)
    return await pool.right(judge)


def play(*rollouts):
    async def group():
        pool, judge = AnswerPool(), Judge()
        found = await asyncio.gather(
            *(write(pool, judge, answer, **how) for answer, how in rollouts), return_exceptions=True
        )
        return found, judge.asked

    return asyncio.run(asyncio.wait_for(group(), timeout=5))


def test_all_wait_for_the_last_and_each_answer_is_graded_once():
    found, asked = play(("1/2", {}), ("0.5", {"seconds": 0.02}), ("-1", {"seconds": 0.01}), ("0.5", {}))
    assert found == [("0.5", "1/2")] * 4
    assert asked == [["1/2", "0.5", "-1"]]


def test_one_that_comes_while_others_are_graded():
    """It has no verdict yet; the rollouts before it do not wait for it."""

    async def group():
        pool, late = AnswerPool(), asyncio.Event()

        async def judge(answers):
            late.set()
            await asyncio.sleep(0.02)
            return [True] * len(answers)

        async def comes_late():
            await late.wait()
            return await write(pool, judge, "8")

        return await asyncio.gather(write(pool, judge, "7"), comes_late())

    assert asyncio.run(group()) == [("7",), ("7", "8")]


def test_one_that_fails_or_answers_nothing_is_not_waited_for():
    found, asked = play(("7", {}), ("8", {"seconds": 0.01, "fails": True}), (None, {}), ("", {}))
    assert [found[n] for n in (0, 2, 3)] == [("7",)] * 3
    assert isinstance(found[1], RuntimeError)
    assert asked == [["7"]]


def test_a_group_without_a_right_answer():
    found, _ = play(("-7", {}), (None, {}))
    assert found == [(), ()]


def test_the_most_frequent_are_kept():
    answers = [str(n) for n in range(6) for _ in range(6 - n)]
    random.Random(0).shuffle(answers)
    found, _ = play(*((answer, {}) for answer in answers))
    assert found[0] == ("0", "1", "2", "3") and MOST == 4


def test_one_that_comes_later_sees_all():
    async def group():
        pool, judge = AnswerPool(), Judge()
        first = await write(pool, judge, "7")
        return first, await write(pool, judge, "7.0"), judge.asked

    assert asyncio.run(group()) == (("7",), ("7", "7.0"), [["7"], ["7.0"]])


@pytest.fixture(scope="module")
def groups():
    """(loop, row, its group) on the study's warm start, whose answers are sets in either order."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)
    path = TASKS["pair"].warm_starts / "2"
    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    experiment = Experiment(replace(base_settings(), **ARMS["pooled"].settings), seed=5, tokens=1, learning_rate=0.0)
    loop = Loop(model, AutoTokenizer.from_pretrained(path), experiment)
    chosen = rows(make_problems(SEED)[TRAIN][:8], "train")

    async def sample():
        return await asyncio.gather(*map(loop._group, chosen))

    return loop, list(zip(chosen, asyncio.run(sample()), strict=True))


def orders(row):
    """The right pair as a set, the reference's order first."""
    first, second = row["reward_model"]["ground_truth"].strip("\\{}").split(", ")
    return [format_pair((int(a), int(b))) for a, b in ((first, second), (second, first))]


def test_every_boundary_scores_what_the_group_answered_rightly(groups):
    """Some groups of these write both orders, some one; each boundary of each rollout scores the same."""
    loop, sampled = groups
    counts = []
    for row, group in sampled:
        finals = {loop.rollout.final_answer(loop.rollout.read(loop.encode(row), one.trace)) for one in group}
        reference, other = (in_box(loop.experiment.settings.stop_text, text) for text in orders(row))
        expected = {reference, *([other] if orders(row)[1] in finals else [])}
        for one in group:
            branches = one.record.branches
            for answers in [branches.forced_before, *filter(None, branches.forced)]:
                assert {answer.text for answer in answers} == expected
        counts.append(len(expected))
    assert set(counts) == {1, 2}


def test_j_is_the_probability_of_all_of_them(groups):
    """As of `likelihood` that is told both orders."""
    loop, sampled = groups
    prover = load_prover(loop.engine, loop.tokenizer, loop.experiment.settings)
    row, group = next((row, group) for row, group in sampled if len(group[0].record.branches.forced_before) == 2)
    prefix = loop.encode(row)
    told = asyncio.run(
        prover.branch(prefix, count=1, sampling_params=SAMPLING, request_id="again", references=orders(row))
    )
    expected = sum(answer.weight for answer in told.answers)
    assert sum(answer.weight for answer in group[0].record.branches.forced_before) == pytest.approx(expected, rel=1e-3)
    assert Prompt(loop, row).references == (orders(row)[0],)
