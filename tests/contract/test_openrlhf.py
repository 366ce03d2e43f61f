"""MRT behind OpenRLHF's executor, its engine faked: episodes, rewards, masks, metrics, and what is refused."""

import asyncio
import json
import logging
import math
from types import SimpleNamespace

import pytest
import yaml

from mrt_verl.metric_table import METRICS
from mrt_verl.openrlhf.arrivals import Arrivals
from mrt_verl.openrlhf.executor import MRTExecutor
from mrt_verl.openrlhf.molt import MoltRunner
from mrt_verl.prefix.one_episode import OneEpisodeGroup
from mrt_verl.step_report import GradingFailed, NothingToTrainOn
from tests.fakes import run_at_once
from tests.openrlhf_host import PROMPT, SETTINGS, Params, generate_responses, stand_in_for_vllm
from tests.rollouts import ANSWER, ATTEMPT, FORCED, STOP, WAIT, author, split

AGAIN = "Wait, let me try 1 and 2. 1 + 2 = 3, no.\n\n"
TRACE = ATTEMPT + WAIT + ANSWER
WRONG_ANSWER = ANSWER.replace("9, 4", "3, 7")
WRONG = ATTEMPT + WAIT + WRONG_ANSWER


@pytest.fixture
def executor(tmp_path, monkeypatch):
    """executor(alpha=…, reward_model=…, openrlhf={…}) -> the executor of such a run."""
    stand_in_for_vllm(monkeypatch)

    def build(*, kind=MRTExecutor, reward_model="mrt", openrlhf=None, reward=None, **mrt):
        host = {"n_samples_per_prompt": 4, **(openrlhf or {})}
        node = {"reward_model": reward_model, "mrt": {**SETTINGS, **mrt}, "openrlhf": host}
        path = tmp_path / "mrt.yaml"
        path.write_text(yaml.safe_dump(node | ({"reward": reward} if reward else {})))
        monkeypatch.setenv("MRT_CONFIG", str(path))
        return kind()

    return build


def traces(*texts):
    """A `write`: the sessions' traces in their order, whatever else is asked for goes on with the last."""
    started = iter(texts)
    return lambda request: next(started, texts[-1])


def forced_by_prefix(share):
    """A `write` of forced answers: right in `share(thinking)` of three cases, by the number of equal requests."""

    def write(request):
        thinking = request.text.split("<think>\n")[1]
        return FORCED if request.nth < share(thinking) else "3, 7}"

    return write


def pieces(response, tokenizer):
    """[(sampled?, text)] of what follows the prompt."""
    ids, begin = response["observation_tokens"], len(tokenizer.encode(PROMPT))
    found = []
    for start, end in response["action_ranges"]:
        if start > begin:
            found.append((0, tokenizer.decode(ids[begin:start])))
        found.append((1, tokenizer.decode(ids[start:end])))
        begin = end
    return [*found, (0, tokenizer.decode(ids[begin:]))] if begin < len(ids) else found


def of_kind(responses, text, tokenizer):
    """Those that wrote a text; which of equally slow sessions asks first is not promised."""
    return [one for one in responses if pieces(one, tokenizer) == [(1, text)]]


def test_online_pays_outcome_and_progress_in_one_number(executor, tokenizer):
    """J is 0 without thinking, 1/3 after the attempt, 1 with the answer's own sample at the end of all thinking.

    Two rollouts are right, two wrong: the mean outcome is 1/2, its deviation sqrt(1/3), so GRPO gives ±0.866. At the
    last boundary two forced answers and the rollout's own are the samples: all right, or two of three. S = J_last -
    J_{-1} is 1, 1, 2/3, 2/3, its root mean square sqrt((1 + 1 + 4/9 + 4/9) / 4) = 0.8498; the mean of S over that goes.
    """
    run = executor(alpha=0.5)
    forced = forced_by_prefix(lambda text: 3 if "Wait" in text else 1 if "Let" in text else 0)
    responses, server = generate_responses(run, tokenizer, author(traces(TRACE, TRACE, WRONG, WRONG), forced))
    rms = math.sqrt((1 + 1 + 4 / 9 + 4 / 9) / 4)
    z = 0.5 / math.sqrt(1 / 3)
    bonus = 0.5 * (1 - 5 / 6) / rms
    right, wrong = of_kind(responses, TRACE, tokenizer), of_kind(responses, WRONG, tokenizer)
    assert [one["reward"] for one in right] == pytest.approx([z + bonus] * 2, abs=1e-4)
    assert [one["reward"] for one in wrong] == pytest.approx([-z - bonus] * 2, abs=1e-4)
    assert [one["scores"] for one in (*right, *wrong)] == [1.0, 1.0, 0.0, 0.0]
    assert sum(one["reward"] for one in responses) == pytest.approx(0.0, abs=1e-9)
    for one in responses:
        assert one["prompt"] == PROMPT and one["label"] == "9, 4" and not one["truncated"]
        assert len(one["rollout_log_probs"]) == len(one["observation_tokens"])
    # the three answers without thinking and the three after the attempt are the group's, drawn once; at the end two
    # after each of the two different thoughts, here the same: drawn once too
    assert len(split(server)[1]) == 3 + 3 + 2


def test_alpha_0_is_group_norm(executor, tokenizer):
    """Outcomes 1, 0, 0, 0: (1 - 1/4) / 0.5 and -1/4 / 0.5."""
    run = executor(alpha=0)
    responses, _ = generate_responses(run, tokenizer, author(traces(TRACE, WRONG, WRONG, WRONG)))
    assert sorted(one["reward"] for one in responses) == pytest.approx([-0.5, -0.5, -0.5, 1.5], abs=1e-5)


def test_every_metric_has_a_name_and_reaches_each_rollout(executor, tokenizer):
    responses, _ = generate_responses(executor(), tokenizer, author(traces(TRACE, WRONG, TRACE, TRACE)))
    logs = [one["extra_logs"] for one in responses]
    assert logs[0] == logs[1] == logs[3]
    assert set(logs[0]) <= set(METRICS)
    assert all(isinstance(value, float) and math.isfinite(value) for value in logs[0].values())
    assert logs[0]["mrt/episodes_mean"] == 2.0 and logs[0]["mrt/grade_errors"] == 0.0
    lost, _ = generate_responses(
        executor(trace_timeout_s=1.0, max_error_share=1.0), tokenizer, author(TRACE), is_hanging=lambda one: True
    )
    assert set(lost[0]["extra_logs"]) == {"mrt/trace_timeouts"} | set(logs[0])  # OpenRLHF wants the same keys of all


@pytest.mark.parametrize("cut", ["", ATTEMPT])
def test_one_episode_is_normalised_among_its_kind(executor, tokenizer, monkeypatch, cut):
    """Two plain traces, one right; two that wrote an episode, one right: each kind (1, 0) gives ±0.7071.

    Whether the episode is the first of all, or starts from a prefix.
    """
    monkeypatch.setattr(OneEpisodeGroup, "cut", lambda *_: len(tokenizer.encode(cut)))
    after = iter((FORCED, "3, 7}"))
    starts = iter((TRACE, WRONG))
    run = executor(reward_model="mrt_prefix", prefix_mode="one_episode", alpha=2.0)

    def write(request):
        if request.text.endswith("Wait"):  # of the episode after
            return ", is that so?"
        return next(starts) if request.text.endswith("<think>\n") and "stop" not in vars_of(request) else AGAIN + WAIT

    responses, _ = generate_responses(run, tokenizer, author(write, lambda _: next(after)))
    half = math.sqrt(0.5)
    rewards = [one["reward"] for one in responses]
    assert sorted(rewards) == pytest.approx(sorted([half, -half, 2 * half, -2 * half]), abs=1e-4)
    assert [abs(reward) for reward in rewards] == pytest.approx([half, half, 2 * half, 2 * half], abs=1e-4)
    for one in responses[2:]:
        found = pieces(one, tokenizer)
        assert found[-3:-1] == [(1, AGAIN), (0, STOP)] and found[-1] in ((1, FORCED), (1, "3, 7}"))
        assert all(value == 0.0 for value in one["rollout_log_probs"][: one["action_ranges"][0][0]])


def vars_of(request):
    return {key for key, value in request.params.items() if value}


def test_the_papers_prefix(executor, tokenizer):
    """Forced: right, wrong, so J = 1/2; thought on: right, wrong, so p = ±1/2.

    Outcomes 1, 0, 1, 0: GRPO ±0.866. p = 0, 0, 1/2, -1/2: deviation sqrt(1/6), so 0, 0, ±1.2247; alpha = 0.5.
    """
    answers, ends = iter((FORCED, "3, 7}")), iter((ANSWER, WRONG_ANSWER))
    run = executor(reward_model="mrt_prefix", prefix_mode="paper", alpha=0.5)

    def write(request):
        return TRACE if request.text.endswith("<think>\n") else next(ends)

    responses, _ = generate_responses(run, tokenizer, author(write, lambda _: next(answers)))
    z, p = 0.5 / math.sqrt(1 / 3), 0.5 * 0.5 / math.sqrt(1 / 6)
    forced, continued = responses[:2], responses[2:]
    assert sorted(one["reward"] for one in forced) == pytest.approx([-z, z], abs=1e-4)
    assert sorted(one["reward"] for one in continued) == pytest.approx([-z - p, z + p], abs=1e-4)
    best = [max(some, key=lambda one: one["reward"]) for some in (forced, continued)]
    assert [one["scores"] for one in best] == [1.0, 1.0]
    assert pieces(best[0], tokenizer) == [(0, ATTEMPT + STOP), (1, FORCED)]
    assert pieces(best[1], tokenizer) == [(0, ATTEMPT), (1, ANSWER)]


def test_regret_is_the_mean_of_j(executor, tokenizer):
    """J = 0, then 1/3, 1 (right) or 1/3, 2/3 (wrong): means 2/3 and 1/2; bonus_norm none."""
    run = executor(credit="regret", bonus_norm="none", alpha=1.0)
    forced = forced_by_prefix(lambda text: 3 if "Wait" in text else 1 if "Let" in text else 0)
    responses, _ = generate_responses(run, tokenizer, author(traces(TRACE, TRACE, WRONG, WRONG), forced))
    z = 0.5 / math.sqrt(1 / 3)
    bonus = (2 / 3 - 1 / 2) / 2
    assert sorted(one["reward"] for one in responses) == pytest.approx([-z - bonus] * 2 + [z + bonus] * 2, abs=1e-4)


def test_an_evaluation_is_plain_and_pays_the_outcome(executor, tokenizer):
    run = executor(reward_model="mrt_prefix")
    generate_responses(run, tokenizer, author(TRACE))
    params = Params(max_tokens=120, temperature=0.6)
    responses, server = generate_responses(run, tokenizer, author(traces(TRACE, WRONG, TRACE, TRACE)), params=params)
    assert sorted(one["reward"] for one in responses) == [0.0, 1.0, 1.0, 1.0]
    assert all(one["reward"] == one["scores"] for one in responses)
    assert not split(server)[1] and all(one["extra_logs"] == {} for one in responses)
    assert responses[0]["rollout_log_probs"] is None
    again, _ = generate_responses(run, tokenizer, author(TRACE), samples=2)
    assert [one["reward"] for one in again] == [1.0, 1.0]


def test_two_equal_prompts_at_once_are_two_groups(executor, tokenizer):
    """Each call of OpenRLHF's actor has parameters of its own; the same ones would make one group of eight."""
    run = executor()
    for _ in range(2):
        responses, _ = generate_responses(run, tokenizer, author(TRACE))
        assert len(responses) == 4
    with pytest.raises(
        ValueError, match=r"openrlhf.n_samples_per_prompt=4.*a first group of 8 rollouts at temperature 1"
    ):
        generate_responses(executor(), tokenizer, author(TRACE), samples=8)


def test_a_lost_trace_moves_no_other_reward(executor, tokenizer):
    """The first trace never comes. The others' outcomes 1, 0, 0: mean 1/3, deviation sqrt(1/3)."""
    hanging = iter((True, False, False, False))
    run = executor(alpha=0, trace_timeout_s=1.0)
    responses, _ = generate_responses(
        run,
        tokenizer,
        author(traces(TRACE, WRONG, WRONG)),
        is_hanging=lambda one: "boxed" not in one.text and next(hanging, False),
    )
    rewards = [one["reward"] for one in responses]
    lost = next(n for n, one in enumerate(responses) if one["extra_logs"] and len(pieces(one, tokenizer)[0][1]) < 20)
    assert rewards[lost] == 0.0
    assert pieces(responses[lost], tokenizer) == [(1, "<|im_end|>")]
    others = [reward for n, reward in enumerate(rewards) if n != lost]
    s = math.sqrt(1 / 3)
    assert sorted(others) == pytest.approx([-1 / 3 / s, -1 / 3 / s, 2 / 3 / s], abs=1e-4)
    assert responses[0]["extra_logs"]["mrt/trace_timeouts"] == 1.0


def test_too_many_lost_or_failed_end_the_run(executor, tokenizer, tmp_path):
    run = executor(trace_timeout_s=1.0, openrlhf={"report_rollouts": 4})
    with pytest.raises(NothingToTrainOn, match="4 of 4 rollouts have no outcome"):
        generate_responses(run, tokenizer, author(TRACE), is_hanging=lambda one: True)
    broken = tmp_path / "score.py"
    broken.write_text("def score(**_):\n    raise RuntimeError('no such task')\n")
    function = {"custom_reward_function": {"path": str(broken), "name": "score"}}
    run = executor(outcome="compute_score", reward=function, openrlhf={"report_rollouts": 4}, grade_timeout_s=60.0)
    with pytest.raises(GradingFailed, match="no such task"):
        generate_responses(run, tokenizer, author(TRACE))


def test_a_trace_file_of_its_own(executor, tokenizer, tmp_path):
    run = executor(trace_dir=str(tmp_path / "traces"), openrlhf={"report_rollouts": 4})
    generate_responses(run, tokenizer, author(TRACE), label={"ground_truth": "9, 4", "style": "rule"})
    (file,) = (tmp_path / "traces").glob("*/1.jsonl")
    assert len(file.read_text().splitlines()) == 4
    assert json.loads(file.read_text().splitlines()[0])["reference"] == "9, 4"


def test_seeds_differ_by_rollout_and_answer(executor, tokenizer):
    _, server = generate_responses(executor(seed=7), tokenizer, author(TRACE))
    seeds = [request.params["seed"] for request in server.requests]
    assert len(set(seeds)) == len(seeds)
    _, again = generate_responses(executor(seed=7), tokenizer, author(TRACE))
    assert {request.params["seed"] for request in again.requests} == set(seeds)


def test_a_prompt_that_is_too_long_is_cut_on_its_left(executor, tokenizer):
    length = len(tokenizer.encode(PROMPT))
    responses, _ = generate_responses(executor(), tokenizer, author(TRACE), max_length=120 + length - 5)
    start = responses[0]["action_ranges"][0][0]
    assert start == length - 5
    assert responses[0]["observation_tokens"][:start] == tokenizer.encode(PROMPT)[5:]


@pytest.mark.parametrize(("max_tokens", "expected"), [(None, 100), (120, 100), (80, 80)])
def test_a_forced_answer_fits_after_a_full_response(executor, tokenizer, max_tokens, expected):
    """Of a context, a response has what the prompt, the stop text and `branch_max_tokens` leave, and no more."""
    length, answer = len(tokenizer.encode(PROMPT)), len(tokenizer.encode(STOP)) + 32
    params = Params(max_tokens=max_tokens, logprobs=1)
    responses, server = generate_responses(
        executor(), tokenizer, author("so " * 300), params=params, max_length=length + 100 + answer
    )
    traces, forced = split(server)
    assert traces[0].params["max_tokens"] == expected
    assert all(one["truncated"] and len(one["observation_tokens"]) == length + expected for one in responses)
    assert max(len(one.prompt_ids) for one in forced) + 32 <= length + 100 + answer


def test_a_context_without_room(executor, tokenizer):
    with pytest.raises(ValueError, match=r"--data.max_len=40 with --rollout.max_new_tokens=120; allowed: 121 or more"):
        generate_responses(executor(), tokenizer, author(TRACE), max_length=40)


def test_metrics_that_some_groups_lack_go_to_the_engines_log(executor, tokenizer, capsys, request):
    run, logger = executor(openrlhf={"report_rollouts": 4}), logging.getLogger("mrt_verl")
    request.addfinalizer(lambda level=logger.level: logger.setLevel(level))
    logger.setLevel(logging.INFO)
    generate_responses(run, tokenizer, author(TRACE))
    said = capsys.readouterr().err
    assert "4 rollouts, report 1: mrt/gradings_per_second " in said and "mrt/grade_restarts 0" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"bonus_norm": "batch"}, "mrt.bonus_norm='batch' under OpenRLHF; allowed: rms, none"),
        ({"credit": "os.path:join"}, "mrt.credit='os.path:join' under OpenRLHF; allowed: progress, to_go, regret"),
        ({"val_branches": True}, "mrt.val_branches=true under OpenRLHF; allowed: false"),
        ({"outcome": "compute_score"}, "mrt.outcome='compute_score' under OpenRLHF; allowed: math_verify"),
        ({"alhpa": 1}, "mrt.alhpa is not a setting, did you mean mrt.alpha"),
        ({"prover": "nobody"}, "mrt.prover='nobody'; allowed: sample"),
        (
            {"reward_model": "mrt_prefix", "prefix_mode": "paper", "baseline": "termination"},
            "mrt.baseline='termination'",
        ),
        (
            {"reward_model": "mrt_prefix", "prefix_mode": "paper", "prefix_source": "dataset"},
            "mrt.prefix_source='dataset'",
        ),
        (
            {"reward": {"custom_reward_function": {"path": "a.py"}}},
            "reward.custom_reward_function.path=a.py with mrt.outcome=math_verify",
        ),
        (
            {"reward_model": "mrt_prefix", "prefix_source": "dataset"},
            "mrt.prefix_source=dataset with mrt.prefix_mode=one",
        ),
        (
            {"reward_model": "mrt_prefix", "branch_temperature": 0.5},
            "mrt.branch_temperature=0.5 with mrt.variant=prefix",
        ),
        (
            {"reward_model": "mrt_prefix", "openrlhf": {"n_samples_per_prompt": 3}},
            "openrlhf.n_samples_per_prompt=3 with mrt.prefix_mode=one_episode; allowed: 4 or more",
        ),
        ({"stop_text": "Time is up. \\boxed{"}, "allowed: a stop text that closes the thinking"),
        ({"reward_model": "grpo"}, r"\+reward_model=grpo: .*allowed: what mrt_verl/conf holds"),
        ({"openrlhf": {"n_samples_per_prompt": 1}}, "openrlhf.n_samples_per_prompt=1; allowed: a whole number >= 2"),
        ({"openrlhf": {"temperature": 0}}, "openrlhf.temperature=0; allowed: a number > 0"),
        ({"openrlhf": {"n": 4}}, "openrlhf.n is not a setting; allowed: n_samples_per_prompt, report_rollouts, temp"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(executor, changes, said):
    with pytest.raises(ValueError, match=said) as refusal:
        executor(**changes)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", "holds a list; allowed: nodes reward_model, mrt_family"),
        ("a: [\n", "allowed: a YAML file"),
        ("actor: {}\n", "actor is not a setting; allowed: mrt, mrt_family"),
        ("reward_modell: mrt\n", "reward_modell is not a setting, did you mean reward_model"),
        ("mrt: 3\n", "mrt=3; allowed: a mapping of settings"),
        ("reward: {custom_reward_function: a.py}\n", "reward.custom_reward_function='a.py'; allowed: a mapping"),
        ("reward: {costum_reward_function: {}}\n", "did you mean reward.custom_reward_function"),
        ("reward: {custom_reward_function: {pth: a}}\n", "did you mean reward.custom_reward_function.path"),
        ("openrlhf: {n_sample_per_prompt: 4}\n", "did you mean openrlhf.n_samples_per_prompt"),
        ("mrt: {alpha: 1}\n", "openrlhf.n_samples_per_prompt is missing"),
    ],
)
def test_a_file_that_is_not_a_config(tmp_path, monkeypatch, text, said):
    path = tmp_path / "mrt.yaml"
    path.write_text(text)
    monkeypatch.setenv("MRT_CONFIG", str(path))
    with pytest.raises(ValueError, match=said):
        MRTExecutor()
    monkeypatch.setenv("MRT_CONFIG", str(tmp_path / "none.yaml"))
    with pytest.raises(ValueError, match=r"MRT_CONFIG=.*none.yaml'; allowed: the path of a YAML file"):
        MRTExecutor()


@pytest.mark.parametrize("label", ["", None, {"ground_truth": ""}, {"answer": "7"}])
def test_a_row_without_a_reference(executor, tokenizer, label):
    with pytest.raises(ValueError, match=r"label=.*; allowed: a reference answer"):
        generate_responses(executor(), tokenizer, author(TRACE), label=label)


def test_images_are_refused(executor, tokenizer):
    with pytest.raises(ValueError, match="rows of text"):
        generate_responses(executor(), tokenizer, author(TRACE), images=["a.png"])


def test_a_prover_that_needs_the_log_probs_it_sampled_from(executor, tokenizer):
    run = executor(prover="ht")
    with pytest.raises(
        ValueError, match=r"mrt.prover='ht' with --algo.advantage.is_correction_level off; allowed: token"
    ):
        generate_responses(run, tokenizer, author(TRACE), params=Params(max_tokens=120))
    responses, _ = generate_responses(executor(prover="ht"), tokenizer, author(TRACE))
    assert responses[0]["extra_logs"]["mrt/branch_failures"] == 0.0


def test_a_warning_reaches_the_console(executor, tokenizer, capsys):
    logging.getLogger().setLevel(logging.ERROR)  # as vLLM's server does
    run = executor(trace_timeout_s=1.0, max_error_share=1.0)
    generate_responses(run, tokenizer, author(TRACE), is_hanging=lambda one: True)
    assert "WARNING mrt-verl: a rollout is lost, its group trains on the others" in capsys.readouterr().err


def test_backtracking_rollouts(executor, tokenizer):
    """A trace that closes on a wrong answer is continued; what is written for it is not trained."""
    steps = "Step 1: try 3.\n\nStep 2: take 3.\n\n"
    texts = iter([steps + WRONG_ANSWER] * 4 + [steps + ANSWER] * 20)
    run = executor(reward_model="mrt_backtrack", insert_max=1, insert_min_left=8)
    responses, _ = generate_responses(run, tokenizer, author(lambda _: next(texts), lambda _: "3, 7}"))
    masks = [mask for mask, _ in pieces(responses[0], tokenizer)]
    assert 0 in masks and masks[0] == masks[-1] == 1


@pytest.fixture
def runner(executor, monkeypatch):
    """molt's runner of groups of four at temperature 1."""
    monkeypatch.setattr(MoltRunner, "trajectory_class", SimpleNamespace)
    return executor(kind=MoltRunner)


def molt_rows(runner, tokenizer, **further):
    """Of each call its rows, or what it raised."""
    return generate_responses(runner, tokenizer, author(traces(TRACE, WRONG)), is_molt=True, **further)[0]


def test_molts_first_rollout_is_trained_on(runner, tokenizer):
    """Else a run at another temperature than the file's would train on an evaluation's raw outcomes."""
    cold = Params(max_tokens=120, temperature=0.8)
    said = "openrlhf.temperature=1 with a first rollout at temperature 0.8; allowed: the run's --rollout.n_samples"
    refused = molt_rows(runner, tokenizer, params=cold)
    assert len(refused) == 4 and all(isinstance(one, ValueError) and said in str(one) for one in refused)
    assert all(isinstance(one, list) for one in molt_rows(runner, tokenizer))
    (row,) = molt_rows(runner, tokenizer, params=cold, samples=1)[0]  # an evaluation, once a rollout was trained on
    assert row.reward == row.scores == 1.0


@pytest.mark.parametrize(("samples", "sampled"), [(2, 0), (6, 4)])
def test_molts_calls_do_not_wait_for_ever(runner, tokenizer, samples, sampled):
    found = molt_rows(runner, tokenizer, samples=samples)
    assert all(isinstance(one, list) for one in found[:sampled])
    said = (
        "openrlhf.n_samples_per_prompt=4 with 2 rollouts of a prompt and no further one in 60 seconds without sampling;"
        " allowed: the run's --rollout.n_samples_per_prompt, with --rollout.num_runners 1"
    )
    assert [str(one) for one in found[sampled:]] == [said] * 2
    assert all(isinstance(one, list) for one in molt_rows(runner, tokenizer))  # no call of those is left behind


async def meet_late(arrivals, *, after_s, sampled_s):
    """A pair whose second call comes late, while another pair is sampled: the rows of each, or what it raised."""

    async def roll_out(seconds):
        await asyncio.sleep(seconds)
        return ["rows", "rows"]

    async def call(key, delay_s, seconds):
        await asyncio.sleep(delay_s)
        return await arrivals.meet(key, 2, lambda: roll_out(seconds))

    calls = call("a", 0, sampled_s), call("a", 0, sampled_s), call("b", 0, 1), call("b", after_s, 1)
    return await asyncio.gather(*calls, return_exceptions=True)


def test_a_call_of_molts_may_wait_for_a_place():
    """Ray runs so many calls at a time; sampling itself may last as long as it likes."""
    found = run_at_once(meet_late(Arrivals(3600.0), after_s=2050, sampled_s=2000))
    assert found == ["rows"] * 4
    assert run_at_once(meet_late(Arrivals(3600.0), after_s=1, sampled_s=1e6)) == ["rows"] * 4
    *sampled, first, second = run_at_once(meet_late(Arrivals(1800.0), after_s=2050, sampled_s=4000))
    assert sampled == ["rows"] * 2
    assert "with 1 rollouts of a prompt and no further one in mrt.stall_timeout_s=1800 seconds" in str(first)
    assert isinstance(second, ValueError)
