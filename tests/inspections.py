"""What tests of mrt-inspect are made of: a model that a server plays, its problems, and findings by hand."""

import pandas as pd

from mrt_verl.inspect.findings import Findings
from mrt_verl.inspect.forced import ForcedAnswers
from mrt_verl.inspect.openings import Openings
from mrt_verl.inspect.signal import Signal
from tests.fakes import END, toy_tokenizer

TOKENIZER = toy_tokenizer(opens_thinking=True)


def write_problems(folder, count):
    """A verl file of problems whose answer is 7."""
    rows = [
        {"prompt": [{"role": "user", "content": f"Try {n}"}], "reward_model": {"ground_truth": "7"}, "data_source": "t"}
        for n in range(count)
    ]
    pd.DataFrame(rows).to_parquet(folder / "data.parquet")
    return folder / "data.parquet"


def model(request):
    """Thinks three paragraphs without a marker; knows the answer after the second, and writes it `{7}`."""
    if not request.text.endswith("\\boxed"):
        return f"Try 1.\n\nTry 2.\n\nTry 3.\n\n</think>\n\nSo the answer is \\boxed{{7}}{END}"
    right = "Try 2." in request.text
    return "{7}." if right else "{8}."


def finding(settings, **changes):
    """Of a model that thinks in four episodes and whose answers can all be read."""
    values = {
        "settings": settings,
        "traces": 40,
        "group": 4,
        "response_tokens": 800.0,
        "think_tokens": 700.0,
        "closed_share": 1.0,
        "without_thinking": 0.0,
        "episodes_mean": 4.0,
        "single_share": 0.0,
        "capped_share": 0.0,
        "openings": Openings(8.0, 0.0, {"Wait": 20}, {}),
        "forced": ForcedAnswers(100, 1.0, 1.0, {"{{reference}}": 0.9}, ()),
        "signal": Signal(0.5, 0.3, 0.6, 0.5, 200, 0.3, 0.1, 0.5, 0.3, 0.1),
        "price": {"sample or ht, G = 4": 0.8, "seen, G = 1": 0.1},
    }
    return Findings(**{**values, **changes})
