"""Rollouts, rewards, advantages, metrics and evaluation are those of the golden files, bit for bit."""

import json

import pytest

from tests.golden import form, record

SHOWN = 20


@pytest.mark.parametrize("name", record.NAMES)
def test_a_scenario_gives_what_it_gave(name):
    golden = json.loads(record.path_of(name).read_text(encoding="utf-8"))
    found = list(form.differences(golden, record.run(name)))
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    assert not found, "\n".join([f"scenario {name}:", *found[:SHOWN], *more])


def test_every_golden_file_has_its_scenario():
    assert sorted(path.stem for path in record.path_of("any").parent.glob("*.json")) == sorted(record.NAMES)


def test_a_difference_names_its_place_and_both_values():
    golden = {"js": [[0.5, None], [0.0]], "kind": "trace", "steps": [1, 2]}
    now = {"js": [[0.5000000000000001, None], [-0.0]], "steps": [1]}
    assert list(form.differences(golden, now)) == [
        "js[0][0]: golden 0.5, now 0.5000000000000001",
        "js[1][0]: golden 0.0, now -0.0",
        'kind: golden "trace", now "(nothing)"',
        "steps: golden [1, 2], now [1]",
    ]
