"""`python -m mrt_verl.openrlhf CONFIG.yaml [OpenRLHF's words …]`: checks a run, prints its agent's path."""

import logging
import sys
from pathlib import Path

from mrt_verl.extras import explain_missing
from mrt_verl.log import speak_up

AGENT = Path(__file__).with_name("agent.py")
USAGE = "usage: python -m mrt_verl.openrlhf CONFIG.yaml [the words of OpenRLHF's command line]"
logger = logging.getLogger("mrt_verl.openrlhf")


def main(words: list[str]) -> int:
    """0 if a run may start with these settings, 2 with the reasons if not."""
    if not words or words[0].startswith("-"):
        print(USAGE, file=sys.stderr)
        return 2
    speak_up()
    try:
        problems = check(words[0], words[1:])
    except ModuleNotFoundError as error:
        print(explain_missing(error, "eval"), file=sys.stderr)
        return 2
    for line in problems:
        print(f"refused: {line}", file=sys.stderr)
    if problems:
        return 2
    print(AGENT)
    return 0


def check(path: str, words: list[str]) -> list[str]:
    """What is wrong with a run: its settings, and, if it is given, OpenRLHF's command line against them."""
    from mrt_verl.openrlhf.command_line import find_problems, find_warnings
    from mrt_verl.openrlhf.config import config_path, read_config

    try:
        config = read_config(config_path({"MRT_CONFIG": path}))
        problems = find_problems(words, config, str(AGENT)) if words else []
    except ValueError as error:
        return [str(error)]
    for line in find_warnings(words, config) if words else ():
        logger.warning(line)
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
