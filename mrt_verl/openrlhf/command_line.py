"""OpenRLHF's own command line against the settings: what an executor is not told, and what changes its rewards."""

import argparse
import math
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from mrt_verl.openrlhf.config import RunConfig
from mrt_verl.openrlhf.reward_range import largest_reward
from mrt_verl.provers import prover_class

ESTIMATOR = "dr_grpo"
OPTIONS: tuple[tuple[str, Any, Any], ...] = (
    ("train.agent_func_path", str, None),
    ("train.full_determinism_enable", bool, False),
    ("data.max_len", int, 2048),
    ("data.label_key", str, None),
    ("data.max_images_per_prompt", int, 0),
    ("rollout.max_new_tokens", int, None),
    ("rollout.n_samples_per_prompt", int, 1),
    ("rollout.temperature", float, 1.0),
    ("eval.dataset", str, None),
    ("eval.n_samples_per_prompt", int, 4),
    ("eval.temperature", float, 0.6),
    ("vllm.num_engines", int, None),
    ("vllm.enable_prefix_caching", bool, False),
    ("algo.advantage.estimator", str, "gae"),
    ("algo.advantage.is_correction_level", str, "off"),
    ("algo.kl.init_coef", float, 0.01),
    ("algo.kl.use_loss", bool, False),
    ("reward.overlong_buffer_len", float, None),
    ("reward.stop_properly_penalty_coef", float, None),
    ("reward.clip_range", (float, float), (-10.0, 10.0)),
)
"""Options of OpenRLHF 0.11.2 that are read here: name, type (of each value), OpenRLHF's default."""
Options = dict[str, Any]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"OpenRLHF's command line: {message}")


def read_options(words: Sequence[str]) -> Options:
    """The values of OPTIONS on a command line; whatever else is on it is OpenRLHF's to read.

    Raises:
        ValueError: a value is of another type.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for name, kind, default in OPTIONS:
        if kind is bool:
            parser.add_argument(f"--{name}", action="store_true", default=default)
        elif isinstance(kind, tuple):
            parser.add_argument(f"--{name}", type=kind[0], nargs=len(kind), default=default)
        else:
            parser.add_argument(f"--{name}", type=kind, default=default)
    return vars(parser.parse_known_args(list(words))[0])


def find_problems(words: Sequence[str], config: RunConfig, agent: str) -> list[str]:
    """A line for each option under which the run would be another than the settings say.

    Args:
        agent: the path for `--train.agent_func_path`.
    """
    if shortened := list(_check_names(words)):
        return shortened  # what is read without them may be wrong
    options = read_options(words)
    checks = (_check_rollouts, _check_rewards, _check_clipping, _check_context)
    found = [line for check in checks for line in check(options, config)]
    path = options["train.agent_func_path"]
    if path not in (None, agent):
        found.insert(0, f"--train.agent_func_path {path}; allowed: {agent}")
    return found


def find_warnings(words: Sequence[str], config: RunConfig) -> Iterator[str]:
    """A line for each option that makes a run more expensive, or less reproducible, than it need be."""
    options = read_options(words)
    if not options["vllm.enable_prefix_caching"]:
        yield "no --vllm.enable_prefix_caching: every forced answer computes its whole trace anew"
    if options["train.full_determinism_enable"] and config.settings.seed is None:
        yield "--train.full_determinism_enable without mrt.seed: requests have no seed of their own"


def _check_names(words: Sequence[str]) -> Iterator[str]:
    """OpenRLHF's parser takes the beginning of a name for it; no name of its own is the beginning of one of OPTIONS."""
    for word in words:
        given = word.partition("=")[0]
        meant = [f"--{name}" for name, *_ in OPTIONS if f"--{name}".startswith(given)]
        if given.startswith("--") and given != "--" and meant and given not in meant:
            yield f"{given}, short for {' or '.join(meant)}; allowed: the whole name, which is checked"


def _check_rollouts(options: Options, config: RunConfig) -> Iterator[str]:
    host = config.host
    for key in ("n_samples_per_prompt", "temperature"):
        value = options[f"rollout.{key}"]
        if value != getattr(host, key):
            yield f"--rollout.{key} {value} with openrlhf.{key}={getattr(host, key)}; allowed: the same"
    evaluated = options["eval.n_samples_per_prompt"], options["eval.temperature"]
    if options["eval.dataset"] and evaluated == (host.n_samples_per_prompt, host.temperature):
        yield (
            f"--eval.n_samples_per_prompt {evaluated[0]} --eval.temperature {evaluated[1]:g}; allowed: another of the "
            "two than training's, since an executor is not told that it evaluates"
        )
    if not options["vllm.num_engines"]:
        yield f"--vllm.num_engines {options['vllm.num_engines']}; allowed: 1 or more, whose actors load the agent"
    if options["data.label_key"] is None:
        yield "--data.label_key is missing; allowed: the column of the reference answer, or verl's reward_model"
    if options["data.max_images_per_prompt"]:
        yield f"--data.max_images_per_prompt {options['data.max_images_per_prompt']}; allowed: 0, rows of text"


def _check_rewards(options: Options, config: RunConfig) -> Iterator[str]:
    estimator, level = options["algo.advantage.estimator"], options["algo.advantage.is_correction_level"]
    if estimator != ESTIMATOR:
        yield (
            f"--algo.advantage.estimator {estimator}; allowed: {ESTIMATOR}, which leaves the rewards as they are: they "
            "are advantages already"
        )
    settings = config.settings
    if level == "off" and settings.variant == "online" and prover_class(settings).needs_log_probs:
        yield (
            f"--algo.advantage.is_correction_level off with mrt.prover={settings.prover!r}; allowed: token, seq, with "
            "which vLLM gives the log-probs it sampled from, or mrt.prover=sample"
        )
    coefficient = options["algo.kl.init_coef"]
    if coefficient > 0 and not options["algo.kl.use_loss"]:
        yield (
            f"--algo.kl.init_coef {coefficient:g}; allowed: 0, or --algo.kl.use_loss: a KL term in the reward would "
            "blur what a rollout is paid"
        )
    for key in ("reward.overlong_buffer_len", "reward.stop_properly_penalty_coef"):
        if options[key] is not None:
            yield f"--{key} {options[key]:g}; allowed: none, it changes rewards that are advantages already"


def _check_clipping(options: Options, config: RunConfig) -> Iterator[str]:
    """OpenRLHF clips rewards after all else, and says nothing of it."""
    low, high = options["reward.clip_range"]
    n, settings = config.host.n_samples_per_prompt, config.settings
    largest = largest_reward(settings, n)
    if not (low <= -largest and high >= largest):
        wide = f"{math.ceil(10 * largest) / 10:.1f}"
        yield (
            f"--reward.clip_range {low:g} {high:g} with openrlhf.n_samples_per_prompt={n}, "
            f"mrt.alpha={settings.alpha:g}; allowed: --reward.clip_range -{wide} {wide}, or a wider one: rewards are "
            "advantages already, and can be as large"
        )


def _check_context(options: Options, config: RunConfig) -> Iterator[str]:
    """A prompt, a response and a forced answer after it must fit; the stop text's tokens are not known here."""
    length, wanted = options["data.max_len"], options["rollout.max_new_tokens"]
    answer = config.settings.branch_max_tokens
    least = (wanted or 1) + answer + 1
    if length <= least:
        yield (
            f"--data.max_len {length} with --rollout.max_new_tokens {wanted}; allowed: more than {least}, a prompt, a "
            f"response, the stop text and mrt.branch_max_tokens={answer}"
        )
