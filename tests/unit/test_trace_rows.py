"""Rows of trace files: every field by its name, rollouts of several prompts."""

import json

from mrt_verl.rollout_record import RolloutRecord
from mrt_verl.trace_rows import choose_rollouts, trace_row


def texts(**changes):
    return {
        "uid": "a",
        "data_source": "test",
        "problem": "What is 3 + 4?",
        "reference": "7",
        "lead_text": "<think>\n",
        "rest_text": "</think>\n\n\\boxed{8}",
        "extracted": "8",
        "verdict": "wrong",
        "detail": "",
        "forced_verdicts": [["right", "wrong"], []],
        "before_verdicts": ["wrong"],
        **changes,
    }


def record(**changes):
    values = {
        "episodes": [(1, 1, 4), (4, 5, 10)],
        "episode_texts": ["Try 3. ", "Wait, 4."],
        "answer_start": 11,
        "finished": True,
        "think_tokens": 9,
        "response_tokens": 20,
        "markers": 1,
        "forced": [[("7", True, None), ("8", False, None)], []],
        "forced_before": [("9", True, 0.25)],
        "answer_tokens": [6.0, 0.0],
        "outcome": 0.0,
        "j_before": 0.0,
        "js": [0.5, None],
        "progress": [(0, 0, 0.5)],
        "texts": texts(),
        **changes,
    }
    return RolloutRecord.from_dict(values)


def test_every_field_has_a_name():
    row = json.loads(json.dumps(trace_row(record(), step=7)))
    assert (row["step"], row["uid"], row["problem"], row["reference"]) == (7, "a", "What is 3 + 4?", "7")
    assert row["response"] == "<think>\nTry 3. Wait, 4.</think>\n\n\\boxed{8}"
    assert row["final_answer"] == {"extracted": "8", "verdict": "wrong", "detail": ""}
    assert row["forced_before"] == [{"text": "9", "finished": True, "weight": 0.25, "verdict": "wrong"}]
    first, second = row["episodes"]
    assert {key: first[key] for key in ("start", "marker_end", "end", "text", "j", "progress", "progress_from")} == {
        "start": 1,
        "marker_end": 1,
        "end": 4,
        "text": "Try 3. ",
        "j": 0.5,
        "progress": 0.5,
        "progress_from": 0,
    }
    assert [(one["text"], one["verdict"]) for one in first["forced"]] == [("7", "right"), ("8", "wrong")]
    assert (second["j"], second["progress"], second["forced"]) == (None, None, [])
    assert (row["outcome"], row["think_tokens"], row["branch_tokens"]) == (0.0, 9, 0)


def test_a_response_without_episodes_is_whole():
    row = trace_row(
        record(episodes=[], episode_texts=["all of it"], texts=texts(lead_text="all of it", rest_text="")), 1
    )
    assert (row["response"], row["episodes"]) == ("all of it", [])


def test_a_rollout_without_texts_still_has_its_numbers():
    row = trace_row(record(texts=None, episode_texts=[]), 1)
    assert "problem" not in row
    assert [one["text"] for one in row["episodes"]] == [None, None]


def test_texts_travel_with_the_record():
    one = record()
    assert RolloutRecord.from_json(one.to_json()) == one
    assert "texts" not in record(texts=None).to_dict()


def test_rollouts_come_from_several_prompts():
    records = [record(texts=texts(uid=uid), markers=n) for n, uid in enumerate("aaabbc")]

    def chosen(count):
        return [(one.texts.uid, one.response.markers) for one in choose_rollouts(records, count)]

    assert chosen(3) == [("a", 0), ("b", 3), ("c", 5)]
    assert chosen(5) == [("a", 0), ("b", 3), ("c", 5), ("a", 1), ("b", 4)]
    assert len(chosen(10)) == 6
