"""A rollout's record for tests of what is told of it."""

from typing import Any

from mrt_verl.rollout_record import RolloutRecord


def rollout(**changes: Any) -> RolloutRecord:
    """A graded rollout without episodes."""
    values: dict[str, Any] = {
        "episodes": [],
        "answer_start": 0,
        "finished": True,
        "think_tokens": 0,
        "response_tokens": 3,
        "markers": 0,
        "outcome": 1.0,
        "answers": 1,
    }
    texts = {
        "uid": changes.pop("uid", "a"),
        "data_source": changes.pop("data_source", "test"),
        "problem": "1 + 1?",
        "reference": "2",
        "lead_text": "",
        "rest_text": "",
        "extracted": None,
        "verdict": "right",
        "detail": "",
    }
    return RolloutRecord.from_dict({**values, "texts": texts, **changes})
