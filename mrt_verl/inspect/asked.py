"""What the command line asks of training, and what of it an inspection samples otherwise."""

import argparse

from mrt_verl.evaluation.config import evaluation_settings
from mrt_verl.inspect.allowed import asked_settings, refusal
from mrt_verl.inspect.words import named_values


def read_asked(options: argparse.Namespace) -> tuple[str | None, argparse.Namespace]:
    """The prover that training is to have, None if none is named, and the options by which this inspection samples.

    Plain samples, two or more at each boundary, are the one estimate whose noise can be told from progress.

    Raises:
        ValueError: a setting does not exist or is not allowed.
    """
    default = evaluation_settings()
    asked = asked_settings(options.settings, options.overrides)
    named = "prover" in named_values(options.settings, options.overrides)
    if (problem := refusal(asked)) is not None:
        raise ValueError(problem)
    if not named and asked.branches in (None, default.branches):
        return None, options
    branches = asked.branches if asked.branches and asked.branches > 1 else default.branches
    words = [*options.overrides, f"mrt.prover={default.prover}", f"mrt.branches={branches}"]
    return asked.prover if named else None, argparse.Namespace(**{**vars(options), "overrides": words})
