"""`python -m tests.golden.record [NAME …]`: write the golden files anew, all or those named."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.golden.evaluation import run_evaluation
from tests.golden.form import write
from tests.golden.scenarios import EVALUATION, TRAINING
from tests.golden.training import run_training

NAMES = (*TRAINING, *EVALUATION)


def path_of(name: str) -> Path:
    """The golden file of a scenario."""
    return Path(__file__).with_name(f"{name}.json")


def run(name: str) -> dict[str, Any]:
    """A scenario's output, as it comes back from its file."""
    output = run_training(TRAINING[name]) if name in TRAINING else run_evaluation(EVALUATION[name])
    values: dict[str, Any] = json.loads(json.dumps(output))
    return values


def main() -> None:
    for name in sys.argv[1:] or NAMES:
        path_of(name).write_text(write(run(name)) + "\n", encoding="utf-8")
        print(f"{name}: {path_of(name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
