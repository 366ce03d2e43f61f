"""`python -m mrt_verl.openrlhf CONFIG.yaml`: checks the settings and prints the path for `--train.agent_func_path`."""

import sys
from pathlib import Path

from mrt_verl.extras import explain_missing


def main(words: list[str]) -> int:
    """0 if a run may start with these settings, 2 with the reason if not."""
    if len(words) != 1:
        print("usage: python -m mrt_verl.openrlhf CONFIG.yaml", file=sys.stderr)
        return 2
    try:
        from mrt_verl.openrlhf.config import config_path, read_config

        read_config(config_path({"MRT_CONFIG": words[0]}))
    except ModuleNotFoundError as error:
        print(explain_missing(error, "eval"), file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 2
    print(Path(__file__).with_name("agent.py"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
