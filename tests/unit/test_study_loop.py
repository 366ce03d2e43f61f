"""The study's loop on its own warm start: two small steps of each kind of arm, what is counted, and the summary."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from recipes.quickstart.prepare import rows
from recipes.study.fast import hosts
from recipes.study.fast.arms import ARMS, shorter_is_better
from recipes.study.fast.credits import median_of_five
from recipes.study.fast.intervals import ratio_interval, t_interval
from recipes.study.fast.loop import Experiment, Loop
from recipes.study.fast.study import base_settings, jobs_of
from recipes.study.fast.summary import (
    at_equal,
    best_rates,
    complete,
    read_results,
    table_of_arms,
    table_of_differences,
    table_of_tries,
    token_efficiency,
    tuning_table,
)
from recipes.study.fast.tasks import DEVELOPMENT, PROBLEM_SEED, REST, TASKS, TEST, TRAIN

PAIR = TASKS["pair"]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """As the study runs; two threads on two busy cores wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def problems():
    return rows(PAIR.make_problems(PROBLEM_SEED)[TRAIN][:8], "train")


def load():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = PAIR.warm_starts / "1"
    return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32), AutoTokenizer.from_pretrained(path)


@pytest.mark.parametrize("name", ["grpo", "likelihood", "seen", "pooled", "paper_prefix", "one_episode"])
def test_an_arm_trains(problems, name):
    model, tokenizer = load()
    before = [weight.detach().clone() for weight in model.parameters()]
    arm = ARMS[name]
    sizes = {"prompts": 2, "rollouts": 4}
    settings = replace(base_settings(), **arm.settings)
    experiment = Experiment(settings=settings, seed=1, tokens=800, learning_rate=1e-3, **{**arm.experiment, **sizes})
    log = list(Loop(model, tokenizer, experiment).steps(problems))
    assert log[-1]["tokens"] >= 800 > (log[-2]["tokens"] if len(log) > 1 else 0)
    assert any((a != b).any() for a, b in zip(before, model.parameters(), strict=True))
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
    assert log[0]["mrt/branch_failures"] == 0
    assert (log[0]["mrt/branch_tokens_ratio"] > 0) == (name != "grpo")
    assert log[0]["mrt/episodes_mean"] > 0


def test_the_same_seed_gives_the_same_run(problems):
    logs = []
    for _ in range(2):
        model, tokenizer = load()
        experiment = Experiment(base_settings(), seed=3, tokens=600, learning_rate=1e-3, prompts=2, is_plain=True)
        logs.append([step["grad_norm"] for step in Loop(model, tokenizer, experiment).steps(problems)])
    assert logs[0] == pytest.approx(logs[1], rel=1e-3)


def test_a_run_of_so_many_updates(problems):
    """As verl's: the first step has the whole learning rate, of two the second half of it."""
    model, tokenizer = load()
    loop = Loop(
        model,
        tokenizer,
        Experiment(base_settings(), 1, tokens=0, updates=2, learning_rate=1e-3, prompts=2, is_plain=True),
    )
    rates = [loop.optimizer.param_groups[0]["lr"] for _ in loop.steps(problems)]
    assert rates == pytest.approx([1e-3, 5e-4])


def test_two_hosts_side_by_side(tmp_path):
    """60 updates in four parts, of three seeds; verl's runs were evaluated."""
    outcome = [0.25] * 15 + [0.5] * 30 + [0.75] * 15

    def runs(**more):
        return {arm: {str(seed): {"outcome": outcome, **more} for seed in hosts.SEEDS} for arm in hosts.ARMS}

    results = {"verl": runs(pass_at_1=0.5, regret=0.5), "loop": runs()}
    results["verl"]["mrt"] = {
        str(seed): {"outcome": outcome, "pass_at_1": 0.5 + seed / 10, "regret": 0.4} for seed in hosts.SEEDS
    }
    table = hosts.agreement(results)
    assert len(table) == 6 and table[2].startswith("| `grpo`, verl | 0.250 [0.250, 0.250] | 0.500 [0.500, 0.500] |")
    told = hosts.differences(results)
    assert told[2].startswith("| pass@1 | +0.100 | +0.200 | +0.300 | +0.200 [-0.048, +0.448] |")
    assert told[3] == "| normalised regret | -0.100 | -0.100 | -0.100 | -0.100 [-0.100, -0.100] |"
    hosts.draw(results, tmp_path / "hosts.png")
    assert (tmp_path / "hosts.png").stat().st_size > 10_000


def test_the_length_penalty():
    assert shorter_is_better(1.0, 0.5) == pytest.approx(0.9)
    assert shorter_is_better(1.0, 2.5) == pytest.approx(0.8)
    assert shorter_is_better(0.0, 0.5) == 0.0


def test_intervals():
    """Of 1, 2, 3: t = 4.303 at two degrees of freedom, s = 1."""
    assert t_interval([1, 2, 3]) == pytest.approx((2.0, 2 - 4.303 / 3**0.5, 2 + 4.303 / 3**0.5, 3), abs=1e-9)
    assert t_interval([0.5]) == (0.5, 0.5, 0.5, 1)
    assert ratio_interval([1.0, 4.0])[0] == pytest.approx(2.0)
    assert ratio_interval([0.0, 4.0])[:3] == (0.0, 0.0, 0.0)
    assert t_interval([0.1, 0.2]).text("+").startswith("+0.150 [-0.485, +0.785]")


def result(arm, seed, *, curve, outcome, rate=1e-3, **changes):
    training = {"tokens": [1000.0 * n for n in range(1, 21)], "seconds": [1.0] * 20, "plain_outcome": [outcome] * 20}
    one = dict.fromkeys(("pass_at_1", "pass_at_2", "regret_of_the_paper", "regret_at_twice", "markers", "closed"), 0.5)
    one |= {"arm": arm, "warm_start": "1", "seed": seed, "learning_rate": rate, "task": 2, "updates": 20, "seconds": 20}
    one |= {"regret": 0.4, "think_tokens": 50.0, "grid": [0.0, 80.0, 160.0], "curve": curve, "training": training}
    return {**one, **changes}


GRPO = result("grpo", 1, curve=[0.0, 0.2, 0.4], outcome=0.5)
MRT = result("likelihood", 1, curve=[0.0, 0.4, 0.6], outcome=0.75, pass_at_1=0.75)


def test_token_efficiency():
    """GRPO's curve is at 0.8 x 0.4 after 128 tokens, the other's after 64."""
    assert token_efficiency((MRT, GRPO), 0.8) == pytest.approx(2.0)
    assert token_efficiency((GRPO, {**GRPO, "curve": [0.0, 0.4, 0.8]}), 0.8) == 0.0


@pytest.mark.parametrize("key", ["updates", "tokens", "seconds"])
def test_outcomes_at_equal_cost(key):
    assert at_equal((MRT, GRPO), key) == pytest.approx(0.25)


def test_tables(tmp_path):
    for one in (GRPO, MRT, {**GRPO, "seed": 2}, {**MRT, "seed": 2}):
        (tmp_path / f"{one['arm']}-{one['seed']}.json").write_text(json.dumps(one))
    results = read_results(tmp_path)
    arms = table_of_arms(results, list(ARMS))
    assert len(arms) == 4 and arms[3].startswith("| `likelihood` | 0.001 | 2 | 0.750 [0.750, 0.750]")
    differences = table_of_differences(results, list(ARMS))
    assert len(differences) == 3 and "+0.250 [+0.250, +0.250]" in differences[2]
    turned = table_of_differences(results, list(ARMS), against="likelihood")
    assert turned[0].startswith("| minus `likelihood` |") and turned[2].startswith(
        "| `grpo` | 2 | -0.250 [-0.250, -0.250]"
    )
    assert "not run" in tuning_table([GRPO, {**MRT, "learning_rate": 6e-4}], ["grpo", "likelihood"])[2]


def test_only_complete_blocks_are_compared():
    assert complete([GRPO, MRT, {**GRPO, "seed": 2}], ["grpo", "likelihood"]) == [GRPO, MRT]


def test_results_of_two_versions_are_refused(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(GRPO))
    (tmp_path / "b.json").write_text(json.dumps({**GRPO, "task": 3}))
    with pytest.raises(
        ValueError, match=r"several versions of the task, or boundaries: \[\(2, 'markers'\), \(3, 'markers'\)\]"
    ):
        read_results(tmp_path)


def test_the_rate_with_the_lowest_regret_on_development_problems():
    tuned = [{**GRPO, "learning_rate": rate, "regret": regret} for rate, regret in ((6e-4, 0.42), (1e-3, 0.45))]
    assert best_rates(tuned) == {"grpo": 6e-4}


def test_tuning_and_runs_share_no_seed():
    jobs = jobs_of("tune", PAIR, ["grpo"], None)
    assert jobs and all(job.part == "tuning" for job in jobs)
    assert not {job.seed for job in jobs} & {1, 2, 3}


def test_an_arm_is_tried_with_other_settings():
    """At the arm's rate, on development problems, apart from what was tuned and run."""
    jobs = jobs_of("try", PAIR, ["seen_median"], None, ["alpha=0.5", "credit=to_go"])
    assert [(job.warm_start, job.seed, job.learning_rate) for job in jobs] == [("1", 101, 6e-4), ("2", 101, 6e-4)]
    settings = jobs[0].experiment.settings
    assert (settings.alpha, settings.credit, settings.prover) == (0.5, "to_go", "seen")
    assert jobs[0].path == PAIR.results / "tries" / "seen_median,alpha=0.5,credit=to_go-1-101-0.0006.json"
    table = table_of_tries([{**MRT, "arm": "seen", "regret": 0.25}, MRT, {**MRT, "seed": 2, "regret": 0.2}])
    assert table[2:] == [
        "| `likelihood` | 0.300 | 0.750 | 0.400, 0.200 |",
        "| `seen` | 0.250 | 0.750 | 0.250 |",
    ]


def test_an_arm_is_tried_with_other_sizes():
    """Half the room of the task's response tokens is truncation, and a step has the sizes of the arm or of the try."""
    (job, _) = jobs_of("try", PAIR, ["grpo_truncated"], None, ["prompts=16", "alpha=0"])
    one = job.experiment
    assert (one.prompts, one.rollouts, one.response_tokens, one.is_plain) == (16, 4, 80, True)
    (job, _) = jobs_of("try", PAIR, ["one_episode"], None)
    assert (job.experiment.prompts, job.experiment.rollouts, job.experiment.response_tokens) == (8, 8, 160)
    assert jobs_of("run", TASKS["two_targets"], ["grpo_truncated"], 1)[0].experiment.response_tokens == 160


def test_an_arm_is_tried_at_another_learning_rate():
    """From the warm starts that are named; a rate without a point is a number as well."""
    (job,) = jobs_of("try", TASKS["two_targets"], ["seen_median"], None, ["learning_rate=1e-3"], ["1"])
    assert (job.warm_start, job.learning_rate, job.experiment.learning_rate) == ("1", 6e-4, 1e-3)
    assert job.path.name == "seen_median,learning_rate=1e-3-1-101-0.0006.json"


def test_the_running_median_of_five():
    """By hand: J = 0, .9, 0, 0, .8, .8 has medians 0, 0, 0, .8, .8, .8 (three, five, five, three); it telescopes."""
    js = np.array([[0.0, 0.9, 0.0, 0.0, 0.8, 0.8]])
    progress, mask = np.pad(np.diff(js), ((0, 0), (0, 2))), np.array([[1.0] * 5 + [0.0] * 2])
    credit = median_of_five(progress, mask, 1.0)
    assert credit == pytest.approx(np.array([[0.0, 0.0, 0.8, 0.0, 0.0, 0.0, 0.0]]))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_no_problem_serves_two_of_tuning_test_training_and_warm_start(task):
    problems = task.make_problems(PROBLEM_SEED)
    parts = [problems[part] for part in (TEST, TRAIN, DEVELOPMENT, slice(REST, None))]
    assert [len(part) for part in parts[:3]] == [256, 1792, 256] and len(parts[3]) > 1000
    questions = [{one.question for one in part} for part in parts]
    assert len(set.union(*questions)) == sum(map(len, questions))


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_the_reference_is_among_the_right_spellings(task):
    for problem in task.make_problems(PROBLEM_SEED)[:50]:
        assert problem.answer in task.spellings(problem)
