"""`python -m mrt_verl.inspect` and `mrt-inspect`: see command.py."""

from mrt_verl.extras import explain_missing


def main() -> None:
    """Run the command line; a package that is not installed ends it with one line."""
    try:
        from mrt_verl.inspect.command import main as run

        run()
    except ModuleNotFoundError as error:
        raise SystemExit(f"error: {explain_missing(error, 'eval', 'vllm')}") from error


if __name__ == "__main__":
    main()
