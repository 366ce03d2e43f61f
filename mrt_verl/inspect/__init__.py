"""What would MRT do to my model? `python -m mrt_verl.inspect --model MODEL --data FILE` (also `mrt-inspect`).

Some traces are sampled with forced answers at every boundary, as an evaluation does, and read for what a training run
would find in them.

    command.py    argparse: sample, read, propose, sample once more under the proposal
    openings.py   which words open the model's paragraphs
    forced.py     how it writes forced answers
    signal.py     progress against the prover's noise, and groups that would train
    price.py      what branches would cost
    findings.py   all of it about one run, in plain words
    advice.py     the settings that fit, each with its reason
"""
