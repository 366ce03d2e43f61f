"""Meta Reinforcement Fine-Tuning (MRT, arXiv 2503.07572) as a plugin for verl.

Where what happens, in the order of the data:

    register.py          verl calls us here first (the entry point `verl.plugins`)
    settings.py          MRTSettings, the validated view of the `mrt:` node (setting_checks.py: its ranges); conf/: what
                         `reward_model=mrt` composes; registry.py, parts.py: the parts that a setting names
    online.py, prefix/   the two variants, under any host
    rollout.py           one rollout: trace → episodes → boundaries → forced answers, for training and evaluation
      episodes.py        splits a trace's token ids into episodes (markers.py, token_text.py: words in
                         token ids; episode_kinds.py: models that never say "Wait")
      trace.py           a response that grows in pieces; insertions.py: text written into it
      branching.py       which boundaries are branched, equal prefixes once
      answer_pool.py     what the group answered rightly, for `pooled`
      provers/           how J is estimated there: one file per prover, and their registry; sampling_params.py
    grading/             final and forced answers → grades, under a deadline
    value_estimates.py   grades → J (rollout_grading.py: of a whole rollout)
    progress.py          J → progress → credit; regret
    reward_layout.py     outcome and progress in verl's token-level rewards
    advantage.py         reward rows → advantages: GRPO's outcome advantage plus the scaled credit
    rollout_record.py    what a rollout hands on beside the tokens verl knows
    metrics.py           mrt/* from these records (metric_table.py: what each says)
    step_report.py       a step's metrics, warnings (grading_meter.py) and trace files (trace_log.py, trace_rows.py)

    hooks/               all that imports verl: a table of its hooks, and one file for each
    openrlhf/            the same rollout behind OpenRLHF's agent executor
    check.py             everything that is wrong with a run, before it starts
    media.py             images, videos and audios in a prompt
    inspect/             what MRT would find in a model, and which settings fit it
    cpu/                 what a machine without a GPU needs on top; loaded only if VERL_PLATFORM=cpu
    evaluation/          measures models without a trainer: sampling, curves, intervals, a report
    extras.py            which extra brings a package that a command lacks
    platforms.py         whether there is but a CPU; weights.py: whether a model's are whole
    processes.py         processes of ours and whatever they start; locks.py: one run in a directory;
                         interrupts.py: commands that are told to stop; whole.py: no half-written file
    log.py               warnings that reach the console in every process

The names below are for scripts and notebooks. They are loaded when they are first used: `import mrt_verl`, which every
Ray worker does, loads nothing else. A trace whose J rises from 0.25 without thinking to 1 in three episodes:

>>> from mrt_verl import compute_progress, normalised_regret
>>> js = [0.5, 0.25, 1.0]
>>> [step.progress for step in compute_progress(0.25, js)]
[0.25, -0.25, 0.75]
>>> round(normalised_regret(tokens=[100, 200, 300], js=js, budget=300), 3)
0.583
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mrt_verl.episodes import EpisodeSplitter
    from mrt_verl.grading import grade
    from mrt_verl.progress import compute_credit, compute_progress, normalised_regret
    from mrt_verl.settings import MRTSettings

__version__ = "0.2.0"
__all__ = [
    "EpisodeSplitter",
    "MRTSettings",
    "compute_credit",
    "compute_progress",
    "grade",
    "normalised_regret",
]
_MODULES = {
    "EpisodeSplitter": "episodes",
    "MRTSettings": "settings",
    "compute_credit": "progress",
    "compute_progress": "progress",
    "grade": "grading",
    "normalised_regret": "progress",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
