"""Is this run the one that was asked for, and can it train? Asked before Ray starts.

    versions.py     verl, vLLM, torch and Python against those tested
    values.py       is it a config of verl's main_ppo, with numbers where numbers belong; else nothing more is asked
    identity.py     settings that make it another run, or that MRT would ignore
    unread.py       settings that nobody would read: misplaced, in a group that was not found, without effect
    switches.py     switches of verl that bypass our parts, and keys that verl no longer reads
    feasibility.py  prover, tokenizer, context and adapter
    sizes.py        batches, mini-batches, workers and rows against each other; verl's own check of a config
    machine.py      this machine: model, reward function, directories, GPU, the way of the weights
    cluster.py      the Ray that the run joins, and others beside it
    rows.py         data files and the first rows of each
    resume.py       the checkpoint that the run would go on from
    position.py     its place in the data
    room.py         space for the next one; a warning
    locked.py       another run in its directories
    media.py        images, videos and audios of the data
    token_boundaries.py   where written texts end inside a token of what follows; warnings alone

Each check yields lines that name the key, the value got, what is allowed, and what to type instead. `mrt_verl.check`
prints them all at once; a training run ends with them.
"""

from collections.abc import Callable, Iterator
from typing import Any

from mrt_verl.hooks.checks import (
    cluster,
    feasibility,
    identity,
    locked,
    machine,
    media,
    position,
    resume,
    room,
    rows,
    sizes,
    switches,
    token_boundaries,
    unread,
    values,
    versions,
)
from mrt_verl.log import printable
from mrt_verl.parts import check_parts
from mrt_verl.settings import MRTSettings

Check = Callable[[MRTSettings, Any], Iterator[str]]
OF_CONFIG: tuple[Check, ...] = (
    versions.check_versions,
    *identity.CHECKS,
    *switches.CHECKS,
    *unread.CHECKS,
    *feasibility.CHECKS,
    *sizes.CHECKS,
)
OF_MACHINE: tuple[Check, ...] = (
    *machine.CHECKS,
    *cluster.CHECKS,
    *rows.CHECKS,
    *resume.CHECKS,
    *position.CHECKS,
    *room.CHECKS,
    *locked.CHECKS,
    *media.CHECKS,
    *sizes.OF_A_WHOLE_RUN,
    *token_boundaries.CHECKS,
)


def find_problems(config: Any, *, of_machine: bool = True) -> list[str]:
    """One line for each thing that is wrong; [] for a run that may start.

    Args:
        config: verl's, composed with `reward_model=mrt…`.
        of_machine: whether this machine is looked at as well, and the config is one that verl itself would start with.
    """
    try:
        settings = MRTSettings.from_config(config.get("mrt"))
        check_parts(settings)
    except ValueError as error:
        return [" ".join(str(error).split())]
    except Exception as error:  # of a part of the user's own, or a value that no check foresaw
        return [f"the settings mrt.* cannot be read: {_described(error)}"]
    if unreadable := list(_asked(values.find_unreadable, settings, config)):
        return unreadable
    checks = (*OF_CONFIG, *(OF_MACHINE if of_machine else ()))
    return list(dict.fromkeys(line for check in checks for line in _asked(check, settings, config)))


def _asked(check: Check, settings: MRTSettings, config: Any) -> Iterator[str]:
    """What a check yields; a value that it cannot read is a line too, for Hydra would go on without the check."""
    try:
        for line in check(settings, config):
            yield printable(" ".join(line.split()))
    except Exception as error:
        yield printable(f"{check.__name__.replace('_', ' ')}: the run cannot be checked: {_described(error)}")


def _described(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def check_run(config: Any, *, of_machine: bool = False) -> None:
    """Raises ValueError: the run could not train with MRT as asked; one line for each reason."""
    problems = find_problems(config, of_machine=of_machine)
    if problems:
        raise ValueError("\n".join(problems))
