"""OpenRLHF's own command line, read and validated by OpenRLHF: `python tests/openrlhf/own_parser.py WORDS…`."""

import runpy
import sys
from typing import Any
from unittest import mock


class _Parsed(Exception):
    """Raised where OpenRLHF has read its words and would start Ray."""


def parse(words: list[str]) -> Any:
    """The arguments as OpenRLHF's `train` gets them; raises SystemExit or AssertionError as OpenRLHF does."""
    import ray
    from openrlhf.utils import config

    found: list[Any] = []
    nest = config.hierarchize

    def keep(args: Any) -> Any:
        found.append(nest(args))
        return found[-1]

    with (
        mock.patch.object(sys, "argv", ["train_ppo_ray", *words]),
        mock.patch.object(config, "hierarchize", keep),
        mock.patch.object(ray, "is_initialized", side_effect=_Parsed),
    ):
        try:
            runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__")
        except _Parsed:
            return found[-1]
    raise AssertionError("OpenRLHF did not come to its training")


if __name__ == "__main__":
    parse(sys.argv[1:])
    print("OpenRLHF's parser: PASS")
