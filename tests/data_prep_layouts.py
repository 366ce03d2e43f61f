"""Small files in the column layout that each source has on the hub; the problems are made up here."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

Rows = list[dict[str, Any]]
_DAPO_HEAD = (
    "Solve the following math problem step by step. The last line of your response should be of the form "
    "Answer: $Answer (without quotes) where $Answer is the answer to the problem.\n\n"
)
_DAPO_TAIL = '\n\nRemember to put your answer on its own line after "Answer:".'


def _numina(problem: str, answer: str, **changes: Any) -> dict[str, Any]:
    row = {
        "problem": problem,
        "solution": f"We find {answer}.",
        "answer": answer,
        "problem_type": "Algebra",
        "question_type": "math-word-problem",
        "problem_is_valid": "Yes",
        "solution_is_valid": "Yes",
        "source": "olympiads",
        "synthetic": False,
    }
    return {**row, **changes}


def _dapo(problem: str, answer: str, index: str) -> dict[str, Any]:
    return {
        "data_source": "math_dapo",
        "prompt": [{"content": _DAPO_HEAD + problem + _DAPO_TAIL, "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": answer, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": index},
    }


LAYOUTS: dict[str, dict[str, Rows]] = {
    "numinamath": {
        "train": [
            _numina("What is $3^2 + 4^2$?", "25"),
            _numina("Show that 7 is prime.", "proof", question_type="proof"),
            _numina("Which is largest? (A) 1 (B) 2", "B", question_type="MCQ"),
            _numina("What is the sum?", "12", problem_is_valid="Incomplete"),
            _numina("How many pages has Ann's book of 40 sheets?", "80", synthetic=True),
            _numina("Solve $2x = 1$.", "\\frac{1}{2}"),
            _numina("What is lost?", "notfound"),
        ]
    },
    "numinamath_cot": {
        "train": [
            {
                "source": "olympiads",
                "problem": "What is $3^2$?",
                "solution": "It is $\\boxed{9}$.",
                "messages": [{"content": "What is $3^2$?", "role": "user"}, {"content": "9", "role": "assistant"}],
            },
            {"source": "synthetic_math", "problem": "What is 1 - 1?", "solution": "$\\boxed{0}$", "messages": []},
            {"source": "aops_forum", "problem": "Show that it is so.", "solution": "It is so.", "messages": []},
        ],
        "test": [{"source": "cn_k12", "problem": "What is 5 - 2?", "solution": "$\\boxed{3}$", "messages": []}],
    },
    "aime": {
        "train": [
            {
                "ID": f"{year}-1",
                "Year": year,
                "Problem Number": 1,
                "Question": f"Find the remainder of {year} squared divided by 100.",
                "Answer": str(year**2 % 100),
                "Part": None,
            }
            for year in (1983, 2023, 2024)
        ]
    },
    "deepscaler": {
        "train": [
            {"problem": "What is $10 - 3$?", "answer": "7", "solution": ""},
            {"problem": "Write 0.5 as a fraction.", "answer": "\\frac{1}{2}", "solution": "One half."},
        ]
    },
    "dapo": {
        "train": [
            *[_dapo("Find $x$ if $x + 4 = 10$.", "6", "a-1")] * 3,
            _dapo("How many legs do two cats have?\n\nCount all.", "8", "a-2"),
        ]
    },
    "math": {
        "train": [
            {
                "problem": "What is $2 \\cdot 21$?",
                "level": "Level 1",
                "type": "Prealgebra",
                "solution": "Twice \\boxed{21}? No: \\boxed{42}.",
            }
        ],
        "test": [{"problem": "Name it.", "level": "Level 5", "type": "Geometry", "solution": "$\\boxed{\\text{Ann}}$"}],
    },
    "gsm8k": {
        "train": [
            {"question": "Ann buys 3 bags of 400 nuts. How many nuts?", "answer": "3*400 = <<3*400=1200>>\n#### 1,200"}
        ],
        "test": [{"question": "Bob has 2 hats and buys 1. How many?", "answer": "2+1 = <<2+1=3>>3\n#### 3"}],
    },
    "aime_2024": {
        "test": [
            {"id": 60, "problem": "Find 2 + 2.", "solution": "4", "answer": "004", "url": "u", "year": "2024"},
            {"id": 61, "problem": "Find 2 + 3.", "solution": "5", "answer": "005", "url": "u", "year": "2024"},
        ]
    },
    "aime_2025": {"test": [{"problem": "Find 9 - 2.", "answer": "7", "id": "0"}]},
    "amc_2023": {"test": [{"id": 0, "question": "How many days has a week?", "answer": 7.0, "url": "u"}]},
    "math500": {
        "test": [
            {
                "problem": "Convert $(0,3)$ to polar coordinates.",
                "solution": "…",
                "answer": "\\left( 3, \\frac{\\pi}{2} \\right)",
                "subject": "Precalculus",
                "level": 2,
                "unique_id": "test/precalculus/1.json",
            }
        ]
    },
    "minerva_math": {"test": [{"question": "Speed of light in m/s, to one digit?", "answer": "3e8"}]},
    "omni_math": {
        "test": [
            {
                "domain": ["Mathematics -> Algebra"],
                "difficulty": 8.0,
                "problem": "Find all $n$ with $n^2 = 4n$, $n > 0$.",
                "solution": "…",
                "answer": "4",
                "source": "imo",
            },
            {
                "domain": ["Mathematics -> Algebra"],
                "difficulty": 7.5,
                "problem": "Show that there are infinitely many primes.",
                "solution": "…",
                "answer": "There are infinitely many of them.",
                "source": "imo",
            },
        ]
    },
}


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as the suffix of `path` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        path.write_text(json.dumps(rows))
    return path
