"""The form of the golden files: plain JSON, as compact as it stays readable, and what differs between two of them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

from tests.fakes import Request, digest

UNTIMED = {
    *("branch_seconds", "grade_seconds", "seconds", "worker"),
    *("mrt/branch_seconds_mean", "mrt/grade_seconds_mean", "mrt/gradings_per_second"),
}
"""Values that depend on the machine."""
ANSWER = {"text", "finished", "extracted", "verdict", "score", "weight"}
"""Keys of an answer in a record of the evaluation; a training record has (text, finished, weight)."""
WIDTH = 116


def plain(value: Any) -> Any:
    """The value as JSON gives it back, without what depends on the machine; floats keep all their bits."""
    if isinstance(value, dict):
        if value.keys() == ANSWER:
            return _answer(value.values())
        return {str(key): plain(one) for key, one in value.items() if key not in UNTIMED}
    if isinstance(value, list | tuple):
        if len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], bool):
            return _answer(value)
        return [plain(one) for one in value]
    return value


def _answer(values: Iterable[Any]) -> str:
    """A forced or final answer in one text, all bits of its values in it."""
    return " ".join(map(repr, values))


def columns(rows: Any) -> Any:
    """Lists of dicts with the same keys as one dict of lists, at every depth: each key is written once.

    A list that says the same again and again becomes {"each": …} or {"runs": …}.
    """
    if isinstance(rows, dict):
        return {key: columns(value) for key, value in rows.items()}
    if not isinstance(rows, list):
        return rows
    if rows and all(isinstance(one, dict) and one and list(one) == list(rows[0]) for one in rows):
        return {key: columns([one[key] for one in rows]) for key in rows[0]}
    whole = [columns(one) for one in rows]
    repeated = runs(whole)
    if len(repeated) == 1:
        return {"each": whole[0]}
    short = {"runs": repeated}
    return short if len(json.dumps(short)) < 0.7 * len(json.dumps(whole)) else whole


def runs(values: Iterable[Any]) -> list[list[Any]]:
    """[value, how often in a row]; by their text, in which 0.0 and -0.0 differ."""
    return [[json.loads(text), len(list(group))] for text, group in groupby(map(json.dumps, values))]


def row(values: Iterable[Any]) -> str:
    """The runs of a row of numbers in one text."""
    return ", ".join(f"{value} x{count}" for value, count in runs(values))


def hashed(values: Sequence[Any] | None) -> str | None:
    """Number and hash of a long list."""
    return None if values is None else f"{len(values)}:{digest(list(values))[:8]}"


def traffic(requests: Sequence[Request]) -> dict[str, Any]:
    """What an engine was asked for, in no order: per request id "parameters x times: tokens:hash …" of the prompts."""
    known = sorted({_params(request) for request in requests})
    names = {text: f"p{number}" for number, text in enumerate(known)}
    by_id: dict[str, Counter[tuple[str, str]]] = {}
    for request in requests:
        prompt = f"{len(request.prompt_ids)}:{digest(request.prompt_ids)[:8]}"
        by_id.setdefault(request.request_id, Counter())[names[_params(request)], prompt] += 1
    groups = []
    for counter in by_id.values():
        prompts: dict[str, list[str]] = {}
        for (name, prompt), count in sorted(counter.items()):
            prompts.setdefault(f"{name} x{count}", []).append(prompt)
        groups.append(", ".join(f"{how}: {' '.join(asked)}" for how, asked in sorted(prompts.items())))
    params = {name: json.loads(text) for text, name in names.items()}
    first: dict[str, Any] = next(iter(params.values()), {})
    common = {key: first[key] for key in first if all(key in one and one[key] == first[key] for one in params.values())}
    own = {name: {key: one[key] for key in one if key not in common} for name, one in params.items()}
    return {"params": {"all": common, **own}, "by_request_id": sorted(groups)}


def _params(request: Request) -> str:
    return json.dumps(plain(request.params), sort_keys=True)


def write(value: Any, indent: str = "") -> str:
    """JSON in lines of at most WIDTH characters where that can be had."""
    text = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(text) <= WIDTH or not isinstance(value, dict | list) or not value:
        return text
    deeper = indent + " "
    if isinstance(value, dict):
        items = [f"{json.dumps(key, ensure_ascii=False)}: {write(one, deeper)}" for key, one in value.items()]
        return "{\n" + ",\n".join(deeper + item for item in items) + f"\n{indent}}}"
    lines: list[str] = []
    for item in (write(one, deeper) for one in value):
        joined = f"{lines[-1]}, {item}" if lines else ""
        if joined and "\n" not in joined and len(joined) <= WIDTH:
            lines[-1] = joined
        else:
            lines.append(deeper + item)
    return "[\n" + ",\n".join(lines) + f"\n{indent}]"


def differences(golden: Any, now: Any, path: str = "") -> Iterator[str]:
    """One text per place where two values differ, bit for bit, with both of them."""
    if isinstance(golden, dict) and isinstance(now, dict):
        for key in sorted({*golden, *now}):
            yield from differences(golden.get(key, "(nothing)"), now.get(key, "(nothing)"), f"{path}.{key}")
    elif isinstance(golden, list) and isinstance(now, list) and len(golden) == len(now):
        for index, (one, other) in enumerate(zip(golden, now, strict=True)):
            yield from differences(one, other, f"{path}[{index}]")
    elif json.dumps(golden) != json.dumps(now):
        yield f"{path.lstrip('.')}: golden {json.dumps(golden)}, now {json.dumps(now)}"
