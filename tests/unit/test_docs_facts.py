"""What the documentation says of the package and its results: names, links, commands and numbers that must exist."""

import ast
import contextlib
import io
import json
import re
import shlex
import tomllib
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

import mrt_verl
from data_prep.__main__ import _parser as data_prep_parser
from mrt_verl.evaluation import evaluate_models
from mrt_verl.evaluation.command import build_parser
from mrt_verl.inspect.command import build_parser as inspect_parser
from mrt_verl.metric_table import METRICS
from mrt_verl.settings import MRTSettings
from recipes.study.fast import hosts
from recipes.study.fast.arms import LATE, LATE_MORE_SEEDS, LATE_VARIANTS, MAIN, SHOWN, TUNED, VARIANTS
from recipes.study.fast.intervals import ratio_interval, t_interval
from recipes.study.fast.summary import (
    complete,
    pairs_of,
    read_results,
    table_of_arms,
    table_of_differences,
    table_of_tries,
    token_efficiency,
    tuning_table,
)
from recipes.study.fast.tasks import TASKS
from tests.builders import ROOT
from tests.fakes import FakeServer, toy_tokenizer

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("recipes/**/README.md")])
DOCS = ROOT / "docs"


def id_of(page):
    return str(page.relative_to(ROOT))


pages = pytest.mark.parametrize("page", PAGES, ids=id_of)


def code_blocks(page, language):
    """The fenced blocks of a language, "" for those without one."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [block for named, block in found if named == language]


def commands(page):
    """Every command of the page's shell blocks as a list of words, continued lines joined, comments gone.

    A command whose output is another's word comes by itself too.
    """
    for block in code_blocks(page, "bash"):
        lines = block.replace("\\\n", " ")
        inner = re.findall(r"\$\(([^()]*)\)", lines)
        for line in [*re.sub(r"\$\([^()]*\)", "output", lines).splitlines(), *inner]:
            for part in re.split(r"[|;]", line):
                with contextlib.suppress(ValueError):
                    words = [
                        word for word in shlex.split(part, comments=True) if not re.match(r"[A-Z_]+=\S*$|do$", word)
                    ]
                    if words:
                        yield words


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().split()) <= 900


def test_every_page_is_listed():
    listed = set(re.findall(r"\]\((\w+\.md)\)", (DOCS / "README.md").read_text()))
    assert listed == {page.name for page in DOCS.glob("*.md")} - {"README.md"}


@pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pages
def test_files_that_are_named_exist(page):
    named = re.findall(r"`((?:mrt_verl|data_prep|recipes|tests|docs)/[\w./-]+)`", page.read_text())
    named = [path for path in named if not re.search(r"[A-Z]+-[A-Z]+", path)]  # ARM-SEED.json stands for many
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing


def test_the_readmes_tree_is_the_package():
    """What it names exists; every room is in it, and every module there or in the package's own map."""
    tree = next(block for block in code_blocks(ROOT / "README.md", "") if block.startswith("mrt_verl/"))
    package = re.search(r"^mrt_verl/\n((?:  .*\n)+)", tree, re.MULTILINE)[1]
    named = set(re.findall(r"(\w+(?:\.py|/))", package)) - {"mrt/"}  # of the metrics' names
    modules = {one.name for one in (ROOT / "mrt_verl").glob("*.py")} - {"__init__.py"}
    rooms = {f"{one.parent.name}/" for one in (ROOT / "mrt_verl").glob("*/__init__.py")}
    assert rooms <= named <= modules | rooms
    assert modules <= named | set(re.findall(r"\w+\.py", mrt_verl.__doc__))
    outer = re.findall(r"^(\w+/)", tree, re.MULTILINE)
    assert outer == ["mrt_verl/", "data_prep/", "recipes/", "docs/", "tests/"]
    assert all((ROOT / name).is_dir() for name in outer)


@pages
def test_settings_and_metrics_that_are_named_exist(page):
    text = page.read_text()
    known = {field.name for field in fields(MRTSettings)}
    keys = set(re.findall(r"(?<![\w/.])mrt\.([a-z]\w*)(?!\w*[/.(])", text)) - {"yaml", "md"}
    assert keys <= known
    assert {f"mrt/{name}" for name in re.findall(r"`mrt/(\w+)`", text)} <= set(METRICS)


@pages
def test_python_names_exist(page):
    """`mrt_verl.package.name`: a module, or something defined or imported in one."""
    for name in re.findall(r"`((?:mrt_verl|data_prep)(?:\.\w+)+)`", page.read_text()):
        parts = name.split(".")
        module = next(n for n in range(len(parts), 0, -1) if is_module(parts[:n]))
        assert len(parts) - module <= 1, name
        assert module == len(parts) or parts[-1] in defined_in(parts[:module]), name


def source_of(parts):
    path = ROOT.joinpath(*parts)
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def is_module(parts):
    return source_of(parts).is_file()


def defined_in(parts):
    names = set()
    for node in ast.parse(source_of(parts).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


MODULE_OF = {
    "mrt-eval": "mrt_verl.evaluation",
    "mrt-data": "data_prep",
    "mrt-check": "mrt_verl.check",
    "mrt-inspect": "mrt_verl.inspect",
}


@pages
def test_commands_can_be_parsed(page):
    """Scripts and modules exist; the arguments of our two command lines are those that they take."""
    for words in commands(page):
        if words[0] == "bash":
            assert (ROOT / words[1]).exists(), words
        if words[0].startswith("mrt-"):
            words = ["python", "-m", MODULE_OF[words[0]], *words[1:]]
        if words[:2] == ["python", "-m"] and re.match(r"mrt_verl|data_prep|recipes|tests", words[2]):
            module = words[2].split(".")
            assert is_module(module) or is_module([*module, "__main__"]), words
            parsers = {
                "mrt_verl.evaluation": build_parser,
                "mrt_verl.inspect": inspect_parser,
                "data_prep": data_prep_parser,
            }
            parser = parsers.get(words[2])
            if parser is not None:
                arguments = [word.replace("$set", "aime_2024") for word in words[3:]]
                parse(parser(), arguments)


def parse(parser, arguments):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            parser.parse_args(arguments)
    except SystemExit as end:
        assert end.code == 0, arguments  # --help ends with 0


def test_console_commands_are_declared():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    used = {words[0] for page in PAGES for words in commands(page) if words[0].startswith("mrt-")}
    assert used == set(scripts)


def test_every_command_and_extra_is_documented():
    parser = data_prep_parser()
    (commands_of,) = [action.choices for action in parser._actions if action.choices]
    named = re.findall(r"`(\w+)`", (DOCS / "data.md").read_text())
    assert not set(commands_of) - set(named)
    extras = set(re.findall(r"'\.\[(\w+)\]'", "".join(page.read_text() for page in PAGES)))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"eval", "data"} <= extras <= set(project["optional-dependencies"])


def test_the_table_of_metrics():
    text = (DOCS / "metrics.md").read_text().partition("## ")[0]
    rows = re.findall(r"^\| `(mrt/\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.MULTILINE)
    assert {name: tuple(cells) for name, *cells in rows} == {name: tuple(one) for name, one in METRICS.items()}


def test_the_study_in_readme_and_measurements():
    """The tables' numbers are those of the runs."""
    arms = json.loads((ROOT / "recipes/study/results/v1/summary.json").read_text())["arms"]
    shown = "".join(path.read_text() for path in (ROOT / "README.md", DOCS / "measurements.md"))
    for arm, row in arms.items():
        cells = [
            f"{row[key]['mean']:.3f} [{row[key]['low']:.3f}, {row[key]['high']:.3f}]" for key in ("pass@1", "regret")
        ]
        further = [f"{row[key]['mean']:.3f}" for key in ("regret_at_twice_the_budget", "accuracy_at_equal_tokens")]
        time = [f"{row['accuracy_at_equal_hours']['mean']:.3f}", f"{row['seconds_per_step']['mean']:.1f}"]
        seeds = len(row["pass@1"]["seeds"])
        assert f"| {seeds} | {' | '.join([*cells, *further, *time])} |" in shown, arm


STUDY = "".join((ROOT / "recipes/study" / name).read_text() for name in ("README.md", "protocol.md"))
IN_README = {
    "MRT (defaults: `seen`, `credit=median`)": "seen_median",
    "MRT, `pooled`": "pooled_median",
    "the paper's MRT (`sample`, G = 4)": "paper",
    "likelihood every 24 tokens (as GRPO-VPS)": "segments",
    "GRPO with a length penalty": "grpo_length",
    "GRPO, cut at 80 tokens": "grpo_truncated",
}


def test_the_fast_study_in_readme():
    """README's rows are those of the runs, and its picture has the arms of its table."""
    results = complete(read_results(ROOT / "recipes/study/results/fast-pair-v2/runs"), MAIN)
    text = (ROOT / "README.md").read_text()
    assert {"grpo", *IN_README.values()} == set(SHOWN)
    assert "](recipes/study/results/fast-pair-v2/shown.png)" in text
    for name, arm in IN_README.items():
        pairs = pairs_of(results, arm)
        differences = [t_interval([a[key] - b[key] for a, b in pairs]).text("+") for key in ("pass_at_1", "regret")]
        efficiency = ratio_interval([token_efficiency(pair, 0.8) for pair in pairs]).text(digits=2)
        assert f"| {name} | {' | '.join([*differences, efficiency])} |" in text


@pytest.mark.parametrize(
    ("task", "arms"),
    [("pair", MAIN), ("pair", VARIANTS), *(("two_targets", arms) for arms in (LATE, LATE_MORE_SEEDS, LATE_VARIANTS))],
)
def test_the_fast_study_in_its_own(task, arms):
    results = complete(read_results(ROOT / TASKS[task].results / "runs"), arms)
    for lines in (table_of_arms(results, arms), table_of_differences(results, arms)):
        assert "\n".join(lines) in STUDY


def test_the_tuning_in_the_study():
    lines = tuning_table(read_results(ROOT / "recipes/study/results/fast-pair-v2/tuning"), TUNED)
    assert "\n".join(lines) in STUDY


@pytest.mark.parametrize("task", TASKS)
def test_what_was_tried_in_the_study(task):
    lines = table_of_tries(read_results(ROOT / TASKS[task].results / "tries"))
    assert "\n".join(lines) in STUDY


def test_the_two_hosts_in_the_study():
    results = json.loads((ROOT / "recipes/study/results/hosts.json").read_text())
    for lines in (hosts.agreement(results), hosts.differences(results)):
        assert "\n".join(lines) in STUDY


ROW = {
    "data_source": "s",
    "prompt": [{"role": "user", "content": "Try 4 + 13"}],
    "reward_model": {"ground_truth": "17"},
}


@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "extending.md"], ids=id_of)
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """Against a scripted model where a block evaluates one; test_docs.py runs those of extending.md."""
    blocks = code_blocks(page, "python")
    pd.DataFrame([ROW, {**ROW, "reward_model": {"ground_truth": "16"}}]).to_parquet(tmp_path / "test.parquet")
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(evaluate_models, "open_engine", open_fake_engine)
    for block in blocks:
        exec(compile(block, str(page), "exec"), {"__name__": "snippet"})
    printed = capsys.readouterr().out
    if page.name == "evaluation.md":
        assert "mrt against base" in printed
        assert Path("evaluation/report/index.html").is_file()
    if page.name == "episodes.md":
        assert [line.split()[2] for line in printed.splitlines()] == ["'Try", "'Wait,"]


def open_fake_engine(name, config):
    tokenizer = toy_tokenizer()
    text = "Try 4 + 12 is 16.\n\nWait take 4 + 13 is 17.\n</think>\n\nThe answer is \\boxed{17}<|im_end|>"
    return FakeServer(tokenizer, lambda one: " 17}" if one.text.endswith("{") else text), tokenizer


ODD = re.compile(
    r"\bbehind (?:every|each|the (?:stop|trace|marker|boundar)|a (?:trace|prefix)|its|whose)|\bdear(?:er|est)?\b"
    r"|\bis warned\b|\bwarned of\b|\bby one (?:line|command|word)\b|\bMOST_|\bLEAST_|\bmost_[a-z]|\bjudge[sd]?\b"
)
"""Of docs/style.md's table what a program can see."""
PROSE = [
    *PAGES,
    *ROOT.glob("mrt_verl/evaluation/**/*.py"),
    *ROOT.glob("mrt_verl/cpu/**/*.py"),
    *ROOT.glob("recipes/**/*.py"),
]


@pytest.mark.parametrize("page", [page for page in PROSE if page != DOCS / "style.md"], ids=id_of)
def test_the_houses_words(page):
    lines = enumerate(page.read_text().splitlines(), start=1)
    assert not [f"{number}: {line}" for number, line in lines if ODD.search(line) and "most_common" not in line]
