"""What would MRT do to my model? `python -m mrt_verl.inspect --model MODEL --data FILE` (also `mrt-inspect`).

Some traces are sampled with forced answers at every boundary, as an evaluation does, and read for what a training run
would find in them.

    command.py      argparse
    inspection.py   sample, read, try stop texts, propose, look at the same traces under the proposal, tell
    asked.py        which settings are training's, and what an inspection samples instead
    words.py        the words of a command line; allowed.py: whether training would take them
    session.py      one engine for all of it, and the time it may take; recut.py: traces cut otherwise
    stop_texts.py   stop texts side by side; references.py: the reference scored in several spellings
    openings.py     which words open the model's paragraphs
    forced.py       how it writes forced answers
    signal.py       progress against the prover's noise, and groups that would train
    price.py        what branches would cost
    findings.py     all of it about one run; describe.py: in plain words
    advice.py       the settings that fit, each with its reason
"""
