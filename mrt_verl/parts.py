"""The parts that settings name, checked together: prover, credit, episode splitter, insertion policy, thinking tags."""

from collections.abc import Iterator
from typing import Any

from mrt_verl.episode_kinds import splitter_class
from mrt_verl.insertions import load_policy
from mrt_verl.progress import load_credit
from mrt_verl.provers import prover_class
from mrt_verl.settings import MRTSettings


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
