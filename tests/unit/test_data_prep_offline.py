"""The sources that need no download, as a user calls them."""

import ast
import asyncio
import json

import pandas as pd
import pytest

from data_prep.__main__ import main
from data_prep.reasoning_gym_score import compute_score
from data_prep.sources.champ import plain_answer
from mrt_verl.grading import Grader, Verdict

pytestmark = pytest.mark.long  # reasoning_gym takes seconds to import


def prepare(out, *command):
    assert main([*command, "--out", str(out)]) == 0
    return json.loads((out / "manifest.json").read_text())


def read(path):
    return pd.read_parquet(path).to_dict("records")


def test_champ(tmp_path):
    manifest = prepare(tmp_path, "champ", "--test-size", "40")
    assert manifest["counts"] == {"train": {"read": 270, "kept": 198}, "test": {"read": 0, "kept": 40}}
    assert sum(manifest["dropped"]["train"].values()) == 270 - 198 - 40
    assert manifest["origin"]["train"] == {"package": "champ-dataset", "revision": "1.0.0"}
    train, test = read(tmp_path / "train.parquet"), read(tmp_path / "test.parquet")
    ids = [{row["extra_info"]["id"] for row in rows} for rows in (train, test)]
    assert len(ids[0]) == 198
    assert len(ids[1]) == 40
    assert not ids[0] & ids[1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("100 (i.e., all values)", "100"),
        ("0 (none of the values)", "0"),
        ("(x=8, y=2), (x=2, y=8)", "(x=8, y=2), (x=2, y=8)"),
        ("sqrt(3)/3, or equivalently 1/sqrt(3)", "\\sqrt{3}/3"),
        ("The limit exists and is equal to (1+sqrt(4a+1))/2", "(1+\\sqrt{4a+1})/2"),
        ("C(n, 4), or an equivalent form such as n(n-1)(n-2)(n-3)/4!", "\\binom{n}{4}"),
        ("2^floor(n/2)*floor(n/2)!", "2^{\\lfloor n/2 \\rfloor}*\\lfloor n/2 \\rfloor!"),
        ("n(n+1)*2^(n-2)", "n(n+1)*2^{n-2}"),
        ("sum_(i=1)^n i^2, or equivalently n(n+1)(2n+1)/6", "\\sum_{i=1}^n i^2"),
        ("-3 is the only possible value", "-3"),
        ("98 values", "98"),
        ("1, 4 and 9", "1, 4, 9"),
        ("x^3\u2212x", "x^3-x"),
        ("2^(2^(n+1))", "2^{2^{n+1}}"),
    ],
)
def test_champ_answers_in_latex(answer, expected):
    assert plain_answer(answer) == expected


def test_reasoning_gym_has_its_own_scorer(tmp_path):
    """Another right answer than the reference is right, which no comparison with it would find."""
    prepare(tmp_path, "reasoning_gym", "--task", "countdown", "--size", "5")
    row = read(tmp_path / "train.parquet")[0]
    arguments = {"data_source": row["data_source"], "ground_truth": "unused", "extra_info": row["extra_info"]}
    reference = row["reward_model"]["ground_truth"]
    numbers = ast.literal_eval(row["extra_info"]["metadata"])["numbers"]
    expected = {
        f"So \\boxed{{{reference}}}": 1.0,
        f"<think>\\boxed{{1}}</think> \\boxed{{0 + ({reference}) - 0}}": 0.0,  # zeros are no given numbers
        f"\\boxed{{({reference})}}": 1.0,
        f"\\boxed{{{' + '.join(map(str, numbers))}}}": 0.0,  # part marks for using the numbers
        "no box": 0.0,
    }
    for solution, score in expected.items():
        assert compute_score(solution_str=solution, **arguments) == {"score": score, "acc": score}


def test_the_scorer_runs_where_outcomes_are_graded(tmp_path):
    """As mrt.outcome=compute_score has it: in a worker, which imports the file and unpickles the row's extra_info."""
    prepare(tmp_path, "reasoning_gym", "--task", "chain_sum", "--size", "2")
    row = read(tmp_path / "train.parquet")[0]
    reference = row["reward_model"]["ground_truth"]
    with Grader() as grader:

        def grade(answer):
            return grader.grade_outcome(
                compute_score,
                data_source=row["data_source"],
                solution_str=f"\\boxed{{{answer}}}",
                ground_truth=reference,
                extra_info=row["extra_info"],
            )

        assert asyncio.run(grade(reference)).verdict is Verdict.RIGHT
        assert asyncio.run(grade(int(reference) + 1)).verdict is Verdict.WRONG


def test_reasoning_gym_task_without_a_reference(tmp_path):
    manifest = prepare(tmp_path, "reasoning_gym", "--task", "graph_color", "--size", "3", "--config", "num_colors=4")
    assert manifest["origin"]["train"]["config"] == {"num_colors": 4}
    row = read(tmp_path / "train.parquet")[0]
    puzzle = ast.literal_eval(row["extra_info"]["metadata"])["puzzle"]
    arguments = {"data_source": "", "ground_truth": "", "extra_info": row["extra_info"]}
    same = json.dumps({vertex: 1 for vertex in puzzle["vertices"]})
    assert compute_score(solution_str=f"\\boxed{{{same}}}", **arguments)["acc"] == 0.0
    colours: dict[int, int] = {}
    for vertex in puzzle["vertices"]:  # greedy, which four colours suffice for on these small graphs
        taken = {colours.get(other) for edge in puzzle["edges"] if vertex in edge for other in edge}
        colours[vertex] = next(colour for colour in puzzle["color_options"] if colour not in taken)
    assert compute_score(solution_str=f"\\boxed{{{json.dumps(colours)}}}", **arguments)["acc"] == 1.0


def test_the_seed_decides(tmp_path):
    files = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        manifest = prepare(tmp_path / name, "search_task", "--limit", "50", "--test-size", "20", "--seed", str(seed))
        files[name] = manifest["files"]
        assert manifest["counts"]["train"]["kept"] == 50
        assert manifest["counts"]["test"]["kept"] == 20
    assert files["a"] == files["b"]
    assert files["a"]["train.parquet"]["sha256"] != files["c"]["train.parquet"]["sha256"]


def test_skip_takes_others(tmp_path):
    """As the paper's RL set and STaR set: as many as asked for, none in both."""
    chosen = []
    for name, options in (("rl", ["--limit", "40"]), ("star", ["--skip", "40", "--limit", "100"])):
        prepare(tmp_path / name, "champ", *options)
        chosen.append({row["extra_info"]["id"] for row in read(tmp_path / name / "train.parquet")})
    assert [len(one) for one in chosen] == [40, 100]
    assert not chosen[0] & chosen[1]
