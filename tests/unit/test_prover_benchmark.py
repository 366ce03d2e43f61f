"""The benchmark's estimators that look beyond one boundary, and its rules for choosing boundaries."""

from types import SimpleNamespace

import numpy as np
import pytest

from mrt_verl.provers import Branches, ForcedAnswer
from tests.benchmarks.boundary_choice import RULES, credit
from tests.benchmarks.forced_answers.pooled import Group, covered, pooled, pooled_by_rollout

TEXTS = ["{7}", "{7.0}", "{8}"]


def place(probabilities):
    """A boundary after which 7, 7.0 and the wrong 8 are answered with these probabilities; 7 is the reference."""
    p = np.array(probabilities)
    answers = SimpleNamespace(
        right=np.array([True, True, False]),
        contents=TEXTS,
        p_text=p,
        p_stem=p,
        through=np.eye(3, dtype=bool),
        stem=np.arange(3),
    )
    path = {"log_probs": [float(np.log(p[0]))], "log_close_mass": 0.0}
    return SimpleNamespace(answers=answers, truth=float(p[:2].sum()), paths=[path])


def group(finals=()):
    places = [place([0.2, 0.1, 0.7]), place([0.5, 0.3, 0.2]), place([0.1, 0.6, 0.3])]
    return Group(places, [[0, 1], [0, 2]], list(finals), "{7}")


def test_what_one_rollout_said_is_scored_at_the_boundaries_of_all():
    said = [np.array([[2]]), np.array([[1]]), np.array([[2]])]  # 7.0 by the first rollout, 8 elsewhere
    js, scored = pooled(group(), said, 1)
    assert js[:, 0] == pytest.approx([0.3, 0.8, 0.7]) and scored[:, 0].tolist() == [2, 2, 2]
    without, _ = pooled(group(), said, 1, reference=False)
    assert without[:, 0] == pytest.approx([0.1, 0.3, 0.6])
    (first, second), texts = pooled_by_rollout(group(), said, 1)
    assert first[:, 0] == pytest.approx([0.3, 0.8]) and second[:, 0] == pytest.approx([0.2, 0.1])
    assert texts == (3 + 2) / 2  # the wrong one is scored too


def test_right_final_answers_are_pooled_without_a_draw():
    assert pooled(group(["{7.0}"]), None, 2)[0] == pytest.approx(np.array([[0.3] * 2, [0.8] * 2, [0.7] * 2]))
    assert pooled(group(), None, 1)[0][:, 0] == pytest.approx([0.2, 0.5, 0.1])


def test_what_was_drawn_covers_each_stem_once():
    right, mass = covered(place([0.5, 0.3, 0.2]), np.array([[0, 0, 2], [0, 1, 2]]))
    assert right == pytest.approx([0.5, 0.8]) and mass == pytest.approx([0.7, 1.0])


def ask_of(js):
    """Forced answers whose disagreement is the difference of these J, that before thinking first."""
    return lambda one: Branches((ForcedAnswer("7", True, js[one + 1]),), (), 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("name", "limit", "chosen"),
    [
        ("even", 2, [1, 3]),
        ("uncertain", 2, [1, 3]),
        ("uncertain", 3, [0, 1, 3]),
        ("longest episodes", 2, [2, 3]),
        ("halving tokens", 2, [1, 3]),
        ("halving tokens", 3, [1, 2, 3]),
        ("halving tokens x disagreement", 3, [0, 1, 3]),
        ("first, last, tokens x disagreement", 1, [0]),
        ("first, last, tokens x disagreement", 2, [0, 3]),
        ("first, last, tokens x disagreement", 3, [0, 3]),
        ("first", 3, [0, 1, 2]),
        ("last", 3, [1, 2, 3]),
    ],
)
def test_rules(name, limit, chosen):
    """Episodes of 10, 10, 40 and 20 tokens; J moves over the first of them."""
    assert RULES[name]([10, 20, 60, 80], limit, ask_of([0.0, 0.5, 0.5, 0.5, 0.5])) == chosen


def test_credit_of_all_boundaries_is_progress_on_each_episodes_tokens():
    trace = {"ids": list(range(8)), "episodes": [(0, 0, 4), (4, 5, 8)], "answer_start": None}
    one = Group([], [], [], "", [trace])
    made = credit(one, [[0.3, 0.7]], 0.0, share=False)
    assert made == pytest.approx(np.array([0.3] * 5 + [0.4] * 3) / np.sqrt((0.09 + 0.16) / 2))
    assert credit(one, [[None, 0.7]], 0.0, share=True) == pytest.approx(np.ones(8))
