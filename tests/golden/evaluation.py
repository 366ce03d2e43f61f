"""Records of the evaluation from a scripted engine, and the prefixes that are chosen from them."""

import tempfile
from pathlib import Path
from typing import Any

from tests.fakes import FakeServer, run_at_once, toy_tokenizer
from tests.golden import parts
from tests.golden.form import columns, plain, traffic
from tests.golden.scenarios import OVERRIDES, QUESTIONS, TEXTS, Evaluation
from tests.golden.training import make_author

PLAN = {"response_tokens": 96, "direct_answers": 4, "sampling_params": {"temperature": 1.0, "top_p": 1.0, "top_k": -1}}


def run_evaluation(scenario: Evaluation) -> dict[str, Any]:
    """The golden output of a scenario."""
    import pandas as pd

    tokenizer = toy_tokenizer(opens_thinking=scenario.opens_thinking)
    server = FakeServer(tokenizer, lambda request: author.write(request))
    texts = {**TEXTS, **scenario.texts}
    evaluation = parts.Evaluation(
        server, tokenizer, [*OVERRIDES, *scenario.overrides], texts, {**PLAN, **scenario.plan}
    )
    author = make_author(evaluation.settings, scenario.author)
    server.delay, server.cached = author.delay, author.cached
    with tempfile.TemporaryDirectory() as name:
        data = Path(name) / "data.parquet"
        pd.DataFrame(map(_row, range(scenario.problems))).to_parquet(data)
        records = run_at_once(evaluation.sample(parts.read_problems(data), scenario.traces))
        output = {
            "requests": traffic(server.requests),
            "records": columns([plain(record.to_dict()) for record in records]),
        }
        if scenario.prefix_seeds:
            evaluation.store(Path(name) / "run", data, records)
            chosen = [parts.choose_prefixes(Path(name) / "run", seed) for seed in range(scenario.prefix_seeds)]
            output["prefixes"] = plain(chosen)
    return output


def _row(number: int) -> dict[str, Any]:
    question, reference = QUESTIONS[number]
    prompt = [{"role": "user", "content": question}]
    return {"data_source": "sums", "prompt": prompt, "reward_model": {"ground_truth": reference}}
