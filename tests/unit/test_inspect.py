"""What an inspection reads from traces, and what it proposes."""

import json
from argparse import Namespace
from dataclasses import replace

import pytest

from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.records import Answer, TraceRecord
from mrt_verl.evaluation.settings import read_settings
from mrt_verl.evaluation.timed import Timed
from mrt_verl.inspect.advice import propose, verdict
from mrt_verl.inspect.asked import read_asked
from mrt_verl.inspect.describe import describe_findings
from mrt_verl.inspect.findings import read_findings
from mrt_verl.inspect.forced import read_forms
from mrt_verl.inspect.openings import find_openings, split_paragraphs
from mrt_verl.inspect.price import extra_tokens
from mrt_verl.inspect.words import merge_words
from tests.builders import default_settings
from tests.data_prep_traces import trace, write_run

MARKERS = ("Wait", "But wait", "Hold on")


def answer(text, extracted, score, weight=None):
    return Answer(text, True, extracted, "right" if score else "wrong", score, weight)


def test_openings():
    texts = [
        "I add.\n\nWait, no.\n\nSo it is 7.\n\nBut wait: 8.",
        "First.\n \nSo 7.\n\nWaiting is no marker.",
        "A.\n\nSo it is.\n\n1. Take 3.\n\n2. Take 4.",
    ]
    found = find_openings(texts, MARKERS)
    assert found.markers == {"Wait": 1, "But wait": 1}
    assert found.others == {"So": 3}  # in three traces; `Waiting` in one
    assert found.paragraphs_mean == pytest.approx(11 / 3) and found.numbered_share == pytest.approx(2 / 11)
    assert split_paragraphs("\n\nA\n\n\n B\n") == ["A", "B"]
    assert find_openings([], MARKERS).paragraphs_mean == 0


def test_forms_of_forced_answers():
    answers = [answer("{7}", "7", 1.0), answer("{12}", "12", 0.0), answer("{ 7 }", "7", 1.0), answer("no", None, 0.0)]
    found = read_forms(answers)
    assert found.readable_share == 0.75 and found.unreadable == ("no",)
    assert found.main_form == ("{{reference}}", pytest.approx(2 / 3))
    assert read_forms([]).main_form == ("", 0.0)


def findings(tmp_path, lines, *, budgets=(100,), **settings):
    run = write_run(tmp_path / "run", lines)
    about = json.loads((run / "run.json").read_text())
    problems = len({line["problem"] for line in lines})
    about |= {"problems": problems, "traces": len(lines) // problems, "budgets": list(budgets)}
    (run / "run.json").write_text(json.dumps(about))
    (loaded,) = load_runs([run])
    return read_findings(loaded, default_settings(**settings))


SEVERAL = [("One.\n\n", 0.25, "right"), ("So, two.\n\n", 0.75, "right"), ("So, three.\n\n", 1.0, "right")]
ONE = [("One.\n\nSo, two.\n\nSo, three.\n\nSo 4.", 0.5, "right")]


def test_signal_by_hand(tmp_path):
    """Two problems of two traces: one differs in its outcome, the other is wrong throughout but moves."""
    lines = [
        trace(SEVERAL, problem=0, number=0, own="right"),
        trace(SEVERAL, problem=0, number=1, own="wrong"),
        trace([("One.\n\n", 0.0, "wrong")], problem=1, number=0),
        trace([("One.\n\n", 0.5, "right")], problem=1, number=1),
    ]
    found = findings(tmp_path, lines)
    assert (found.signal.outcome_groups, found.signal.progress_groups) == (0.5, 0.5)
    assert found.signal.accuracy == 0.25 and found.signal.j_last == pytest.approx((1 + 1 + 0 + 0.5) / 4)
    assert found.single_share == 0.5 and found.episodes_mean == 2
    steps = [0.25, 0.5, 0.25] * 2 + [0.0, 0.5]
    mean = sum(steps) / 8
    assert found.signal.progress_std == pytest.approx((sum((s - mean) ** 2 for s in steps) / 8) ** 0.5)
    assert found.signal.pairs == 4  # 0.25 and 0.5, 0.5 and 0.25, twice, over squares that sum to 1
    assert found.signal.lag1 == pytest.approx(0.5) and found.signal.noise_lag1 == 0.0


UP_AND_DOWN = [("Up.\n\n", 0.5, "right"), ("So, down.\n\n", 0.0, "wrong")]


def test_what_is_undone_and_what_chance_makes_of_it(tmp_path):
    """0.5 and -0.5: -1/4 over 1/2. The J between them has four answers, two right: 1/12 over 1/2."""
    line = trace(UP_AND_DOWN)
    line["episodes"][0]["forced"] = [line["episodes"][n]["forced"][0] for n in (0, 0, 1, 1)]
    found = findings(tmp_path, [line])
    assert (found.signal.pairs, found.signal.lag1) == (1, -0.5)
    assert found.signal.noise_lag1 == pytest.approx(-1 / 6)
    told = dict(describe_findings(found))["undone"]
    assert told.startswith("50% of a change of J") and "-0.50 (mrt/progress_lag1)" in told and "makes -0.17" in told


def test_nothing_is_undone_where_nothing_changes(tmp_path):
    """As of a model that is never right: 0 over 0."""
    never = [("One.\n\n", 0.0, "wrong"), ("So, two.\n\n", 0.0, "wrong")]
    found = findings(tmp_path, [trace(never, number=n) for n in range(30)])
    assert (found.signal.pairs, found.signal.lag1) == (0, 0.0)
    assert "undone" not in dict(describe_findings(found))
    assert not [one for one in propose(found) if one.override and "credit" in one.override]
    flat = replace(found, signal=replace(found.signal, pairs=30))
    assert dict(describe_findings(flat))["undone"].startswith("0% of a change")  # and not -0%


def test_the_credit_that_pays_what_stays(tmp_path):
    undone = findings(tmp_path, [trace(UP_AND_DOWN, number=n) for n in range(25)], credit="progress")
    assert [one.override for one in propose(undone)][-1] == "mrt.credit=median"
    assert "autocorrelation -0.50 ± 0.40" in propose(undone)[-1].reason
    stays = findings(tmp_path / "stays", [trace(SEVERAL, number=n) for n in range(25)])
    (*_, last) = propose(stays)
    assert (
        last.override == "mrt.credit=median" and "mrt.credit=progress, the paper's, pays about the same" in last.reason
    )
    for quiet in (
        replace(stays, settings=default_settings(credit="progress")),  # is what was asked for, and does no harm
        replace(undone, settings=default_settings(credit="to_go")),
        replace(undone, signal=replace(undone.signal, pairs=24)),
    ):
        assert not [one for one in propose(quiet) if one.override and "credit" in one.override]


def test_a_prover_that_was_asked_for_stays(tmp_path):
    found = findings(tmp_path, [trace(SEVERAL, number=n) for n in range(4)])
    assert [one.override for one in propose(found)] == ["mrt.prover=seen"]
    assert propose(replace(found, prover="anchored")) == []


def options(*overrides):
    return Namespace(settings=[], overrides=list(overrides))


def test_an_inspection_samples_plainly_whatever_training_does():
    """Its noise is known of plain samples alone, two or more of them."""
    assert read_asked(options("mrt.alpha=0.5")) == (None, options("mrt.alpha=0.5"))
    for words, prover, branches in (
        (["mrt.prover=pooled"], "pooled", 4),
        (["mrt.prover=ht", "mrt.branches=8"], "ht", 8),
        (["mrt.branches=1"], None, 4),
        (["mrt.prover=sample"], "sample", 4),
    ):
        named, sampling = read_asked(options(*words))
        settings = read_settings([], sampling.overrides)
        assert (named, settings.prover, settings.branches) == (prover, "sample", branches)
    with pytest.raises(ValueError, match=r"mrt\.prover='nope'; allowed: sample, ht, seen"):
        read_asked(options("mrt.prover=nope"))


def test_a_proposal_replaces_what_was_given():
    given = ["mrt_family=plain", "mrt.credit=progress", "mrt.alpha=0.5"]
    assert merge_words(given, ["mrt.credit=median"]) == ["mrt_family=plain", "mrt.alpha=0.5", "mrt.credit=median"]


def test_price_by_hand(tmp_path):
    """Two boundaries of a trace of 40 tokens and a quarter of the answers without thinking; two answers of 2 tokens."""
    line = {**trace([("a" * 20, 0.5, "right"), ("b" * 20, 0.5, "right")]), "branch_tokens": 4}
    shares = extra_tokens([TraceRecord.from_dict(line)], branches=4, max_episodes=6, group=4)
    assert shares["sample or ht, G = 4"] == pytest.approx(2.25 * 4 * 2 / 40)
    assert shares["seen, G = 1"] == pytest.approx(2.25 * 2 / 40)
    assert shares["likelihood, or pooled with one spelling"] == pytest.approx(2.25 * 5 / 40)


def test_time_by_hand(tmp_path):
    timed = Timed()
    assert timed.means() is None
    timed.add(2.0, 0.5)
    timed.add(4.0, 1.0)
    assert timed.means() == (3.0, 0.75)
    found = findings(tmp_path, [trace([("a" * 20, 0.5, "right")])])
    assert "time" not in dict(describe_findings(found))  # of an inspection that a second call went on with
    told = dict(describe_findings(replace(found, branch_time=(3.0, 0.75))))["time"]
    assert told.startswith("a trace took 3.00 s, the forced answers of all its boundaries 0.75 s more (+25%), ")


def test_a_model_that_never_says_wait_gets_episodes(tmp_path):
    found = findings(tmp_path, [trace(ONE, number=n, own="right" if n else "wrong") for n in range(4)])
    proposals = propose(found)
    assert (
        proposals[0].override == "mrt.episodes=paragraphs"
        and "100% of the traces are one episode" in proposals[0].reason
    )
    numbered = [(ONE[0][0].replace("So", "Step 1:"), 0.5, "right")]
    found = findings(tmp_path / "numbered", [trace(numbered, number=n) for n in range(4)])
    assert propose(found)[0].override == "mrt.episodes=steps"
    unbroken = [("word " * 30, 0.5, "right")]
    found = findings(tmp_path / "unbroken", [trace(unbroken, number=n) for n in range(4)])
    assert propose(found)[0].override == "mrt.episodes=tokens:25"  # 150 tokens in six


def test_answers_in_one_form_can_be_scored(tmp_path):
    found = findings(tmp_path, [trace(SEVERAL, number=n) for n in range(4)])
    scored = replace(found, scored={"{{reference}}": 0.7, "{ {reference} }": 0.1})
    assert [one.override for one in propose(scored)] == ["mrt.prover=pooled"]
    spaced = propose(replace(found, scored={"{{reference}}": 0.1, "{ {reference} }": 0.7}))
    assert spaced[1].override == 'mrt.reference_text="{ {reference} }"'
    # where the score sees little of what sampled answers find, or was not taken, answers are sampled
    for blind in ({"{{reference}}": 0.2}, {}):
        assert propose(replace(found, scored=blind))[0].override == "mrt.prover=seen"
    price = {"seen, G = 1": 0.06}
    (long,) = propose(replace(scored, price=price, response_tokens=4000.0))
    assert long.override == "mrt.prover=seen" and "6% more tokens" in long.reason


@pytest.mark.parametrize(
    ("episodes", "own", "before", "expected"),
    [
        (SEVERAL, "right", 0.0, "MRT has something to credit here"),
        ([("One.\n", 1.0, "right")], "right", 0.95, "right without thinking"),
        ([("One.\n", 0.0, "wrong")], "wrong", 0.0, "No answer is ever right"),
        ([("One.\n", 0.5, "right")], "right", 0.5, "little to offer here"),
        ([], "wrong", 0.0, "No trace thinks"),
    ],
)
def test_verdicts(tmp_path, episodes, own, before, expected):
    lines = [trace(episodes, number=n, own=own, before=before) for n in range(4)]
    for line in lines:
        for episode in line["episodes"]:
            episode["forced"] *= 4  # whose noise is known to be none
    found = findings(tmp_path, lines)
    assert expected in verdict(found)
    told = dict(describe_findings(found))
    assert {"episodes", "groups", "price"} <= set(told) and "reference" not in told


def test_chance_that_hides_progress_is_not_called_little(tmp_path):
    found = findings(tmp_path, [trace(SEVERAL, number=n) for n in range(4)])
    hidden = replace(found, signal=replace(found.signal, progress_std=0.3, noise_std=0.3, steps=40))
    assert "hides whether episodes differ" in verdict(hidden)
    shown = replace(hidden, signal=replace(hidden.signal, noise_std=0.05))
    assert "something to credit" in verdict(shown)
    assert "are one episode: MRT could credit little" in verdict(replace(shown, single_share=0.8))
    assert "little to offer" in verdict(replace(hidden, signal=replace(hidden.signal, progress_std=0.05)))


def test_nearly_no_thinking_is_a_matter_of_tags(tmp_path):
    """As of a chat template that closes the thinking itself, after which the model seldom opens it again."""
    found = findings(tmp_path, [trace(SEVERAL if n == 9 else [], number=n) for n in range(10)])
    assert verdict(found).startswith("Only 10% think")
    (only,) = propose(found)
    assert only.override == "mrt_family=plain" and "enable_thinking" in only.reason
    plain = replace(found, settings=default_settings(think_open=None, think_close=None))
    assert propose(plain)[0].override is None
