"""Composes a run as `main_ppo` does, checks it and says in plain words what it would do."""

import os
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from mrt_verl.hooks.checks import find_problems
from mrt_verl.hooks.checks.versions import verl_refusal
from mrt_verl.hooks.command_line import asks_for_mrt, word_problems
from mrt_verl.provers import prover_class
from mrt_verl.settings import MRTSettings, forced_rollouts, plain_rollouts

FLAGS = {"--config-name": "name", "--config-path": "path", "--config-dir": "dir"}
"""Of Hydra's flags those that choose what is composed."""
FLAGS |= {"-cn": "name", "-cp": "path", "-cd": "dir"}


def check(words: Sequence[str]) -> int:
    """Print what is wrong, or the plan; 0 if the run may start, 2 if not."""
    if not is_loaded():
        print(
            "verl does not see this plugin: no entry point verl.plugins of mrt-verl in this environment, or "
            "VERL_USE_EXTERNAL_PLUGINS leaves it out.\n"
            "Install mrt-verl into the environment that verl runs in (pip install), or set "
            "VERL_USE_EXTERNAL_MODULES=mrt_verl.register",
            file=sys.stderr,
        )
        return 2
    refusal = verl_refusal()
    if problems := [refusal] if refusal is not None else list(word_problems(words)):
        for line in problems:
            print(f"refused: {line}", file=sys.stderr)
        return 2
    try:
        config = compose(words)
    except Exception as error:  # Hydra's own errors have many types; each says what is wrong
        print(f"the config does not compose: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if config.get("mrt") is None and not asks_for_mrt(words):
        print("no reward_model=mrt in this run: it trains without MRT; add reward_model=mrt", file=sys.stderr)
        return 2
    problems = find_problems(config)
    for line in problems:
        print(f"refused: {line}", file=sys.stderr)
    if problems:
        return 2
    print("\n".join(plan_lines(config)))
    return 0


def is_loaded() -> bool:
    """Whether `import verl` loads the plugin here; VERL_USE_EXTERNAL_PLUGINS is auto, none or a list of names."""
    if "mrt_verl.register" in os.environ.get("VERL_USE_EXTERNAL_MODULES", ""):
        return True
    ours = {point.name for point in metadata.entry_points(group="verl.plugins") if point.value == "mrt_verl.register"}
    chosen = os.environ.get("VERL_USE_EXTERNAL_PLUGINS", "auto").strip().lower()
    return bool(ours) if chosen == "auto" else bool(ours & {name.strip() for name in chosen.split(",")})


def compose(words: Sequence[str]) -> Any:
    """The config that `main_ppo` would train with."""
    import verl
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir, initialize_config_module

    named, overrides = read_flags(words)
    if "dir" in named:
        overrides.insert(0, f"hydra.searchpath=[file://{os.path.abspath(named['dir'])}]")
    own = Path(verl.__file__).parent / "trainer"  # where main_ppo.py lies, which a relative --config-path starts from
    place = own / named.get("path", "config")
    started = (
        initialize_config_module("verl.trainer.config", version_base=None)
        if place == own / "config"
        else initialize_config_dir(str(place.resolve()), version_base=None)
    )
    with started:
        return hydra_compose(named.get("name", "ppo_trainer"), overrides=overrides)


def read_flags(words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """(values of the flags that choose a config, overrides) of a command line.

    Raises:
        ValueError: a flag is another one, or has no value.
    """
    named: dict[str, str] = {}
    overrides: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, _, value = word.partition("=")
        if not word.startswith("-"):
            overrides.append(word)
        elif flag not in FLAGS:
            raise ValueError(f"{flag}; allowed: overrides, {', '.join(FLAGS)}")
        elif not (value := value or next(rest, "")):
            raise ValueError(f"{flag} without a value")
        else:
            named[FLAGS[flag]] = value
    return named, overrides


def plan_lines(config: Any) -> Iterator[str]:
    """The run in plain words."""
    settings = MRTSettings.from_config(config.mrt)
    rollout, data = config.actor_rollout_ref.rollout, config.data
    prompts, n = data.train_batch_size, rollout.n
    drawn, answer = prover_class(settings).answers_drawn(settings), settings.branch_max_tokens
    yield "fine: this run may start."
    yield f"variant     {settings.variant}; bonus weight mrt.alpha={settings.alpha:g}, credit {settings.credit}"
    yield f"group       {prompts} prompts x {n} rollouts of at most {data.max_response_length:,} tokens a step"
    if settings.variant == "prefix":
        if settings.prefix_mode == "one_episode":
            plain = plain_rollouts(n, settings.plain_share)
            yield f"prefix      {plain} of {n} rollouts of a prompt are plain, {n - plain} write one episode and answer"
            return
        forced = forced_rollouts(n, settings.forced_share)
        yield f"prefix      {forced} of {n} rollouts of a prompt are forced to answer, {n - forced} think on"
        return
    boundaries = settings.max_episodes
    worst = prompts * n * boundaries * drawn * answer + prompts * drawn * answer
    share = worst / (prompts * n * data.max_response_length)
    answers = f"{drawn} answer{'s' * (drawn != 1)} of at most {answer} tokens"
    yield f"prover      {settings.prover}: {answers} at each of at most {boundaries} boundaries of a rollout"
    measured = "mrt/branch_tokens_ratio measures it"
    yield f"branches    at most {worst:,} tokens a step, {share:.1%} of full traces; {measured}"
    yield f"outcome     {settings.outcome}; insertion {settings.insertion or 'none'}; episodes {settings.episodes}"
