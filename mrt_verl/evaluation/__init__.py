"""Measures models as MRT sees them: accuracy against tokens, regret, progress per episode (arXiv 2503.07572).

`python -m mrt_verl.evaluation run` samples, `… report` turns any number of runs into one page.

Sampling (what needs a model):
    engines.py      `generate`, the interface of verl's server manager, over in-process vLLM and over an endpoint
    problems.py     rows of a verl parquet file
    thinking.py     one response and its episode boundaries: plain, linearised, or kept from stopping (budget forcing)
    sampling.py     forced answers at every boundary, graded: one record a trace (records.py)
    run.py          all traces of a run, concurrently; store.py: run.json and traces.jsonl, resumable
    checkpoints.py  verl checkpoints as models

Measures (pure; numpy):
    curves.py       success against tokens, tokens to reach an accuracy, cumulative regret
    voting.py       pass@k, maj@k
    bootstrap.py    intervals over problems
    traces.py       measures of one trace; measures.py: arrays of one run; summary.py: tables of runs and comparisons
    load.py         reads runs and refuses to compare what cannot be compared

report/ draws and writes the page; settings.py and command.py are the command line.
"""
