"""`python -m mrt_verl.inspect` and `mrt-inspect`: see command.py."""

import sys

from mrt_verl.extras import explain_missing
from mrt_verl.interrupts import ending_at_once, run_command


def main() -> None:
    """Run the command line; a package that is not installed, or a signal, ends it with one line."""
    try:
        with ending_at_once("mrt-inspect"):
            from mrt_verl.inspect.command import main as run

        if code := run_command("mrt-inspect", run):
            sys.exit(code)
    except ModuleNotFoundError as error:
        raise SystemExit(f"error: {explain_missing(error, 'eval', 'vllm')}") from error


if __name__ == "__main__":
    main()
