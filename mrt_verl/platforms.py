"""Which of verl's platforms the user asked for."""

import os


def is_on_cpu() -> bool:
    """Whether `VERL_PLATFORM` says that there is nothing but a CPU, and that one is meant."""
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu"
