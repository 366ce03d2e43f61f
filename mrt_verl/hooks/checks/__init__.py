"""Is this run the one that was asked for, and can it train? Asked before Ray starts.

    identity.py     settings that make it another run, or that MRT would ignore
    feasibility.py  prover, tokenizer, context and adapter
    machine.py      this machine: files, model, rows of the data, Ray, GPU
    token_boundaries.py   where written texts end inside a token of what follows; warnings alone

Each check yields lines that name the key, the value got, what is allowed, and what to type instead. `mrt_verl.check`
prints them all at once; a training run ends with them.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mrt_verl.hooks.checks import feasibility, identity, machine, token_boundaries
from mrt_verl.parts import check_parts
from mrt_verl.settings import MRTSettings

Check = Callable[[MRTSettings, Any], Iterator[str]]
OF_CONFIG: tuple[Check, ...] = (*identity.CHECKS, *feasibility.CHECKS)
OF_MACHINE: tuple[Check, ...] = (*machine.CHECKS, *token_boundaries.CHECKS)


def find_problems(config: Any, *, of_machine: bool = True) -> list[str]:
    """One line for each thing that is wrong; [] for a run that may start.

    Args:
        config: verl's, composed with `reward_model=mrt…`.
        of_machine: whether this machine is looked at as well.
    """
    try:
        settings = MRTSettings.from_config(config.mrt)
        check_parts(settings)
    except ValueError as error:
        return [str(error)]
    checks = (*OF_CONFIG, *(OF_MACHINE if of_machine else ()))
    return [line for check in checks for line in check(settings, config)]


def check_run(config: Any, *, of_machine: bool = False) -> None:
    """Raises ValueError: the run could not train with MRT as asked; one line for each reason."""
    problems = find_problems(config, of_machine=of_machine)
    if problems:
        raise ValueError("\n".join(problems))
