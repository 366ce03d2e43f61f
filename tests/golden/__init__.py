"""Golden files: what rollouts, rewards, advantages, metrics and evaluation were, bit for bit, for scripted engines.

parts.py       everything that is taken from mrt_verl; a change of its layout changes this file alone
author.py      the texts of the fake model, drawn by hash
scenarios.py   the runs: settings, prompts, kinds of traces
training.py    a group's rollouts through agent loop, reward manager, layout, estimator and metrics
evaluation.py  records of the evaluation, and the prefixes chosen from them
form.py        the files' form, and how two outputs are compared
record.py      `python -m tests.golden.record [NAME …]` writes them anew: only for a change of behaviour on purpose

They were made at d3bc392, before the house was rebuilt, and held through it bit for bit. Recorded anew since, on
purpose: the two windows (one of W episodes holds W, not W + 1), `acc` of insertion_backtrack_by_function (accuracy, not
the score), the texts of forced answers that ended in a stop string (193 leaves differ by that line break alone), and
all 31 when forced answers came to end at the close of their box: their texts, `ht`'s weights by stems, the requests of
`likelihood` and `anchored` for what closes a box, and stop texts without line breaks that stood before them already.
`online_seen` and `online_anchored_seen` are as old as their provers.
`mrt/regret` of 18 scenarios became the evaluation's regret; insertions replace tokens that merge across their place.
Last digits of five files moved when floats came to be summed exactly, as Python 3.12 nearly does and 3.11 did not.
"""
