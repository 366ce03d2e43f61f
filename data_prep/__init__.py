"""From public data to verl parquet: `python -m data_prep SOURCE --out DIR`.

Where what happens, in the order of the data:

    __main__.py       the command line; every failure a user can cause is one line
    sources/          one module per source: where it is, how one of its rows becomes a problem
    inputs.py         rows of a dataset on the hub, of a directory like it, or of one file
    problems.py       Problem, Dropped and Source: what the modules hand to each other
    tables.py         rows of a table nobody has vetted, for the source `file`
    references.py     a reference of any type as one text; the answer of a worked solution
    answers.py        which references can be graded: right against themselves, by the package's own grader
    evaluation_sets.py  what training data is decontaminated against
    duplicates.py     problems that are the same text
    contamination.py  problems that share n-grams with an evaluation set
    sampling.py       choosing problems by seed, whatever their order
    pipeline.py       all of the above for one source, split by split
    schema.py         verl's columns
    writing.py        parquet, manifest and JSONL files that appear only when they are whole

    check.py          the command that tells which rows of any parquet file cannot be graded

    traces.py         runs of sampled traces, and the text up to an episode's end
    prefixes.py       the command that samples them and writes stale prefixes
    star.py           the command that makes the STaR set of them; sft.py: its messages
    backtrack.py      the command that makes backtracking demonstrations of them; stitching.py: their text,
                      continuations.py: paths from a step, suffix_dataset.py: loss on their end alone
"""
