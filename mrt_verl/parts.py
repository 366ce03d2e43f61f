"""What settings exclude each other under any host: the parts they name, the run's group, its grader, its tokenizer."""

from collections.abc import Iterator
from typing import Any

from mrt_verl.episode_kinds import splitter_class
from mrt_verl.insertions import load_policy
from mrt_verl.progress import load_credit
from mrt_verl.provers import prover_class
from mrt_verl.settings import MRTSettings
from mrt_verl.token_text import decode


def check_parts(settings: MRTSettings) -> None:
    """Load every part that the settings name, and let the prover say what excludes it.

    Raises:
        ValueError: a part does not exist or cannot work under these settings; names the key, the value and what is
            allowed.
    """
    prover_class(settings).check(settings)
    load_credit(settings.credit)
    splitter_class(settings.episodes)
    load_policy(settings)


def tag_problems(settings: MRTSettings, tokenizer: Any, model: str) -> Iterator[str]:
    """A line for each thinking tag that is not one token: the block's end could not be found on token ids.

    Args:
        model: whose tokenizer it is.
    """
    for key in ("think_open", "think_close"):
        tag = getattr(settings, key)
        count = 1 if tag is None else len(tokenizer.encode(tag, add_special_tokens=False))
        if count != 1:
            yield (
                f"mrt.{key}={tag!r} is {count} tokens for the tokenizer of {model}; allowed: a tag that is one "
                "token, or mrt_family=plain for a model that thinks without tags"
            )


def text_problems(settings: MRTSettings, tokenizer: Any, model: str) -> Iterator[str]:
    """A line for each text that this tokenizer cannot hold, or that would not do what it is there for; tags as well."""
    yield from tag_problems(settings, tokenizer, model)
    for key, texts in (("stop_text", [settings.stop_text]), ("markers", settings.markers)):
        for one in texts:
            again = decode(tokenizer, tokenizer.encode(one, add_special_tokens=False))
            if again.strip() != one.strip():
                yield f"mrt.{key}: {one!r} is {again!r} after this model's tokenizer; allowed: a text that it keeps"


def stop_problems(settings: MRTSettings) -> Iterator[str]:
    """A line for a stop text that leaves the thinking open."""
    tag, text = settings.think_close, settings.stop_text
    if tag is not None and tag not in text:
        yield (
            f"mrt.stop_text={text!r} with mrt.think_close={tag!r}; allowed: a stop text that closes the thinking by "
            "this tag, or the forced answers would be more thinking"
        )


def group_problems(settings: MRTSettings, count: int, key: str) -> Iterator[str]:
    """A line for each setting of the prefix variant that would train something else.

    Args:
        count: rollouts of a prompt, which the host's `key` sets.
    """
    if settings.variant != "prefix":
        return
    if settings.prefix_mode == "one_episode":
        if count < 4:
            yield (
                f"{key}={count} with mrt.prefix_mode=one_episode; allowed: 4 or more, two plain rollouts and two from "
                "a prefix, or mrt.prefix_mode=paper"
            )
        if settings.prefix_source == "dataset":
            yield (
                "mrt.prefix_source=dataset with mrt.prefix_mode=one_episode; allowed: on_policy, its prefixes are cut "
                "from a rollout of the group, or mrt.prefix_mode=paper"
            )
    if settings.branch_temperature is not None:
        yield (
            f"mrt.branch_temperature={settings.branch_temperature} with mrt.variant=prefix; allowed: null, because its "
            "forced answers are trained as rollouts, at the temperature of the others"
        )


def function_problems(settings: MRTSettings, path: Any) -> Iterator[str]:
    """A line for a reward function, of that path, which would never be called."""
    if path and settings.outcome != "compute_score":
        yield (
            f"reward.custom_reward_function.path={path} with mrt.outcome={settings.outcome}; allowed: "
            "mrt.outcome=compute_score, or no function, which would never be called"
        )
