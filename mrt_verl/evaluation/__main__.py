"""`python -m mrt_verl.evaluation` and `mrt-eval`: see command.py."""

import sys

from mrt_verl.extras import explain_missing
from mrt_verl.interrupts import ending_at_once, run_command


def main() -> None:
    """Run the command line; a package that is not installed, or a signal, ends it with one line."""
    try:
        with ending_at_once("mrt-eval"):
            from mrt_verl.evaluation.command import main as run

        if code := run_command("mrt-eval", run, "the same command goes on where it stopped"):
            sys.exit(code)
    except ModuleNotFoundError as error:
        raise SystemExit(f"error: {explain_missing(error, 'eval')}") from error


if __name__ == "__main__":
    main()
