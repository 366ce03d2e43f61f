"""`python -m mrt_verl.inspect`: samples some traces, says what MRT would find in them, and which settings fit."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mrt_verl.evaluation.options import add_sampling_options, positive, sampling_fields

EXAMPLE = """example:
  python -m mrt_verl.inspect --model MODEL --data train.parquet --response-tokens 4096 mrt_family=qwen3

A second call goes on where the first one was stopped. Without a GPU set VERL_PLATFORM=cpu."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Inspect a model; bad input ends it with one line."""
    options = build_parser().parse_args(arguments)
    options.overrides = [*options.overrides, *options.settings_here]
    try:
        inspect_model(options)
    except (ValueError, RuntimeError, OSError) as error:
        raise SystemExit(f"error: {error}") from error


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m mrt_verl.inspect",
        description=__doc__,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("settings_here", nargs="*", metavar="mrt.KEY=VALUE", help="as in training, and mrt_family=…, mrt_stop=…")
    add("--model", required=True, help="Hugging Face model or verl checkpoint")
    add("--data", type=Path, required=True, help="verl parquet file; the first problems are taken")
    add("--problems", type=positive, default=32, help="(%(default)s)")
    add("--traces", type=positive, default=4, help="per problem (%(default)s)")
    add("--response-tokens", type=positive, default=1024, help="most tokens of a trace (%(default)s)")
    add("--out", type=Path, default=Path("outputs/inspect"), help="directory of the page (%(default)s)")
    add_sampling_options(parser)
    return parser


def inspect_model(options: argparse.Namespace) -> None:
    """Sample, read, propose, and sample once more where the proposal cuts episodes otherwise."""
    from mrt_verl.evaluation.reporting import report
    from mrt_verl.inspect.advice import propose, verdict
    from mrt_verl.inspect.findings import describe_findings

    found = sample_and_read(options, "asked", options.overrides)
    lines = describe_findings(found)
    proposals = propose(found)
    print("\n".join(lines), flush=True)
    recut = [one.override for one in proposals if one.override.startswith("mrt.episodes=")]
    best = found
    if recut:
        print(f"\nonce more with {recut[0]}", flush=True)
        best = sample_and_read(options, "proposed", [*options.overrides, *recut])
        print("\n".join(describe_findings(best)), flush=True)
        proposals = [*proposals[:1], *(one for one in propose(best) if not one.override.startswith("mrt.episodes="))]
    paste = "to paste: " + " ".join(["reward_model=mrt", *options.overrides, *(one.override for one in proposals)])
    reasons = [f"{one.override}: {one.reason}" for one in proposals]
    print("\n".join(["", verdict(best), *(f"  {line}" for line in reasons), paste]))
    runs = [options.out / name for name in ("asked", *(["proposed"] if recut else []))]
    page = options.out / "report"
    title = f"What MRT sees in {Path(options.model).name}"
    report(runs, page, title=title, notes=[verdict(best), *reasons, paste])
    told = {"verdict": verdict(best), "proposals": [asdict(one) for one in proposals], "findings": lines}
    (options.out / "inspect.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"page: {page / 'index.html'}")


def sample_and_read(options: argparse.Namespace, name: str, overrides: Sequence[str]) -> Any:
    """Findings of one run, sampled with these overrides unless it is there already."""
    from mrt_verl.evaluation.config import EvaluationConfig
    from mrt_verl.evaluation.evaluate_models import evaluate
    from mrt_verl.evaluation.load import load_runs
    from mrt_verl.inspect.findings import read_findings
    from mrt_verl.settings import MRTSettings

    chosen = argparse.Namespace(**{**vars(options), "overrides": list(overrides)})
    config = EvaluationConfig(
        models={name: options.model},
        data=options.data,
        budgets=[options.response_tokens],
        out=options.out,
        traces=options.traces,
        problems=options.problems,
        direct_answers=4,
        **sampling_fields(chosen),
    )
    directory = evaluate(config).directories[name]
    # an evaluation branches every boundary; what training would branch is its own default
    settings = replace(config.settings, max_episodes=MRTSettings().max_episodes)
    (run,) = load_runs([directory])
    return read_findings(run, settings, stop_tokens=_stop_tokens(options, config.settings.stop_text))


def _stop_tokens(options: argparse.Namespace, stop_text: str) -> int:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer or options.model)
    return len(tokenizer.encode(stop_text, add_special_tokens=False))
