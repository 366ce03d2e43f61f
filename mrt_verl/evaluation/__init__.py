"""Measures models as MRT sees them: accuracy against tokens, regret, progress per episode (arXiv 2503.07572).

    from mrt_verl.evaluation import EvaluationConfig, compare, evaluate, report

`python -m mrt_verl.evaluation run` samples, `… report` turns any number of runs into one page; command.py and
options.py are that command line.

Sampling (what needs a model):
    config.py         EvaluationConfig: what to sample; plan.py: how; settings.py: its `mrt:` node, and run.json
    evaluate_models.py  evaluate(config): every model in turn; checkpoints.py: verl checkpoints as models;
                      model_files.py: what else one needs
    engines.py        `generate`, the interface of verl's server manager, over in-process vLLM and over an endpoint
    problems.py       rows of a verl parquet file
    sampling.py       one rollout (mrt_verl.rollout) with its answers graded: a record (records.py); timed.py:
                      how long that took
    extrapolation.py  thinking beyond a trace's end, and with a window of episodes
    run.py            all traces of a run, concurrently; store.py: run.json and traces.jsonl, resumable

Measures (pure; numpy):
    curves.py         success against tokens, tokens to reach an accuracy, cumulative regret
    voting.py         pass@k, maj@k
    bootstrap.py      intervals over problems
    traces.py         measures of one trace; measures.py: arrays of one run; summary.py: tables of runs, comparisons
    load.py           reads runs and refuses to compare what cannot be compared

reporting.py (report, compare) and page/ (tables, plots, index.html) make the report.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrt_verl.evaluation.config import EvaluationConfig
    from mrt_verl.evaluation.evaluate_models import EvaluationResult, evaluate
    from mrt_verl.evaluation.reporting import compare, report

__all__ = ["EvaluationConfig", "EvaluationResult", "compare", "evaluate", "report"]

_HOMES = {
    "EvaluationConfig": "config",
    "EvaluationResult": "evaluate_models",
    "evaluate": "evaluate_models",
    "compare": "reporting",
    "report": "reporting",
}


def __getattr__(name: str) -> Any:
    # lazily: `--help`, and the report on a machine without vLLM, should not wait for what they do not need
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
