"""The same problem, engine and settings under every host: rollouts, grades, J, progress, metrics, seeds, advantages."""

import math

import pytest

from mrt_verl.step_report import GradingFailed, NothingToTrainOn
from tests.hosts import HOSTS, SESSIONS, Case, seed_of
from tests.rollouts import ANSWER, ATTEMPT, FORCED, WAIT

WRONG_ANSWER = ANSWER.replace("9, 4", "3, 7")
TRACES = (
    ATTEMPT + WAIT + ANSWER,
    ATTEMPT + WAIT + WRONG_ANSWER,
    ATTEMPT + WAIT * 3 + ANSWER,
    ATTEMPT + WAIT * 20,
    ANSWER,
)
FORCED_ANSWERS = (FORCED, "3, 7}", "no", FORCED)
STEPS = tuple(f"Step 1: try 3.\n\nStep 2: take {n}.\n\n{a}" for n, a in ((3, WRONG_ANSWER), (9, ANSWER), (7, "so so")))
CLOCKS = ("branch_seconds", "grade_seconds", "grader", "texts", "error_example")
"""Fields of a record that no two runs share, or that name a process or a file."""
PAID = ("branch_tokens", "branch_prompt_tokens", "branch_cached_tokens", "branch_failures", "shared_tokens")
"""Costs of what a prompt's rollouts share; which of them asks first is no promise."""
SECONDS = ("mrt/branch_seconds_mean", "mrt/grade_seconds_mean")
OF_VERL = ("mrt/gradings_per_second", "mrt/grade_cache_hits", "mrt/grade_restarts")
"""Metrics of a whole step, which OpenRLHF has no place for; they go to its engines' logs."""


def case(**changes):
    return {"traces": TRACES, "forced": FORCED_ANSWERS, **changes}


CASES = {
    "online": case(),
    "regret": case(settings={"credit": "regret", "bonus_norm": "none", "alpha": 0.5}),
    "credit of a token": case(settings={"credit_per": "token"}),
    "ht": case(settings={"prover": "ht"}),
    "seen": case(settings={"prover": "seen", "branches": None}),
    "likelihood": case(settings={"prover": "likelihood"}),
    "pooled": case(settings={"prover": "pooled"}),
    "uncertain": case(settings={"boundary_choice": "uncertain"}),
    "alpha 0": case(settings={"alpha": 0}),
    "one_episode": case(reward_model="mrt_prefix", settings={"prefix_mode": "one_episode"}),
    "paper": case(reward_model="mrt_prefix", settings={"prefix_mode": "paper"}),
    "failing branches": case(fails=lambda request: seed_of(request) % 3 == 0),
    "all branches fail": case(fails=lambda request: True),
    "an empty trace": case(traces=("", TRACES[0])),
}
FULL_CASES = {
    **CASES,
    "backtracking": case(
        reward_model="mrt_backtrack", traces=STEPS, settings={"insert_max": 1, "insert_min_left": 8, "prover": "sample"}
    ),
    "a lost trace": case(lost_session=2, settings={"trace_timeout_s": 1.0}),
    "a lost source": case(lost_session=0, reward_model="mrt_prefix", settings={"trace_timeout_s": 1.0}),
    "a reward function": case(settings={"outcome": "compute_score", "grade_timeout_s": 60.0}),
}
"""What the study's loop does not do besides: policies that ask for J, traces that do not come, functions of a user."""
ASKED_AGAIN = ("backtracking", "a lost source")
"""What decided an insertion, and a source that did not come, may be asked for again, and draw the same."""
PAIRS = [("study", name) for name in CASES] + [("openrlhf", name) for name in FULL_CASES]
SCORE = """
def score(data_source, solution_str, ground_truth, extra_info=None):
    if "3, 7" in solution_str:
        raise RuntimeError("no such task")
    return float(ground_truth in solution_str)
"""


@pytest.fixture(scope="module")
def verl_played():
    """What verl made of each case, kept for the hosts that are compared with it."""
    return {}


@pytest.fixture
def play(compose, tokenizer, tmp_path, monkeypatch, verl_played):
    """play(host, name, **changes) -> what a host makes of a case."""

    def run(host, name, **changes):
        if host == "verl" and not changes and name in verl_played:
            return verl_played[name]
        values = {**FULL_CASES[name], **changes}
        directory = tmp_path / f"{host} {name}"
        directory.mkdir()
        values["settings"] = {"max_error_share": 1.0, **values.get("settings", {}), "trace_dir": str(directory / "t")}
        if values["settings"].get("outcome") == "compute_score":
            values["function"] = directory / "score.py"
            values["function"].write_text(SCORE)
        played = HOSTS[host](Case(**values), compose, tokenizer, monkeypatch)
        if host == "verl" and not changes:
            verl_played[name] = played
        return played

    return run


def facts(record):
    """A record's fields that hosts must agree on."""
    return {key: value for key, value in record.to_dict().items() if key not in (*CLOCKS, *PAID)}


@pytest.mark.parametrize(("host", "name"), PAIRS)
def test_hosts_agree(play, host, name):
    """Tokens, masks, log-probs, episodes, forced answers, grades, J and progress of each rollout; seeds and costs."""
    verl, other = play("verl", name), play(host, name)
    for mine, theirs in zip(other.rollouts, verl.rollouts, strict=True):
        assert facts(mine.record) == facts(theirs.record)
        if any(theirs.mask):  # verl's row of a rollout without a sampled token is another (test below)
            assert (mine.ids, mine.mask) == (theirs.ids, theirs.mask)
            assert mine.log_probs == theirs.log_probs
    for key in PAID:
        costs = [sum(one.record.to_dict()[key] for one in played.rollouts) for played in (verl, other)]
        assert costs[0] == pytest.approx(costs[1]), key
    seeds = [sorted(filter(None, map(seed_of, played.requests))) for played in (verl, other)]
    assert seeds[0] == seeds[1]
    if name not in ASKED_AGAIN:
        assert len(set(seeds[0])) == len(seeds[0])


@pytest.mark.parametrize(("host", "name"), PAIRS)
def test_metrics_agree(play, host, name):
    verl, other = play("verl", name).metrics, play(host, name).metrics
    for key, value in other.items():
        assert key in SECONDS or value == pytest.approx(verl[key], abs=1e-9), key
    assert set(verl) - set(other) <= {*OF_VERL, "mrt/reference_probability"}


@pytest.mark.parametrize("name", CASES)
def test_the_studys_advantages_are_verls(play, name):
    verl, study = play("verl", name).rollouts, play("study", name).rollouts
    for mine, theirs in zip(study, verl, strict=True):
        assert any(theirs.mask) is False or mine.advantages == pytest.approx(theirs.advantages, abs=1e-5)


ONE_NUMBER = ("alpha 0", "one_episode", "paper")


@pytest.mark.parametrize("name", FULL_CASES)
def test_openrlhfs_rewards_are_verls_advantages(play, name):
    """Where verl's is one number a rollout they are the same; online, what the episodes are paid is added up.

    With `bonus_norm=none`: A = GRPO(outcome) + alpha (S - mean S), S the sum of a rollout's progress.
    """
    changes = {}
    if name not in ONE_NUMBER and FULL_CASES[name].get("reward_model") != "mrt_prefix":
        settings = FULL_CASES[name].get("settings", {})
        changes = {"settings": {**settings, "bonus_norm": "none", "credit": "progress", "alpha": 0.5}}
    verl = play("verl", name, **changes).rollouts
    rewards = [max(one.advantages, key=abs) for one in play("openrlhf", name, **changes).rollouts]
    assert sum(rewards) == pytest.approx(0.0, abs=1e-6)
    if not changes:
        theirs = [max(one.advantages, key=abs) if any(one.mask) else 0.0 for one in verl]
        assert rewards == pytest.approx(theirs, abs=1e-4)
        return
    known = [n for n, one in enumerate(verl) if one.record.values.outcome is not None]
    outcomes = [verl[n].record.values.outcome for n in known]
    sums = [sum(value for *_, value in verl[n].record.values.progress) for n in known]
    mean, mean_sum = math.fsum(outcomes) / len(known), math.fsum(sums) / len(known)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in outcomes) / (len(known) - 1)) + 1e-6
    expected = [0.0] * SESSIONS
    for n, outcome, total in zip(known, outcomes, sums, strict=True):
        expected[n] = (outcome - mean) / deviation + 0.5 * (total - mean_sum)
    assert rewards == pytest.approx(expected, abs=1e-4)


def test_a_rollout_without_a_sampled_token(play, tokenizer):
    """verl's row has one token that is not trained; OpenRLHF divides by the trained ones, so there it is."""
    for name in ("an empty trace", "a lost trace"):
        verl, other = play("verl", name).rollouts, play("openrlhf", name).rollouts
        numbers = [n for n, one in enumerate(verl) if not any(one.mask)]
        assert numbers
        for n in numbers:
            assert (other[n].ids, other[n].mask) == (verl[n].ids, [1]) == ([tokenizer.eos_token_id], [1])
            assert other[n].log_probs == [0.0]
            assert (other[n].record.values.outcome is None) == (name == "a lost trace") or other[n].advantages[0]


@pytest.mark.parametrize("host", ["verl", "openrlhf"])
def test_errors_end_a_run_alike(play, host):
    settings = {"outcome": "compute_score", "grade_timeout_s": 60.0, "max_error_share": 0.5}
    wrong = {"traces": TRACES[1:2], "forced": ("3, 7}",)}
    with pytest.raises(GradingFailed, match=r"step 1: grading failed for (\d+) of \1 answers.*no such task"):
        play(host, "a reward function", settings=settings, **wrong)


@pytest.mark.parametrize("host", ["verl", "openrlhf"])
def test_lost_traces_end_a_run_alike(play, host):
    settings = {"trace_timeout_s": 1.0, "max_error_share": 0.1}
    with pytest.raises(NothingToTrainOn, match="1 of 4 rollouts have no outcome"):
        play(host, "a lost trace", settings=settings)
