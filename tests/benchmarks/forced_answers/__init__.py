r"""A thousand forced answers of a real model at each prefix, in plain transformers, and every prover's error from them.

problems.py    problems by code whose answers are integers, fractions, tuples, roots, letters
boxes.py       where a sampled answer closes its box, on the texts of its tokens
model.py       a causal model whose prefix is computed once and shared by all that is drawn after it
drawing.py     many answers after a prefix as one tree; the probability of a text over all its token paths
collect.py     command: traces, prefixes, draws and exact probabilities, written as JSON lines
stored.py      those lines read back, graded, and laid out as arrays
estimators.py  J by every prover from a few of the stored answers
table.py       command: bias, RMSE and tokens of every estimator

python -m recipes.smollm2_cpu.prepare --out outputs/smollm2_cpu/model
python -m tests.benchmarks.forced_answers.collect --model outputs/smollm2_cpu/model --out outputs/forced_answers
python -m tests.benchmarks.forced_answers.table --model outputs/smollm2_cpu/model --data outputs/forced_answers
"""
