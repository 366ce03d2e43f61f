"""`python -m mrt_verl.evaluation run` and `… report`, also installed as `mrt-eval`: argparse and nothing else."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.options import add_sampling_options, positive, sampling_fields
from mrt_verl.evaluation.plan import RESERVED, is_name
from mrt_verl.log import printable

AS_WRITTEN = argparse.RawDescriptionHelpFormatter
RUN_EXAMPLE = """example:
  mrt-eval run --model after=outputs/run/checkpoints/global_step_100 --baseline before=MODEL \\
    --data data/math500/test.parquet --budgets 2048,4096,8192 --out outputs/evaluation --temperature 0.6 \\
    --set mrt_family=qwen3 mrt.branches=8 --engine max_model_len=9216 gpu_memory_utilization=0.8

A second call goes on where the first one was stopped. Without a GPU set VERL_PLATFORM=cpu."""
REPORT_EXAMPLE = """examples:
  mrt-eval report outputs/evaluation --training outputs/run/metrics.jsonl
  mrt-eval report --traces outputs/run/traces       some traces of a training run (mrt.trace_dir), nothing else"""
EXAMPLES = (
    f"{RUN_EXAMPLE}\n\n{REPORT_EXAMPLE}\n\nThe exit code is 0, 1 for input that cannot be used, 2 for a bad option."
)
TRAINING = "metrics.jsonl or tensorboard directory of a training run, drawn side by side"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the two commands; bad input ends it with one line."""
    options = build_parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, RuntimeError, OSError) as error:
        raise SystemExit(printable(f"error: {error}")) from error
    except ModuleNotFoundError as error:
        raise SystemExit(f'error: {error.name} is not installed; pip install "mrt-verl[eval]" brings it') from error


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m mrt_verl.evaluation", description=__doc__, epilog=EXAMPLES, formatter_class=AS_WRITTEN
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands)
    _add_report(commands)
    return parser


def _add_run(commands: Any) -> None:
    text = "sample traces with forced answers at every episode boundary"
    run = commands.add_parser("run", help=text, description=text, epilog=RUN_EXAMPLE, formatter_class=AS_WRITTEN)
    run.set_defaults(command=run_models)
    add = run.add_argument
    add("--model", required=True, metavar="[NAME=]MODEL", help="Hugging Face model or verl checkpoint")
    add("--baseline", nargs="+", action="extend", default=[], metavar="[NAME=]MODEL", help="more models")
    add("--data", type=Path, required=True, help="verl parquet file")
    add("--budgets", type=_numbers, required=True, help="response tokens, as in 4096,8192,16384")
    add("--out", type=Path, required=True, help="a directory; each model gets one of its own in it")
    add("--traces", type=positive, default=4, help="per problem (%(default)s)")
    add("--problems", type=positive, help="only the first so many")
    add(
        "--direct",
        type=positive,
        default=16,
        help="answers without thinking per problem (%(default)s); for votes at a trace's tokens take more",
    )
    add("--insertions", type=int, default=0, help="budget-forced extrapolation: markers inserted (%(default)s)")
    add("--insertion-tokens", type=positive, default=2048, help="most new tokens after each (%(default)s)")
    add("--window", type=positive, help="linearised: finished episodes kept in context (all)")
    add("--seed", type=int, default=0, help="of the engine (%(default)s)")
    add_sampling_options(run)


def _add_report(commands: Any) -> None:
    text = "one page from any number of runs"
    report = commands.add_parser(
        "report", help=text, description=text, epilog=REPORT_EXAMPLE, formatter_class=AS_WRITTEN
    )
    report.set_defaults(command=report_runs)
    add = report.add_argument
    add("directories", nargs="*", type=Path, metavar="DIR", help="written by `run --out`")
    add("--traces", type=Path, metavar="DIR", help="mrt.trace_dir of a training run; alone or beside the runs")
    add("--out", type=Path, help="directory of the page (default: report in the first DIR, or beside --traces)")
    add("--first", help="name of the method that is compared with the others (the run begun first)")
    add("--training", nargs="+", action="extend", default=[], metavar="[NAME=]LOG", help=TRAINING)
    add("--common", action="store_true", help="only problems that every run has in full")
    add("--title", default="Accuracy, regret and progress")


def run_models(options: argparse.Namespace) -> None:
    """Sample every model in turn."""
    from mrt_verl.evaluation.config import EvaluationConfig
    from mrt_verl.evaluation.evaluate_models import evaluate

    config = EvaluationConfig(
        models=name_models([options.model, *options.baseline]),
        data=options.data,
        budgets=options.budgets,
        out=options.out,
        traces=options.traces,
        problems=options.problems,
        direct_answers=options.direct,
        insertions=options.insertions,
        insertion_tokens=options.insertion_tokens,
        window=options.window,
        seed=options.seed,
        **sampling_fields(options),
    )
    evaluate(config)


def report_runs(options: argparse.Namespace) -> None:
    """Write the page."""
    from mrt_verl.evaluation.page.sentences import describe
    from mrt_verl.evaluation.reporting import report

    if not options.directories and options.traces is None:
        raise ValueError("nothing to report; allowed: DIR of an evaluation, --traces DIR of a training run, or both")
    out = options.out or (options.directories[0] if options.directories else options.traces.parent) / "report"
    training = {name: Path(path) for name, path in name_models(options.training).items()}
    chosen = {key: getattr(options, key) for key in ("first", "common", "title", "traces")}
    summary = report(options.directories, out, training=training, **chosen)
    print("\n".join([*(describe(summary) if summary else []), f"report: {out / 'index.html'}"]))


def name_models(specifications: Sequence[str]) -> dict[str, str]:
    """{name: model} of `NAME=MODEL` or `MODEL`, whose last part is its name then.

    Raises:
        ValueError: two models have one name.
    """
    models: dict[str, str] = {}
    for specification in specifications:
        name, separator, model = specification.partition("=")
        if not separator:
            name, model = Path(specification).name, specification
        if name in (*models, *RESERVED) or not is_name(name):
            raise ValueError(f"{specification}: name {name!r} is taken or not usable; give another as NAME=…")
        models[name] = model
    return models


def _numbers(text: str) -> list[int]:
    return sorted({positive(part) for part in text.split(",")})
