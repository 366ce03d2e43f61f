"""Hand-made runs of traces, as the evaluation writes them."""

import json
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.settings import KEPT
from tests.builders import default_node
from tests.evaluation_records import settings

QUESTION = [{"role": "user", "content": "What is 2 + 2?"}]


def answer(text: str, verdict: str) -> dict[str, Any]:
    score = float(verdict == "right")
    return {"text": f"{{{text}}}", "finished": True, "extracted": text, "verdict": verdict, "score": score}


def trace(
    episodes: list[tuple[str, float | None, str]],
    *,
    problem: int = 0,
    number: int = 0,
    before: float | None = 0.0,
    own: str = "wrong",
    closed: bool = True,
    opening: int = 0,
    ending: str = "</think>\n\n\\boxed{5}",
) -> dict[str, Any]:
    """One line of traces.jsonl.

    Args:
        episodes: (text, J, verdict of the one forced answer); a text's length is its number of tokens.
        before: J without thinking.
        own: verdict of the final answer.
        opening: tokens of an opening tag that the model wrote.
    """
    records, start = [], opening
    for text, j, verdict in episodes:
        end = start + len(text)
        forced = [answer("4" if verdict == "right" else "3", verdict)]
        record = {"start": start, "marker_end": start, "end": end, "text": text, "forced": forced}
        records.append({**record, "j": j, "answer_tokens": 5.0})
        start = end
    thinking = "".join(text for text, _, _ in episodes)
    final = answer("4" if own == "right" else "5", own if closed else "no_answer")
    return {
        "problem": problem,
        "uid": f"uid-{problem}",
        "trace": number,
        "data_source": "sums",
        "messages": QUESTION,
        "reference": "4",
        "prompt_tokens": 10,
        "response": thinking + (ending if closed else ""),
        "response_tokens": start,
        "think_tokens": start,
        "closed": closed,
        "finished": closed,
        "markers": max(len(episodes) - 1, 0),
        "own": final,
        "episodes": records,
        "before": [],
        "before_tokens": 5.0,
        "j_before": before,
        "extension": [],
    }


def write_run(directory: Path, lines: list[dict[str, Any]], *, model: str = "none", **changes: Any) -> Path:
    """A run in `directory`; `changes` are to the `mrt:` node."""
    directory.mkdir(parents=True)
    node = default_node(**changes)
    mrt = {**{key: node[key] for key in KEPT}, "branches": node["branches"] or 4}
    about = settings(name="run", model=model, mrt=mrt, grader={"outcome": node["outcome"]})
    (directory / "run.json").write_text(json.dumps(about))
    (directory / "traces.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return directory
