"""1 M rows through data_prep: seconds and peak memory of each stage; prints one JSON line.

The table is made up: problems of some 45 words with a tenth of them repeated, and answers in the mix that NuminaMath's
olympiad part has by eye: 60 % numbers, 15 % simple fractions and roots, 25 % other LaTeX. One in 500 is a problem of an
evaluation set; those have the sizes of the real ones. `prepare` is the whole command without decontamination,
`decontaminate` is what asking for it adds, measured on the same rows. Answers repeat, as they do in real data, and each
is checked once: `distinct` says how many went to math-verify, which is most of the time where they are many.

Usage: python -m tests.benchmarks.data_prep [ROWS]
"""

import argparse
import itertools
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.__main__ import main as run
from data_prep.answers import is_certain
from data_prep.contamination import Contamination
from data_prep.inputs import read_file

SETS = {"aime_2024": 30, "aime_2025": 30, "amc_2023": 40, "math500": 500, "minerva_math": 272, "omni_math": 4428}
WORDS = [a + b + c for a, b, c in itertools.product(("tri", "par", "co", "mul"), ("an", "ab", "ef"), ("gle", "ty", ""))]
CHUNK = 20_000


def make_problem(rng: random.Random) -> str:
    words = rng.choices(WORDS, k=rng.randrange(30, 60))
    return f"Let $x_{{{rng.randrange(10**6)}}} = {rng.randrange(10**6)}$. " + " ".join(words) + " Find $x$."


def count_distinct(path: Path) -> int:
    """Answers whose form alone does not decide."""
    return sum(not is_certain(answer) for answer in set(pq.read_table(path, columns=["answer"])["answer"].to_pylist()))


def make_answer(rng: random.Random) -> str:
    kind, a, b = rng.random(), rng.randrange(1, 1000), rng.randrange(1, 100)
    if kind < 0.6:
        return str(a)
    if kind < 0.75:
        return rng.choice([f"\\frac{{{a}}}{{{b}}}", f"{b}\\sqrt{{{a}}}"])
    a, b = a % 200 + 1, b % 40 + 1
    return rng.choice([f"x = {a}, y = {b}", f"\\frac{{{a} + \\sqrt{{{b}}}}}{{2}}", f"{b}\\pi + {a}", f"({a}, {b})"])


def make_rows(rows: int, exam: list[str], rng: random.Random) -> Iterator[dict[str, Any]]:
    earlier: list[tuple[str, str]] = []
    for _ in range(rows):
        kind = rng.random()
        if kind < 0.1 and earlier:
            problem, answer = rng.choice(earlier)
        else:
            problem = "Consider this. " + rng.choice(exam) if kind < 0.102 else make_problem(rng)
            answer = make_answer(rng)
            if len(earlier) < 200_000:
                earlier.append((problem, answer))
        yield {"problem": problem, "answer": answer, "solution": ""}


def write_table(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    schema = pa.schema({name: pa.string() for name in ("problem", "answer", "solution")})
    with pq.ParquetWriter(path, schema) as writer:
        while chunk := list(itertools.islice(rows, CHUNK)):
            writer.write_table(pa.Table.from_pylist(chunk, schema=schema))


def time_decontamination(path: Path, sets: dict[str, list[str]]) -> dict[str, float]:
    started = time.perf_counter()
    index = Contamination(sets)
    rows, found = read_file(path, ("problem",)).rows, 0
    while chunk := [row["problem"] for row in itertools.islice(rows, CHUNK)]:
        found += sum(name is not None for name in index.find(chunk))
    return {"seconds": round(time.perf_counter() - started, 1), "found": found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    rows = parser.parse_args().rows
    rng = random.Random(0)
    sets = {name: [make_problem(rng) for _ in range(size)] for name, size in SETS.items()}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "in.parquet"
        write_table(path, make_rows(rows, [one for problems in sets.values() for one in problems], rng))
        started = time.perf_counter()
        code = run(["deepscaler", "--from", str(path), "--out", f"{directory}/out"])
        seconds = time.perf_counter() - started
        manifest = json.loads((Path(directory) / "out" / "manifest.json").read_text())
        distinct = count_distinct(path)
        decontamination = time_decontamination(path, sets)
    result = {
        "benchmark": "data_prep",
        "rows": rows,
        "prepare": {"seconds": round(seconds, 1), "kept": manifest["counts"]["train"]["kept"], "distinct": distinct},
        "decontaminate": decontamination,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "peak_gb_worker": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
    }
    print(json.dumps(result))
    sys.exit(code)


if __name__ == "__main__":
    main()
