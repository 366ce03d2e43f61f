"""`python -m recipes.tools.dry_run RECIPE [OVERRIDE …]`: what a step of a recipe costs, before anything is started.

Composes the recipe on verl's own config and prints tokens of a step, the branches' share and where a GPU's memory goes,
each with its arithmetic. Attention is left out of the FLOP: it adds 20 to 40 % at 16K tokens.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mrt_verl.provers import prover_class
from mrt_verl.settings import MRTSettings, forced_rollouts, plain_rollouts
from recipes.tools.dry_run_memory import logits_lines, memory_lines, state_lines
from recipes.tools.model_shapes import Shape, read_shape

ROOT = Path(__file__).parents[2]


def compose(recipe: str, overrides: Sequence[str] = (), *, config_name: str | None = None) -> Any:
    """The config that verl would train `recipe` with; SFT recipes compose on verl's SFT config.

    Args:
        recipe: as in `+recipes=[…]`, such as "qwen3_4b/mrt" or "qwen3_4b/mrt,multi_node/two_nodes".
    """
    name = config_name or ("sft_trainer_engine" if "sft" in recipe else "ppo_trainer")
    return compose_words([f"hydra.searchpath=[file://{ROOT}]", f"+recipes=[{recipe}]", *overrides], config_name=name)


def compose_words(words: Sequence[str], *, config_name: str = "ppo_trainer") -> Any:
    """The config that one of verl's trainers would be started with by these overrides."""
    import verl  # noqa: F401 - loads the plugin, which joins Hydra
    from hydra import compose as hydra_compose
    from hydra import initialize_config_module

    with initialize_config_module("verl.trainer.config", version_base=None):
        return hydra_compose(config_name, overrides=list(words))


def token_lines(config: Any, expected_share: float) -> Iterator[str]:
    """Tokens of one step and the branches' share of them."""
    n, response = config.actor_rollout_ref.rollout.n, config.data.max_response_length
    prompts = config.data.train_batch_size
    rollouts = prompts * n
    trace = int(expected_share * response)
    yield f"rollouts    {prompts} prompts x {n} = {rollouts} a step"
    mrt = _settings(config)
    if mrt is not None and mrt.variant == "prefix" and mrt.prefix_mode == "one_episode":
        plain, one = _one_episode(mrt, n, trace)
        yield f"traces      {prompts} x {plain} plain ones, expected {prompts * plain * trace:,} tokens"
        yield (
            f"one episode {prompts} x {n - plain}, of a trace that has {mrt.max_episodes} of them expected "
            f"{prompts * (n - plain) * one:,} tokens"
        )
        return
    if forced := _forced(config):
        yield from _prefix_lines(config, forced, trace)
        return
    yield f"traces      worst: {rollouts} x {response:,} = {rollouts * response:,} tokens"
    yield f"            expected: {rollouts} x {expected_share:.0%} of the budget = {rollouts * trace:,} tokens"
    if mrt is None:
        yield "branches    none"
    else:
        yield from _online_lines(mrt, prompts, rollouts, response, trace)


def _settings(config: Any) -> MRTSettings | None:
    """The settings of a recipe that trains with MRT, None for any other."""
    is_mrt = config.get("mrt") is not None and config.algorithm.adv_estimator == "mrt"
    return MRTSettings.from_config(config.mrt) if is_mrt else None


def _forced(config: Any) -> int:
    """Rollouts of a prompt that are forced to answer at its prefix; 0 but in the paper's prefix variant."""
    mrt = _settings(config)
    if mrt is None or mrt.variant != "prefix" or mrt.prefix_mode != "paper":
        return 0
    return forced_rollouts(config.actor_rollout_ref.rollout.n, mrt.forced_share)


def _one_episode(mrt: MRTSettings, n: int, trace: int) -> tuple[int, int]:
    """(plain rollouts of a prompt's n, tokens that each of the others generates): an episode and its answer."""
    return plain_rollouts(n, mrt.plain_share), trace // mrt.max_episodes + mrt.branch_max_tokens


def _prefix_lines(config: Any, forced: int, trace: int) -> Iterator[str]:
    mrt = MRTSettings.from_config(config.mrt)
    prompts, n = config.data.train_batch_size, config.actor_rollout_ref.rollout.n
    if mrt.prefix_source == "on_policy":
        yield f"prefixes    cut from one trace a prompt: {prompts} x {trace:,} = {prompts * trace:,} tokens"
    else:
        yield "prefixes    from the dataset"
    yield (
        f"forced      {forced} of {n} rollouts of a prompt, worst {prompts * forced} x {mrt.branch_max_tokens} = "
        f"{prompts * forced * mrt.branch_max_tokens:,} tokens"
    )
    yield (
        f"thinking on {n - forced} of {n}, from the middle of a trace on average: {prompts * (n - forced)} x {trace:,} "
        f"/ 2 = {prompts * (n - forced) * trace // 2:,} tokens"
    )


def expected_tokens(config: Any, expected_share: float) -> tuple[int, int, int]:
    """(generated tokens of a step's traces, tokens of its update, traces that have to follow one another)."""
    n, prompts = config.actor_rollout_ref.rollout.n, config.data.train_batch_size
    trace = int(expected_share * config.data.max_response_length)
    mrt, forced = _settings(config), _forced(config)
    if mrt is not None and mrt.variant == "prefix" and not forced:
        plain, one = _one_episode(mrt, n, trace)
        # a response holds its prefix, half a trace
        return prompts * (plain * trace + (n - plain) * one), prompts * (plain * trace + (n - plain) * trace // 2), 2
    if not forced:
        return prompts * n * trace, prompts * n * trace, 1
    own = MRTSettings.from_config(config.mrt).prefix_source == "on_policy"
    # a response holds its prefix, half a trace, and the update computes it with the rest
    thinking, answering = prompts * (n - forced) * trace, prompts * forced * trace
    return prompts * own * trace + thinking // 2, thinking + answering // 2, 1 + own


def _online_lines(mrt: MRTSettings, prompts: int, rollouts: int, response: int, trace: int) -> Iterator[str]:
    sampled = prover_class(mrt).answers_drawn(mrt)
    boundary = sampled * mrt.branch_max_tokens
    most = rollouts * mrt.max_episodes * boundary + prompts * boundary
    yield (
        f"branches    {mrt.prover}: at most ({mrt.max_episodes} boundaries x {rollouts} rollouts + {prompts} prompts "
        f"without thinking) x {sampled} answer{'s' * (sampled != 1)} x {mrt.branch_max_tokens} tokens = {most:,} tokens"
    )
    if mrt.insertion == "backtrack":
        insertions = rollouts * mrt.insert_max * mrt.max_episodes * boundary
        most += insertions
        yield (
            f"insertions  at most {mrt.insert_max} x {mrt.max_episodes} steps to go back to x {rollouts} rollouts, as "
            f"many answers = {insertions:,} tokens; none where a trace closes right, fewer where a step is a boundary"
        )
    likely = most // 2
    share = f"{most / (rollouts * response):.1%} of full traces, {most / (rollouts * trace):.1%} of expected ones"
    yield f"            worst: {share}"
    yield (
        f"            expected: answers half as long, {likely:,} tokens = {likely / (rollouts * trace):.1%} of the "
        "traces; `mrt/branch_tokens_ratio` measures it"
    )


def step_seconds(config: Any, shape: Shape, options: argparse.Namespace) -> tuple[float, float, float]:
    """Seconds of a step: its traces with all GPUs busy, the longest trace alone, and log-probs with the update."""
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    generated, trained, waves = expected_tokens(config, options.expected)
    fill = generated / gpus / options.decode
    tail = waves * config.data.max_response_length / options.single
    return fill, tail, 8 * shape.parameters * trained / (gpus * options.tflops * 1e12)


def time_lines(config: Any, shape: Shape, options: argparse.Namespace) -> Iterator[str]:
    """Hours of the whole run under the speeds assumed on the command line."""
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    generated, trained, waves = expected_tokens(config, options.expected)
    fill, tail, train = step_seconds(config, shape, options)
    generation = max(fill, tail)
    step = generation + train + options.overhead
    hours = step * config.trainer.total_training_steps / 3600
    response = f"{config.data.max_response_length:,}"
    longest = f"but not below the longest trace: {response} / {options.single:g} = {tail:.0f} s"
    if waves > 1:
        longest = (
            f"but up to {waves} x {response} / {options.single:g} = {tail:.0f} s, one trace after a prefix of another"
        )
    yield f"generation  {generated:,} / {gpus} GPUs / {options.decode:,.0f} tokens/s = {fill:.0f} s, {longest}"
    yield (
        f"update      8 x {shape.parameters:,} x {trained:,} FLOP (log-probs 2, update 6) / ({gpus} x "
        f"{options.tflops:g} TFLOP/s) = {train:.0f} s"
    )
    yield (
        f"run         ({generation:.0f} + {train:.0f} + {options.overhead:g} s for weights, branches, grading) x "
        f"{config.trainer.total_training_steps} steps = {hours:.1f} h = {hours * gpus:.0f} GPU hours, validation apart"
    )


def sft_lines(config: Any, shape: Shape, options: argparse.Namespace) -> Iterator[str]:
    """Tokens and memory of an SFT recipe."""
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    batch, length = config.data.train_batch_size, config.data.max_length
    tokens = int(batch * options.expected * length)
    expected = f"expected ({options.expected:.0%}) {tokens:,}"
    yield f"tokens      worst {batch} x {length:,} = {batch * length:,} a step; {expected}"
    yield from state_lines(shape, gpus, config.model.lora_rank, config.engine.model_dtype)
    chunked = config.engine.get("entropy_from_logits_with_chunking")
    yield from logits_lines(shape, config.data.max_token_len_per_gpu, chunked)
    seconds = 6 * shape.parameters * tokens / (gpus * options.tflops * 1e12)
    work = f"6 x {shape.parameters:,} x {tokens:,} FLOP"
    yield f"update      {work} / ({gpus} x {options.tflops:g} TFLOP/s) = {seconds:.1f} s a step"


def describe(recipe: str, options: argparse.Namespace) -> list[str]:
    """The lines for one recipe."""
    config = compose(recipe, options.overrides)
    if "sft" in recipe:
        return list(sft_lines(config, read_shape(config.model.path), options))
    shape = read_shape(config.actor_rollout_ref.model.path)
    lines = [*token_lines(config, options.expected), *memory_lines(config, shape, options.gpu_gib)]
    if config.actor_rollout_ref.rollout.dtype == "float32":
        return lines  # the speeds assumed are those of GPUs
    return [*lines, *time_lines(config, shape, options)]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options, with recipes and overrides apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("recipes", nargs="+", metavar="RECIPE", help="such as qwen3_4b/mrt; further overrides as KEY=VALUE")
    add("--expected", type=float, default=0.5, help="mean response length as a share of the budget (%(default)s)")
    add("--gpu-gib", type=float, default=80, help="memory of a GPU (%(default)s)")
    add("--decode", type=float, default=3000, help="tokens/s a GPU decodes with a full batch, assumed (%(default)s)")
    add("--single", type=float, default=100, help="tokens/s of one last trace, assumed (%(default)s)")
    add("--tflops", type=float, default=200, help="TFLOP/s a GPU trains with, assumed (%(default)s)")
    add("--overhead", type=float, default=30, help="seconds a step for all else, assumed (%(default)s)")
    options = parser.parse_args(arguments)
    options.overrides = [word for word in options.recipes if "=" in word]
    options.recipes = [word for word in options.recipes if "=" not in word]
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    for recipe in options.recipes:
        print(recipe, *(f"  {line}" for line in describe(recipe, options)), sep="\n")


if __name__ == "__main__":
    main()
