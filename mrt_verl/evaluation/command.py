"""`python -m mrt_verl.evaluation run` and `… report`."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mrt_verl.answer_grading import load_reward_function
from mrt_verl.evaluation.checkpoints import find_actor, merge_checkpoint
from mrt_verl.evaluation.engines import EndpointEngine, Engine, VLLMEngine
from mrt_verl.evaluation.load import load_runs
from mrt_verl.evaluation.problems import Problem, read_problems
from mrt_verl.evaluation.report import write_report
from mrt_verl.evaluation.report.tables import describe
from mrt_verl.evaluation.report.training import read_metrics
from mrt_verl.evaluation.run import sample_missing
from mrt_verl.evaluation.sampling import RecordSampler
from mrt_verl.evaluation.settings import describe_run, read_reward_function, read_settings
from mrt_verl.evaluation.store import Store
from mrt_verl.evaluation.thinking import SamplingPlan, Thinker
from mrt_verl.grading import Grader
from mrt_verl.settings import MRTSettings

TAKEN = ("merged", "report")
"""Directories beside those of the runs."""
TRAINING = "metrics.jsonl or tensorboard directory of a training run, drawn side by side"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one of the two commands; bad input ends it with one line."""
    options = build_parser().parse_args(arguments)
    try:
        options.command(options)
    except (ValueError, RuntimeError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m mrt_verl.evaluation", description=__doc__)
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="sample traces with forced answers at every episode boundary")
    run.set_defaults(command=run_models)
    run.add_argument("--model", required=True, metavar="[NAME=]MODEL", help="Hugging Face model or verl checkpoint")
    run.add_argument("--baseline", nargs="+", action="extend", default=[], metavar="[NAME=]MODEL", help="more models")
    run.add_argument("--data", type=Path, required=True, help="verl parquet file")
    run.add_argument("--budgets", type=_numbers, required=True, help="response tokens, as in 4096,8192,16384")
    run.add_argument("--out", type=Path, required=True, help="a directory; each model gets one of its own in it")
    run.add_argument("--traces", type=_positive, default=4, help="per problem (4)")
    run.add_argument("--problems", type=_positive, help="only the first so many")
    run.add_argument(
        "--direct",
        type=_positive,
        default=16,
        help="answers without thinking per problem (16); for votes at a trace's tokens take more",
    )
    run.add_argument("--insertions", type=int, default=0, help="budget-forced extrapolation: markers inserted (0)")
    run.add_argument("--insertion-tokens", type=_positive, default=2048, help="most new tokens behind each (2048)")
    run.add_argument("--window", type=_positive, help="linearised: finished episodes kept in context (all)")
    run.add_argument("--temperature", type=float, default=1.0)
    run.add_argument("--top-p", type=float, default=1.0)
    run.add_argument("--top-k", type=int, default=-1)
    run.add_argument("--seed", type=int, default=0, help="of the engine")
    run.add_argument("--settings", type=Path, nargs="+", default=[], help="YAML files with an `mrt:` node")
    run.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", dest="overrides")
    run.add_argument("--engine", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="vLLM's arguments")
    run.add_argument("--base-url", help="an OpenAI-compatible server that serves the models under their names")
    run.add_argument("--tokenizer", help="the models' tokenizer, with --base-url (default: the model)")
    run.add_argument("--concurrency", type=_positive, default=128, help="traces under way at once (128)")
    report = commands.add_parser("report", help="one page from any number of runs")
    report.set_defaults(command=report_runs)
    report.add_argument("directories", nargs="+", type=Path, metavar="DIR", help="written by `run --out`")
    report.add_argument("--out", type=Path, help="directory of the page (default: report in the first DIR)")
    report.add_argument("--first", help="name of the method that is compared with the others (the run begun first)")
    report.add_argument("--training", nargs="+", action="extend", default=[], metavar="[NAME=]LOG", help=TRAINING)
    report.add_argument("--common", action="store_true", help="only problems that every run has in full")
    report.add_argument("--title", default="Accuracy, regret and progress")
    return parser


def report_runs(options: argparse.Namespace) -> None:
    """Write the page."""
    runs = load_runs(options.directories, common=options.common)
    if options.first is not None:
        if options.first not in [run.name for run in runs]:
            raise ValueError(f"--first {options.first}; allowed: {', '.join(run.name for run in runs)}")
        runs.sort(key=lambda run: run.name != options.first)
    training = {name: read_metrics(Path(path)) for name, path in name_models(options.training).items()}
    notes = ["Only problems that every run has in full."] if options.common else []
    out = options.out or options.directories[0] / "report"
    summary = write_report(runs, out, training=training, title=options.title, notes=notes)
    print("\n".join([*describe(summary), f"report: {out / 'index.html'}"]))


def run_models(options: argparse.Namespace) -> None:
    """Sample every model in turn."""
    settings = read_settings(options.settings, options.overrides)
    reward_function = read_reward_function(options.overrides, settings)
    problems = read_problems(options.data, options.problems)
    plan = SamplingPlan(
        response_tokens=max(options.budgets),
        sampling_params={"temperature": options.temperature, "top_p": options.top_p, "top_k": options.top_k},
        direct_answers=options.direct,
        insertions=options.insertions,
        insertion_tokens=options.insertion_tokens,
        window=options.window,
    )
    models = name_models([options.model, *options.baseline])
    for name, model in models.items():
        asyncio.run(run_model(name, model, problems, settings, plan, reward_function, options))


async def run_model(
    name: str,
    model: str,
    problems: Sequence[Problem],
    settings: MRTSettings,
    plan: SamplingPlan,
    reward_function: dict[str, Any] | None,
    options: argparse.Namespace,
) -> None:
    """Sample what one model lacks; a complete run starts no engine."""
    description = describe_run(
        name=name,
        model=model,
        data=options.data,
        problems=len(problems),
        traces=options.traces,
        budgets=options.budgets,
        seed=options.seed,
        settings=settings,
        plan=plan,
        reward_function=reward_function,
    )
    with Store(options.out / name, description) as store:
        if len(store.records) == len(problems) * options.traces:
            print(f"{name}: all {len(store.records)} traces are in {store.path} already")
            return
        compute_score = load_reward_function(reward_function) if reward_function else None
        engine, tokenizer = open_engine(name, model, settings, options)
        with Grader(deadline_s=settings.grade_timeout_s, thinking=None) as grader:
            try:
                sampler = RecordSampler(Thinker(engine, tokenizer, settings, plan), grader, compute_score)
                check_context(engine, sampler, problems)
                await sample_missing(
                    problems, options.traces, sampler, store, concurrency=options.concurrency, label=name
                )
            finally:
                await engine.close()


def open_engine(name: str, model: str, settings: MRTSettings, options: argparse.Namespace) -> tuple[Engine, Any]:
    """The engine and its tokenizer; a verl checkpoint is merged first."""
    from transformers import AutoTokenizer

    if options.base_url:
        if settings.prover != "sample":
            raise ValueError(f"mrt.prover={settings.prover} with --base-url; allowed there: sample")
        tokenizer = AutoTokenizer.from_pretrained(options.tokenizer or model)
        return EndpointEngine(options.base_url, model, tokenizer), tokenizer
    actor = find_actor(Path(model))
    if actor is not None:
        print(f"{name}: merging {actor}", flush=True)
        model = str(merge_checkpoint(actor, options.out / "merged" / name))
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer or model)
    print(f"{name}: starting vLLM", flush=True)
    return VLLMEngine(model, seed=options.seed, **parse_arguments(options.engine)), tokenizer


def check_context(engine: Engine, sampler: RecordSampler, problems: Sequence[Problem]) -> None:
    """A forced answer behind the longest trace must fit the engine's context, where the engine tells it.

    Raises:
        ValueError: it does not; names the parts.
    """
    plan, limit = sampler.plan, getattr(engine, "max_model_len", None)
    if limit is None or plan.window is not None:
        return
    prompt = max(len(sampler.thinker.encode(problem)) for problem in problems)
    answer = len(sampler.prover.stop_ids) + sampler.settings.branch_max_tokens
    longest_marker = max(len(sampler.tokenizer.encode("\n\n" + marker)) for marker in sampler.settings.markers)
    insertions = plan.insertions * (plan.insertion_tokens + longest_marker)
    needed = prompt + plan.response_tokens + insertions + answer
    if limit < needed:
        raise ValueError(
            f"the engine's context is {limit} tokens; allowed: {needed} or more (prompt {prompt} + largest budget "
            f"{plan.response_tokens} + insertions {insertions} + stop text and forced answer {answer}); lower these or "
            "raise it with --engine max_model_len=…"
        )


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
        if name in (*models, *TAKEN) or not name or "/" in name:
            raise ValueError(f"{specification}: name {name!r} is taken or not usable; give another as NAME=…")
        models[name] = model
    return models


def parse_arguments(pairs: Sequence[str]) -> dict[str, Any]:
    """Engine arguments from KEY=VALUE texts, values as YAML reads them.

    Raises:
        ValueError: there is no `=` in one.
    """
    import yaml

    for pair in pairs:
        if "=" not in pair:
            raise ValueError(f"--engine {pair}; allowed: KEY=VALUE")
    return {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in pairs)}


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}; allowed: 1 or more")
    return value


def _numbers(text: str) -> list[int]:
    return sorted({_positive(part) for part in text.split(",")})
