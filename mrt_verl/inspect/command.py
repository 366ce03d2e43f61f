"""`python -m mrt_verl.inspect`: samples some traces, says what MRT would find in them, and which settings fit."""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from mrt_verl.evaluation.options import add_sampling_options, positive
from mrt_verl.platforms import is_on_cpu

EXAMPLE = """example:
  python -m mrt_verl.inspect --model MODEL --data train.parquet --response-tokens 4096 mrt_family=qwen3

A second call goes on where the first one was stopped, or had no time left. Without a GPU set VERL_PLATFORM=cpu."""
TOKENS = {True: 256, False: 1024}
"""Most tokens of a trace, by whether there is but a CPU."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Inspect a model; bad input ends it with one line."""
    options = build_parser().parse_args(arguments)
    options.overrides = [*options.overrides, *options.settings_here]
    try:
        from mrt_verl.inspect.inspection import inspect_model

        asyncio.run(inspect_model(options))
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
    tokens = TOKENS[is_on_cpu()]
    add("settings_here", nargs="*", metavar="mrt.KEY=VALUE", help="as in training, and mrt_family=…, mrt_stop=…")
    add("--model", required=True, help="Hugging Face model or verl checkpoint")
    add("--data", type=Path, required=True, help="verl parquet file; the first problems are taken")
    add("--problems", type=positive, default=32, help="at most (%(default)s)")
    add("--traces", type=positive, default=4, help="per problem (%(default)s)")
    add("--response-tokens", type=positive, default=tokens, help="most tokens of a trace (%(default)s here)")
    add(
        "--minutes",
        type=_minutes,
        default=2.5,
        help="after these no more problems are begun, counted from when the engine is there (%(default)s)",
    )
    add("--stop-text", nargs="+", action="extend", default=[], metavar="TEXT", help="more stop texts to try; \\n works")
    add("--out", type=Path, default=Path("outputs/inspect"), help="directory of the page (%(default)s)")
    add_sampling_options(parser)
    return parser


def _minutes(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{text}; allowed: a number of minutes > 0")
    return value
