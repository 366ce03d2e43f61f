"""`seen` and `anchored_seen`: their expectation and variance over every possible draw, and what refuses them."""

import itertools
import math

import pytest

from mrt_verl.evaluation.config import check_settings
from mrt_verl.grading.grades import RIGHT, WRONG
from mrt_verl.parts import check_parts
from mrt_verl.provers import load_prover
from mrt_verl.provers.base import Sample
from mrt_verl.provers.seen import own_probability
from mrt_verl.provers.stems import stem_weights
from mrt_verl.settings import STOP_TEXTS, MRTSettings
from mrt_verl.value_estimates import estimate_j, weights_of
from tests.builders import default_settings
from tests.fakes import FakeServer, Output, play, run_at_once, toy_tokenizer

PIECES = (*"0123456", "stop", "\\boxed{", "}")
TOKENIZER = toy_tokenizer(PIECES, adds_start=True)
BRACE, EOS = PIECES.index("}"), TOKENIZER.eos_token_id
OWN = {"prover": "seen", "stop_text": "stop\\boxed{", "branch_max_tokens": 3, "branch_stop": ["\n"]}


def sample(ids, probabilities, stem_tokens):
    return Sample(tuple(ids), tuple(map(math.log, probabilities)), {}, stem_tokens)


DRAWN = [
    (True, sample([1, 9], [0.5, 0.3], 1)),  # 1} and 1}. have one stem, which 12} passes through
    (True, sample([1, 8], [0.5, 0.2], 1)),
    (True, sample([1, 2, 9], [0.5, 0.3, 0.8], 2)),
    (False, sample([1, 2, 5, 9], [0.5, 0.3, 0.2, 1.0], 3)),
    (False, sample([1, 5, 9], [0.5, 0.2, 1.0], 2)),
    (True, sample([3, 9], [0.25, 1.0], 1)),
    (True, sample([4, 9], [0.15, 0.4], 1)),
    (False, sample([4, 7], [0.15, 0.6], 1)),  # the answer 4 with another end, graded otherwise
    (False, sample([6, 9], [0.1, 1.0], 1)),
]
"""Whether it is right, and its tokens; together they have probability 1."""
STEMS = {(1,): (0.5, 0.5), (1, 2): (0.15, 0.8), (3,): (0.25, 1.0), (4,): (0.15, 0.4)}
"""Of the right answers: p_s, and the probability q_s that a right answer ends right after it."""
TRUTH = sum(p * q for p, q in STEMS.values())


def estimates(count):
    """(chance, estimate) of every draw of `count` answers."""
    chances = [math.exp(sum(one.log_probs)) for _, one in DRAWN]
    assert sum(chances) == pytest.approx(1.0)
    for draw in itertools.product(range(len(DRAWN)), repeat=count):
        grades = [RIGHT if DRAWN[one][0] else WRONG for one in draw]
        weights = stem_weights([DRAWN[one][1] for one in draw], own_probability)
        yield math.prod(chances[one] for one in draw), estimate_j(grades, weights)


def stated_variance(count):
    """As the docstring of seen.py states it."""
    total = 0.0
    for p, q in STEMS.values():
        miss = (1 - p) ** count
        inverse = sum(math.comb(count, n) * p**n * (1 - p) ** (count - n) / n for n in range(1, count + 1))
        total += p**2 * (q**2 * miss * (1 - miss) + q * (1 - q) * inverse)
    for (s, (p_s, q_s)), (t, (p_t, q_t)) in itertools.permutations(STEMS.items(), 2):
        if s[: len(t)] == t:
            continue  # the pair comes the other way round too
        m_s, m_t = (1 - p_s) ** count, (1 - p_t) ** count
        if t[: len(s)] == s:
            both = 2 * ((1 - m_s) * m_t - (m_t - m_s) / (1 - p_t / p_s))
        else:
            both = (1 - p_s - p_t) ** count - m_s * m_t
        total += p_s * p_t * q_s * q_t * both
    return total


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_bias_and_variance_are_those_that_are_stated(count):
    drawn = list(estimates(count))
    mean = sum(chance * j for chance, j in drawn)
    assert mean - TRUTH == pytest.approx(-sum(p * q * (1 - p) ** count for p, q in STEMS.values()))
    assert sum(chance * (j - mean) ** 2 for chance, j in drawn) == pytest.approx(stated_variance(count))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_answers_that_always_end_after_their_stem_never_sum_to_more_than_j(count):
    right = [sample([token, 9], [p, 1.0], 1) for token, p in ((1, 0.5), (2, 0.3), (3, 0.2))]
    for draw in itertools.product(right, repeat=count):
        assert sum(stem_weights(draw, own_probability)) <= 1.0 + 1e-12


def branch(server, prover="seen", count=2, temperature=0.9, references=(), **changes):
    branching = load_prover(server, TOKENIZER, default_settings(**{**OWN, "prover": prover, **changes})).branch(
        [1, 2, 3],
        count=count,
        sampling_params={"temperature": temperature},
        request_id="r",
        references=references,
    )
    return run_at_once(branching)


def serve(*script):
    return FakeServer(TOKENIZER, play(*script), cached=lambda _: 2)


def test_each_distinct_answer_weighs_its_own_probability():
    """Two draws through a stem of 1/4 and one through 1/2, whatever closes them."""
    half = math.log(0.5)
    server = serve(
        Output([4, 2, EOS], [half, half, -1.0]),
        Output([4, 2, BRACE], [half, half, -2.0]),
        Output([5, BRACE], [half, -0.1]),
    )
    branches = branch(server, count=3)
    assert [answer.weight for answer in branches.answers] == pytest.approx([0.125, 0.125, 0.5])
    assert [request.params["temperature"] for request in server.requests] == [0.9] * 3
    assert all(request.params["logprobs"] is True for request in server.requests)


def test_without_a_draw_it_is_the_plain_mean():
    """At temperature 0 all answers are one, of probability 1; the engine's log-probs are those at temperature 1."""
    half = Output([4, EOS], [math.log(0.5), 0.0])
    assert [answer.weight for answer in branch(serve(half, half), temperature=0.0).answers] == [None, None]


def test_the_reference_is_scored_and_other_answers_weigh_their_own_probability():
    """The reference scores 0.3; the draws are itself, and two others with stems of probability 1/4 and 1/8."""
    draws = [
        Output([4, 2, BRACE], [math.log(0.5), math.log(0.8), -1.0]),
        Output([5, BRACE], [math.log(0.25), -1.0]),
        Output([6, BRACE], [math.log(0.125), 0.0]),
    ]
    closing = Output([BRACE], [math.log(0.8)]), Output([BRACE], [math.log(0.6)])
    server = serve(*draws, *closing)
    branches = branch(server, "anchored_seen", count=3, references=["42"])
    assert [answer.text for answer in branches.answers] == ["42}", "42}", "5}", "6}"]
    assert [answer.weight for answer in branches.answers] == pytest.approx([0.4 * 0.6 / 0.8, 0.0, 0.25, 0.125])
    assert [request.params["temperature"] for request in server.requests[:3]] == [1.0] * 3
    js = estimate_j([RIGHT, RIGHT, WRONG, RIGHT], weights_of(branches.answers))
    assert js == pytest.approx(0.3 + 0.125)


def test_without_its_anchor_it_has_no_j():
    draws = Output([6, BRACE], [math.log(0.5), 0.0]), Output([5, BRACE], [math.log(0.25), -1.0])
    branches = branch(serve(*draws, RuntimeError("no score")), "anchored_seen", references=["42"])
    assert (branches.answers, branches.failures) == ((), 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stop_text": STOP_TEXTS["explain"]}, r"mrt\.prover='seen' with mrt\.stop_text=.*; allowed: .*Use mrt\.prov"),
        ({"stop_text": "</think> In short:"}, r"mrt\.prover='seen' with mrt\.stop_text='</think> In short:'; allowed"),
        ({"variant": "prefix"}, r"mrt\.prover='seen' with mrt\.variant='prefix'; allowed there: sample"),
        ({"prover": "anchored_seen", "stop_text": STOP_TEXTS["explain"]}, r"'anchored_seen' with mrt\.stop_text="),
        ({"prover": "anchored_seen", "branch_temperature": 0.7}, r"=0\.7 with mrt\.prover='anchored_seen'; allowed: "),
        ({"prover": "anchored_seen", "outcome": "compute_score"}, r"'anchored_seen' with mrt\.outcome='compute_score'"),
    ],
)
def test_settings_that_exclude_it(changes, message):
    with pytest.raises(ValueError, match=message):
        check_parts(MRTSettings(**{"prover": "seen", **changes}))


def test_a_stop_text_of_ones_own_says_how_an_answer_is_written_after_it():
    own = {"stop_text": "</think> The answer is:", "reference_text": " {reference}\n"}
    check_parts(MRTSettings(prover="seen", branch_temperature=0.7, **own))


@pytest.mark.parametrize("prover", ["seen", "anchored_seen"])
def test_no_evaluation_reads_j_that_is_too_low(prover):
    with pytest.raises(ValueError, match=rf"'{prover}'; allowed in an evaluation: sample, ht$"):
        check_settings(MRTSettings(prover=prover))
