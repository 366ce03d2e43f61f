"""`python -m mrt_verl.check OVERRIDES`: is this run the one that I asked for? Starts nothing.

Takes the overrides of `python -m verl.trainer.main_ppo`, prints everything that is wrong at once, or the run's plan in
plain words. Exit code 0: it may start; 2: it is refused.
"""

import sys
from collections.abc import Sequence

USAGE = """usage: python -m mrt_verl.check reward_model=mrt [OVERRIDE …] [--config-name NAME] [--config-dir DIR]

the overrides are those of `python -m verl.trainer.main_ppo`; it starts nothing. Exit code 0: the run may start, 2: not.

example:
  python -m mrt_verl.check reward_model=mrt actor_rollout_ref.rollout.name=vllm actor_rollout_ref.rollout.n=8"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Check the run of a command line; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or {"-h", "--help"} & set(words):
        print(USAGE)
        return 0 if words else 2
    try:
        from mrt_verl.hooks.check_command import check
    except ModuleNotFoundError as error:
        print(f"mrt_verl.check: {error.name} is not installed; this check runs beside verl", file=sys.stderr)
        return 2
    return check(words)


if __name__ == "__main__":
    sys.exit(main())
