"""What the command line asks of training, and what of it an inspection samples otherwise."""

import argparse

from mrt_verl.evaluation.config import evaluation_settings
from mrt_verl.evaluation.settings import compose_settings
from mrt_verl.inspect.words import key_of
from mrt_verl.parts import check_parts


def read_asked(options: argparse.Namespace) -> tuple[str | None, argparse.Namespace]:
    """The prover that training is to have, None if none is named, and the options by which this inspection samples.

    Plain samples, two or more at each boundary, are the one estimate whose noise can be told from progress.

    Raises:
        ValueError: a setting does not exist or is not allowed.
    """
    default = evaluation_settings()
    asked = compose_settings(options.settings, options.overrides)
    check_parts(asked)
    named = asked.prover != default.prover or any(key_of(word) == "mrt.prover" for word in options.overrides)
    if not named and asked.branches == default.branches:
        return None, options
    branches = asked.branches if asked.branches and asked.branches > 1 else default.branches
    words = [*options.overrides, f"mrt.prover={default.prover}", f"mrt.branches={branches}"]
    return asked.prover if named else None, argparse.Namespace(**{**vars(options), "overrides": words})
