"""Command-line options of whatever samples traces: the evaluation and data_prep's `prefixes` and `backtrack`."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_sampling_options(parser: Any, *, tokenizer: bool = True) -> None:
    """Options on how traces are sampled; `sampling_fields` reads them.

    Args:
        tokenizer: False for a command that has a `--tokenizer` already.
    """
    add = parser.add_argument
    add("--temperature", type=float, default=1.0, help="of the traces, such as 0.6 (%(default)s)")
    add("--top-p", type=float, default=1.0, help="nucleus sampling (%(default)s)")
    add("--top-k", type=int, default=-1, help="-1: off (%(default)s)")
    add("--settings", type=Path, nargs="+", default=[], metavar="FILE", help="YAML files with an `mrt:` node")
    add(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="as in training, for example --set mrt_family=qwen3 mrt.branches=8",
    )
    add(
        "--engine",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="vLLM's arguments, for example --engine max_model_len=8192 tensor_parallel_size=2",
    )
    add("--base-url", help="an OpenAI-compatible server that serves the models under their names")
    if tokenizer:
        add("--tokenizer", help="the models' tokenizer, with --base-url (default: the model)")
    add("--concurrency", type=positive, default=128, help="traces under way at once (%(default)s)")


def sampling_fields(options: argparse.Namespace) -> dict[str, Any]:
    """Those options as fields of an EvaluationConfig.

    Raises:
        ValueError: a setting or an engine argument is not allowed.
    """
    from mrt_verl.evaluation.settings import read_reward_function, read_settings

    settings = read_settings(options.settings, options.overrides)
    return {
        "settings": settings,
        "reward_function": read_reward_function(options.overrides, settings),
        "temperature": options.temperature,
        "top_p": options.top_p,
        "top_k": options.top_k,
        "engine": parse_arguments(options.engine),
        "base_url": options.base_url,
        "tokenizer": options.tokenizer,
        "concurrency": options.concurrency,
    }


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


def positive(text: str) -> int:
    """A whole number >= 1, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}; allowed: a whole number, 1 or more")
    return value
